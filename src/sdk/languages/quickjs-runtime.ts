import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ChimeraError } from '../../contracts/errors.ts';
import { embeddedModules, exportMemory, exportsOf, importsOf, keepExports, renameImports } from './core-module.ts';

/** What the interpreter asks the machine for while its snapshot is made, and what answers instead. */
const ANSWERS = new Map([
  ['wasi:random/insecure-seed@0.2.9/insecure-seed', 'seed'],
  ['wasi:clocks/monotonic-clock@0.2.0/now', 'ticks'],
  ['wasi:clocks/wall-clock@0.2.0/now', 'time'],
]);

const STILL = 'still';
const RUNTIME = 'runtime';

/** Seed and clocks that are the same in every build; results go where the canonical ABI wants them. */
const STILL_TEXT = `(module
  (import "${RUNTIME}" "memory" (memory 0))
  (func (export "seed") (param i32)
    (i64.store (local.get 0) (i64.const 1))
    (i64.store offset=8 (local.get 0) (i64.const 2)))
  (func (export "ticks") (result i64) (i64.const 0))
  (func (export "time") (param i32)
    (i64.store (local.get 0) (i64.const 0))
    (i32.store offset=8 (local.get 0) (i32.const 0))))`;

/**
 * The interpreter of componentize-qjs with a fixed seed and clocks that stand still, as a file that it takes for its own.
 * Its hash tables and its generator are seeded while the snapshot is made: with the machine's randomness and time, two builds
 * of one source would differ in a few bytes, in name and in fuel. The interpreter lies in the compiler's native library.
 * @param binding that library
 * @param tool runs a tool of binaryen
 */
export async function stillRuntime(
  binding: string,
  work: string,
  tool: (name: string, ...args: string[]) => Promise<void>,
): Promise<string> {
  const found = builtIn(await readFile(binding));
  const { module } = renameImports(found, STILL, (from) => {
    const answer = ANSWERS.get(`${from.module}/${from.name}`);
    return answer === undefined ? from : { module: STILL, name: answer };
  });
  const file = (name: string): string => join(work, name);
  await writeFile(file('named.core'), exportMemory(module, 'memory'));
  await writeFile(file('still.wat'), STILL_TEXT);
  await tool('wasm-as', file('still.wat'), '-o', file('still.core'));
  const merged = file('runtime.wasm');
  const parts = [file('named.core'), RUNTIME, file('still.core'), STILL];
  await tool('wasm-merge', ...parts, '--all-features', '--skip-export-conflicts', '-o', merged);
  await writeFile(merged, keepExports(await readFile(merged), exportsOf(found)));
  return merged;
}

/** The interpreter for components without async functions; of those the larger is optimised for speed. */
function builtIn(library: Uint8Array): Uint8Array<ArrayBuffer> {
  const fitting = [...embeddedModules(library)].filter((module) => {
    const imports = importsOf(module);
    const asked = new Set(imports.map(({ module: from, name }) => `${from}/${name}`));
    return (
      exportsOf(module).includes('wit_dylib_export_call') &&
      !imports.some(({ module: from }) => from === '$root') &&
      [...ANSWERS.keys()].every((name) => asked.has(name))
    );
  });
  const [largest] = fitting.sort((a, b) => b.length - a.length);
  if (largest !== undefined) return largest;
  const why = 'componentize-qjs has another interpreter than the version that this was made for';
  throw new ChimeraError('CHIMERA_SETUP', { what: 'the agent', why });
}
