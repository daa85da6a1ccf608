import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { InstructionClass } from './instructions.ts';

/** Cases that a process compares without a word: about a second of work. */
const CHUNK = 125;
const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url));

/** Cases `from` up to `from + count` of a seed. */
export interface Chunk {
  readonly seed: string;
  readonly from: number;
  readonly count: number;
}

/** What became of a chunk. */
export interface ChunkReport {
  readonly runs: number;
  /** Cases by how they ended with fuel enough: `done` or a kind of trap. */
  readonly ended: ReadonlyMap<string, number>;
  /** A line for each case that differs. */
  readonly differs: readonly string[];
  readonly names: ReadonlyMap<string, number>;
  readonly classes: ReadonlyMap<InstructionClass, number>;
}

/** What became of all chunks so far. */
export class SweepReport implements ChunkReport {
  cases = 0;
  runs = 0;
  readonly ended = new Map<string, number>();
  readonly differs: string[] = [];
  readonly names = new Map<string, number>();
  readonly classes = new Map<InstructionClass, number>();

  add(count: number, { runs, ended, differs, names, classes }: ChunkReport): void {
    this.cases += count;
    this.runs += runs;
    this.differs.push(...differs);
    merge(this.ended, ended);
    merge(this.names, names);
    merge(this.classes, classes);
  }
}

function merge<K>(into: Map<K, number>, counts: ReadonlyMap<K, number>): void {
  for (const [key, count] of counts) into.set(key, (into.get(key) ?? 0) + count);
}

export interface SweepOptions extends Chunk {
  /** Path of the wasmtime library; without it only V8 is tried, with and without the guard. */
  readonly library?: string;
  /** Called after each chunk; below `next` everything has been compared. */
  readonly onProgress?: (report: SweepReport, next: number) => void;
}

/**
 * Compares the cases of a seed in as many processes as there are processors. A process that dies costs its chunk a
 * line, and another one goes on with the next.
 */
export async function sweep({ seed, from, count, library, onProgress }: SweepOptions): Promise<SweepReport> {
  const report = new SweepReport();
  const end = from + count;
  const atWork = new Set<number>();
  let next = from;
  const lane = async (): Promise<void> => {
    let worker: ChildProcess | undefined;
    while (next < end) {
      const chunk = { seed, from: next, count: Math.min(CHUNK, end - next) };
      next += chunk.count;
      atWork.add(chunk.from);
      worker ??= fork(WORKER, library === undefined ? [] : [library], { serialization: 'advanced', execArgv: [] });
      const { answer, why } = await ask(worker, chunk);
      if (answer === undefined) worker = undefined;
      const last = chunk.from + chunk.count - 1;
      const died = `a process died in cases ${chunk.from} to ${last}: ${why}`;
      report.add(chunk.count, answer ?? { ...NOTHING, differs: [died] });
      atWork.delete(chunk.from);
      onProgress?.(report, Math.min(next, ...atWork));
    }
    worker?.disconnect();
  };
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
  return report;
}

const NOTHING: ChunkReport = { runs: 0, ended: new Map(), differs: [], names: new Map(), classes: new Map() };

/** The report, or why there will be none. */
function ask(worker: ChildProcess, chunk: Chunk): Promise<{ answer?: ChunkReport; why?: string }> {
  return new Promise((resolve) => {
    const settle = (answer: { answer?: ChunkReport; why?: string }): void => {
      worker.off('message', onMessage).off('exit', onExit);
      resolve(answer);
    };
    const onMessage = (message: unknown): void => settle({ answer: message as ChunkReport });
    const onExit = (code: number | null, signal: string | null): void => settle({ why: signal ?? `exit code ${code}` });
    worker.on('message', onMessage).on('exit', onExit);
    worker.send(chunk);
  });
}
