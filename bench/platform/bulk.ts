import { setTimeout as delay } from 'node:timers/promises';
import type { ExampleItem } from '../../src/cli/demo/example.ts';
import type { Platform } from '../../src/cli/platform.ts';
import { routingOf } from '../../src/core/rollout/routing.ts';
import { cpuBetween, cpuSeconds, machineTime, type CpuSeconds } from './cpu.ts';

/** One batch through `taskBatchWorkflow`. */
export interface BulkRun {
  readonly tasks: number;
  /** From the last commit of admission to the last score: dispatch, workflow, runs, effects, executions, scores, windows. */
  readonly seconds: number;
  /** The part of it until the workflow closed the batch: every execution is stored. */
  readonly executedSeconds: number;
  /** Processor time used in it, by part of the platform. */
  readonly cpu: CpuSeconds;
  /** Share of the machine's processors that nobody used in it, and that its host gave to others. */
  readonly idleShare: number;
  readonly stolenShare: number;
}

const CHUNK = 500;
const POLL_MS = 20;

/**
 * Accepts the items with the right answers of their users, then lets the batch run and waits for the last score. What is
 * measured begins where the batch is closed, which is what the dispatcher starts it from.
 */
export async function runBulk(
  { stores, config }: Platform,
  taskType: string,
  items: readonly ExampleItem[],
  name: string,
  signal: AbortSignal,
): Promise<BulkRun> {
  const { project } = config;
  await stores.batches.open(project, taskType, name, name);
  const ordinals: number[] = [];
  for (let at = 0; at < items.length; at += CHUNK) {
    const chunk = items.slice(at, at + CHUNK).map(({ id, payload }) => ({ key: `${name}/${id}`, payload }));
    const accepted = await stores.tasks.acceptMany(project, taskType, chunk, { batchId: name, route: routingOf });
    ordinals.push(...accepted.map(({ task }) => task.ordinal));
    await stores.feedback.addMany(
      project,
      items.slice(at, at + CHUNK).map(({ id, expected }) => ({
        key: `${name}/${id}`,
        feedback: { kind: 'demonstration' as const, value: expected },
      })),
    );
  }
  const before = cpuSeconds();
  const machine = machineTime();
  const begun = performance.now();
  await stores.batches.close(project, name, items.length, ordinals[0]!, ordinals.at(-1)!);
  while ((await stores.batches.get(project, name))?.state !== 'completed') await delay(POLL_MS, undefined, { signal });
  const executedSeconds = (performance.now() - begun) / 1000;
  const end = ordinals.at(-1)! + 1;
  const scored = async (): Promise<number> => (await stores.kpi.monitor(project, taskType))?.consumedTo ?? 0;
  while ((await scored()) < end) await delay(POLL_MS, undefined, { signal });
  const seconds = (performance.now() - begun) / 1000;
  const now = machineTime();
  const total = Math.max(now.total - machine.total, Number.EPSILON);
  return {
    ...{ tasks: items.length, seconds, executedSeconds, cpu: cpuBetween(before, cpuSeconds()) },
    idleShare: (now.idle - machine.idle) / total,
    stolenShare: (now.stolen - machine.stolen) / total,
  };
}

/** The same mails as if they were others: a word in front of every subject, so that no answer is in a cache. */
export function retold(items: readonly ExampleItem[], word: string): ExampleItem[] {
  return items.map((item) => ({
    ...item,
    payload: { ...item.payload, raw: retellSubject(String(item.payload['raw']), word) },
  }));
}

function retellSubject(raw: string, word: string): string {
  const retellable = /^subject:[ \t]*/im.exec(raw);
  return retellable === null
    ? `Subject: ${word}\n${raw}`
    : raw.slice(0, retellable.index) + retellable[0] + `${word} ` + raw.slice(retellable.index + retellable[0].length);
}
