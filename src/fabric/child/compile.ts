import type { AgentModule } from '../abi/instance.ts';
import type { GuardedModule } from '../guard/guard.ts';
import { WASMTIME_FLAG } from '../protocol.ts';
import { compileForV8 } from '../v8/engine.ts';

/** Makes a guarded module ready to run. */
export type Compile = (guarded: GuardedModule) => AgentModule;

/**
 * The engine of this process: wasmtime where the parent names its library, else V8. Without one, no native code is loaded, which
 * most sandboxes are not allowed to do. The library is opened when the first module comes; that it cannot be is that batch's
 * error, and is tried again.
 */
export async function chooseCompiler(argv: readonly string[]): Promise<Compile> {
  const path = argv.find((argument) => argument.startsWith(WASMTIME_FLAG))?.slice(WASMTIME_FLAG.length);
  if (path === undefined) return compileForV8;
  const { openWasmtime } = await import('../wasmtime/engine.ts');
  let opened: Compile | undefined;
  return (guarded) => (opened ??= openWasmtime(path))(guarded);
}
