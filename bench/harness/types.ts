import type { JsonValue } from '../../src/contracts/records.ts';

export type Relation = '<=' | '>=' | '=';

/** One thing a benchmark promises: the measured value stands in `relation` to the bound. */
export interface Criterion {
  name: string;
  value: number;
  unit: string;
  relation: Relation;
  bound: number;
  pass: boolean;
}

export interface BenchmarkOptions {
  /** The full size of the issue, where the default is a smaller one. */
  full: boolean;
  seed: string;
  /** A line of progress for people; it never goes to standard output. */
  log(line: string): void;
}

export interface BenchmarkResult {
  /** Everything measured, by speaking name: numbers, medians with spread, versions. */
  figures: Record<string, JsonValue>;
  criteria: Criterion[];
}

/** What `bench/<name>.ts` exports as `benchmark`. */
export interface Benchmark {
  name: string;
  /** One line for `bench -- list`. */
  title: string;
  run(options: BenchmarkOptions): Promise<BenchmarkResult>;
}

export interface ProofOptions {
  /** Cases to try; absent: the proof's own full count. */
  count?: number;
  /** Number of the first case, where cases are numbered; absent: 0. */
  from?: number;
  seed: string;
  log(line: string): void;
}

export interface ProofResult {
  passed: number;
  failed: number;
  /** What to print at the end, failures with their seed first. */
  lines: string[];
}

/** What `test/proofs/<name>.ts` exports as `proof`. */
export interface Proof {
  name: string;
  title: string;
  run(options: ProofOptions): Promise<ProofResult>;
}

/** A criterion and whether it holds. A value that is not a number never passes. */
export function criterion(name: string, value: number, relation: Relation, bound: number, unit = ''): Criterion {
  const holds = { '<=': value <= bound, '>=': value >= bound, '=': value === bound };
  return { name, value, unit, relation, bound, pass: holds[relation] };
}
