import { DEFAULT_LIMITS } from '../../src/core/execution/limits.ts';
import { WasmtimeHost } from '../../src/fabric/wasmtime/host.ts';
import { EXTERN_KIND } from '../../src/fabric/wasmtime/layout.ts';
import { loadWasmtime } from '../../src/fabric/wasmtime/library.ts';
import type { BenchmarkResult } from '../harness/types.ts';
import { compileGuarded, instanceOf, openWithEpochs } from './epochs.ts';
import { compareTimes, geomean } from './overhead.ts';
import type { Program } from './overhead.ts';
import { compileProgram, programNames } from './programs.ts';

/**
 * What wasmtime's looking at its epoch would cost guarded programs: why the fabric has epochs off, and ends a process at its wall
 * deadline instead.
 */
export async function measureEpochCost(
  library: string,
  full: boolean,
  log: (line: string) => void,
): Promise<BenchmarkResult> {
  const hosts = { on: openWithEpochs(library).host, off: new WasmtimeHost(loadWasmtime(library)) };
  const ratios: Record<string, number> = {};
  for (const name of programNames()) {
    const module = await compileProgram(name);
    const open = (host: WasmtimeHost): { program: Program; close(): void } => {
      const compiled = compileGuarded(host, module, { ...DEFAULT_LIMITS, abi: 'any' });
      const instance = instanceOf(host, compiled);
      host.call(instance, host.export(instance, 'start', EXTERN_KIND.func), []);
      const run = host.export(instance, 'run', EXTERN_KIND.func);
      return {
        program: { run: (rounds) => host.call(instance, run, [rounds]) },
        close() {
          host.release(instance);
          host.free(compiled);
        },
      };
    };
    const [on, off] = [open(hosts.on), open(hosts.off)];
    const { ratio } = await compareTimes(on.program, off.program, full ? 31 : 7);
    ratios[name] = ratio.median;
    on.close();
    off.close();
  }
  const mean = geomean(Object.values(ratios));
  log(`epochs: with / without ${mean.toFixed(3)}`);
  return {
    figures: { 'epochs of wasmtime, guarded programs with / without': { ...ratios, geomean: mean } },
    criteria: [],
  };
}
