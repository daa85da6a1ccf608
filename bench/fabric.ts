import { measureOverhead } from './fabric/overhead.ts';
import type { Benchmark } from './harness/types.ts';

export const benchmark: Benchmark = {
  name: 'fabric',
  title: 'The execution fabric: what the guard costs eight programs in AssemblyScript',
  run: ({ full, log }) => measureOverhead(full, log),
};
