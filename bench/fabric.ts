import { loadavg } from 'node:os';
import { fetchWasmtime } from '../src/devstack/wasmtime-library.ts';
import { defaultCacheDir } from '../src/config/paths.ts';
import { useNativeSha256 } from '../src/fabric/native-sha256.ts';
import { measureColdStart } from './fabric/cold-start.ts';
import { measureDeadline } from './fabric/deadline.ts';
import { measureEpochCost } from './fabric/epoch-cost.ts';
import { measureOverhead } from './fabric/overhead.ts';
import { measureThroughput } from './fabric/throughput.ts';
import type { Benchmark, BenchmarkResult } from './harness/types.ts';

export const benchmark: Benchmark = {
  name: 'fabric',
  title:
    'The execution fabric: runs a second, cold start and wall deadline against bare wasmtime; what the guard costs',
  async run({ full, log }) {
    useNativeSha256();
    const cacheDir = process.env['CHIMERA_CACHE'] ?? defaultCacheDir(process.env);
    const { path } = await fetchWasmtime({ cacheDir, onLine: log });
    const before = loadavg()[0]!;
    // What is told in the slowest of a hundred comes first: a heap full of another part's records would be in it.
    const parts: BenchmarkResult[] = [
      await measureColdStart(path, full, log),
      await measureThroughput(path, full, log),
      await measureDeadline(path, full, log),
      await measureEpochCost(path, full, log),
      await measureOverhead(full, log),
    ];
    const load = { 'load of the machine in a minute, before and after': [before, loadavg()[0]!] };
    return {
      figures: Object.assign(load, ...parts.map(({ figures }) => figures)) as BenchmarkResult['figures'],
      criteria: parts.flatMap(({ criteria }) => criteria),
    };
  },
};
