import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ChimeraError, invalidInput } from '../../contracts/errors.ts';

/** A compiler for one language. */
export interface Toolchain {
  /** Where its sources lie: paths in the agent's folder, files or folders. */
  readonly sources: readonly string[];
  /**
   * Compiles the folder to one core module at `output`. Throws `CHIMERA_INVALID_INPUT` with the compiler's messages,
   * `CHIMERA_SETUP` where the compiler or a part of it is missing, with what to type.
   */
  compile(dir: string, output: string): Promise<Compiled>;
}

export interface Compiled {
  /** What compiled it, with its version. */
  readonly compiler: string;
  /** Imports of the compiler's output that were linked away, as `module/name`. */
  readonly linked: readonly string[];
}

export interface ProgramResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const MAX_OUTPUT = 16 << 20;

/** Runs a program to its end. `undefined` where there is no such program. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: NodeJS.ProcessEnv },
): Promise<ProgramResult | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<ProgramResult | undefined>();
  execFile(program, args, { ...options, maxBuffer: MAX_OUTPUT }, (error, stdout, stderr) => {
    if (error === null) resolve({ code: 0, stdout, stderr });
    else if (error.code === 'ENOENT') resolve(undefined);
    else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr });
    else reject(new ChimeraError('CHIMERA_SETUP', { what: program, why: error.message }, { cause: error }));
  });
  return promise;
}

const MAX_MESSAGES = 8000;

/** The error for a source that does not compile: the compiler's own messages. */
export function compileError(path: string, { stdout, stderr }: ProgramResult): ChimeraError {
  const messages = `${stdout}\n${stderr}`.trim().slice(0, MAX_MESSAGES);
  return invalidInput('the source of the agent', [{ path, message: `does not compile\n${messages}` }]);
}

/** Versions that agents were built with here; the linker of one knows its output by shape. */
const TRIED: Readonly<Record<string, string>> = { assemblyscript: '0.28.20', 'componentize-qjs': '0.4.5' };

/**
 * A file of an npm package: that of the agent's folder where it has the package, else the one that came with Chimera.
 * `inside` names a package through which it is found, where it is a dependency of that.
 */
export function packageFile(dir: string, name: string, file: string, inside?: string): string {
  const found = findPackageFile(dir, name, file, inside);
  if (found !== undefined) return found;
  const wanted = inside ?? name;
  const version = TRIED[wanted] === undefined ? '' : `@${TRIED[wanted]}`;
  throw new ChimeraError('CHIMERA_SETUP', {
    what: `the compiler ${wanted}`,
    why: `it is not installed; type: npm install --prefix ${dir} --save-dev ${wanted}${version}`,
  });
}

/** {@link packageFile}, or undefined where nobody has the package. */
export function findPackageFile(dir: string, name: string, file: string, inside?: string): string | undefined {
  for (const from of [join(dir, 'package.json'), import.meta.url]) {
    try {
      const owner = inside === undefined ? from : createRequire(from).resolve(`${inside}/package.json`);
      return join(createRequire(owner).resolve(`${name}/package.json`), '..', file);
    } catch {
      continue;
    }
  }
  return undefined;
}
