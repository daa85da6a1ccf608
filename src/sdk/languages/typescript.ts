import { readFile, rm, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { linkQuickJs } from './quickjs-link.ts';
import { compileError, packageFile, runProgram, type Toolchain } from './toolchain.ts';

const WIT = fileURLToPath(new URL('../../../wit/agent.wit', import.meta.url));
const ENTRY = 'agent/main.ts';

/**
 * TypeScript on the QuickJS interpreter: the types are checked, the sources bundled, the interpreter started with them,
 * and its state kept as the module's initial memory. What comes out is a component of several modules that the linker
 * then makes one of. The system interfaces that the interpreter knows trap when they are called.
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
      const world = ['--wit', WIT, '--world', 'agent', '--stub-wasi', '--sync'];
      await node(componentize, ...world, '--js', script, '--output', component);
      const linked = await linkQuickJs(await readFile(component), work, output, (tool, ...args) =>
        node(packageFile(dir, 'binaryen', `bin/${tool}`, 'assemblyscript'), ...args),
      );
      const version = await versionOf(packageFile(dir, 'componentize-qjs', 'package.json'));
      return { compiler: `componentize-qjs ${version}`, linked };
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  },
};

async function versionOf(file: string): Promise<string> {
  return (JSON.parse(await readFile(file, 'utf8')) as { version: string }).version;
}
