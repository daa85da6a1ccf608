import { readFile, rm, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { ChimeraError } from '../../contracts/errors.ts';
import { linkQuickJs } from './quickjs-link.ts';
import { stillRuntime } from './quickjs-runtime.ts';
import { compileError, findPackageFile, packageFile, runProgram, type Toolchain } from './toolchain.ts';

const WIT = fileURLToPath(new URL('../../../wit/agent.wit', import.meta.url));
const ENTRY = 'agent/main.ts';

/**
 * TypeScript on the QuickJS interpreter: the types are checked, the sources bundled, the interpreter started with them,
 * and its state kept as the module's initial memory. What comes out is a component of several modules that the linker
 * then makes one of. The system interfaces that the interpreter knows trap when they are called. The same sources with the
 * same compilers give the same bytes.
 */
export const typeScript: Toolchain = {
  sources: ['agent', 'tsconfig.json', 'package.json', 'package-lock.json'],
  async compile(dir, output) {
    const check = packageFile(dir, 'typescript', 'bin/tsc');
    const bundle = packageFile(dir, 'rolldown', 'bin/cli.mjs');
    const componentize = packageFile(dir, 'componentize-qjs', 'bin/componentize-qjs');
    const node = async (script: string, ...args: string[]): Promise<void> => {
      const ran = (await runProgram(execPath, [script, ...args], { cwd: dir }))!;
      if (ran.code !== 0) throw compileError(ENTRY, ran);
    };
    const work = join(dir, 'build', 'typescript');
    await mkdir(work, { recursive: true });
    try {
      await node(check, '--project', dir, '--noEmit', '--pretty', 'false');
      const script = join(work, 'agent.js');
      await node(bundle, join(dir, ENTRY), '--file', script, '--format', 'esm', '--logLevel', 'warn');
      const component = join(work, 'component.wasm');
      const binaryen = (tool: string, ...args: string[]): Promise<void> =>
        node(packageFile(dir, 'binaryen', `bin/${tool}`, 'assemblyscript'), ...args);
      const runtime = await stillRuntime(await nativeBinding(dir), work, binaryen);
      const world = ['--wit', WIT, '--world', 'agent', '--stub-wasi', '--runtime', runtime];
      await node(componentize, ...world, '--js', script, '--output', component);
      const linked = await linkQuickJs(await readFile(component), work, output, binaryen);
      const { version } = await packageOf(packageFile(dir, 'componentize-qjs', 'package.json'));
      return { compiler: `componentize-qjs ${version}`, linked };
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  },
};

/** The native library of componentize-qjs for this machine: the one of its optional packages that is installed. */
async function nativeBinding(dir: string): Promise<string> {
  const owner = 'componentize-qjs';
  const { optionalDependencies = {} } = await packageOf(packageFile(dir, owner, 'package.json'));
  for (const name of Object.keys(optionalDependencies)) {
    const file = findPackageFile(dir, name, 'package.json', owner);
    if (file !== undefined) return join(file, '..', (await packageOf(file)).main);
  }
  throw new ChimeraError('CHIMERA_SETUP', {
    what: `the compiler ${owner}`,
    why: `its library for ${process.platform} on ${process.arch} is not installed`,
  });
}

interface Package {
  readonly version: string;
  readonly main: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const packageOf = async (file: string): Promise<Package> => JSON.parse(await readFile(file, 'utf8')) as Package;
