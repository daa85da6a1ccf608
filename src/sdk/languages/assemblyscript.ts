import { execPath } from 'node:process';
import { compileError, packageFile, runProgram, type Toolchain } from './toolchain.ts';

const ENTRY = 'agent/main.ts';
/** Name under which the compiler exports what must run before the first call, until that has run. */
const START = '_start';

/** The features that the compiler uses of itself; the evaluator must read them. */
const FEATURES = ['bulk-memory', 'sign-ext', 'nontrapping-float-to-int', 'mutable-globals', 'simd', 'reference-types'];

/**
 * AssemblyScript with the runtime that never frees: an instance lives for one step. The compiler always makes a start
 * function, which a module may not have; it is run here once, and what it leaves becomes the module's initial memory.
 */
export const assemblyScript: Toolchain = {
  sources: ['agent'],
  async compile(dir, output) {
    const asc = packageFile(dir, 'assemblyscript', 'bin/asc.js');
    const evaluator = packageFile(dir, 'binaryen', 'bin/wasm-ctor-eval', 'assemblyscript');
    const node = async (script: string, ...args: string[]): Promise<string> => {
      const ran = (await runProgram(execPath, [script, ...args], { cwd: dir }))!;
      if (ran.code !== 0) throw compileError(ENTRY, ran);
      return ran.stdout;
    };
    const common = ['--runtime', 'stub', '--use', 'abort=', '--exportStart', START, '--noColors'];
    await node(asc, ENTRY, '--outFile', output, '-Osize', '--converge', ...common);
    const enabled = FEATURES.map((feature) => `--enable-${feature}`);
    await node(evaluator, output, `--ctors=${START}`, '--quiet', ...enabled, '-o', output);
    const version = (await node(asc, '--version')).trim().replace(/^Version /, '');
    return { compiler: `AssemblyScript ${version}`, linked: [] };
  },
};
