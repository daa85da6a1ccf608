import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import asc from 'assemblyscript/asc';
import { ChimeraError } from '../../src/contracts/errors.ts';

const FOLDER = join(import.meta.dirname, '..', 'programs');

/** Programs in AssemblyScript with one export, `run(rounds: i32): i32`, which gives a checksum of what it did. */
export const programNames = (): string[] =>
  readdirSync(FOLDER)
    .filter((file) => file.endsWith('.as'))
    .map((file) => file.slice(0, -'.as'.length))
    .sort();

/** Compiles a program as agents in AssemblyScript are compiled: optimised, bounds checked, nothing imported. */
export async function compileProgram(name: string): Promise<Uint8Array<ArrayBuffer>> {
  // The compiler reads only ".ts"; the files are named otherwise so that they are not taken for TypeScript.
  const source = readFileSync(join(FOLDER, `${name}.as`), 'utf8');
  let binary: Uint8Array<ArrayBuffer> | undefined;
  const { error, stderr } = await asc.main(
    [`${name}.ts`, '--outFile', 'out.wasm', '-O3', '--runtime', 'stub', '--use', 'abort=', '--exportStart', 'start'],
    {
      readFile: (file: string) => (file === `${name}.ts` ? source : null),
      writeFile: (_file: string, content: string | Uint8Array) => {
        if (typeof content !== 'string') binary = new Uint8Array(content);
      },
      listFiles: () => [],
    },
  );
  if (error !== null || binary === undefined) {
    throw new ChimeraError(
      'CHIMERA_SETUP',
      { what: `bench/programs/${name}.as`, why: stderr.toString() },
      { cause: error },
    );
  }
  return binary;
}
