import { setTimeout as delay } from 'node:timers/promises';
import type { z } from 'zod';
import type { ChimeraClient } from '../../client/index.ts';
import type { CycleView } from '../../client/types.ts';
import { ChimeraError } from '../../contracts/errors.ts';
import type { evolutionCycleInput } from '../../contracts/inputs.ts';
import type { DriftEvent } from '../../stores/index.ts';
import type { ExampleItem, Part } from './example.ts';

export type PlanEvent =
  | { kind: 'part'; part: Part; items: number; done: boolean }
  | { kind: 'progress'; label: string; done: number; total: number }
  | { kind: 'cycle'; number: number; view: CycleView; text: string }
  | { kind: 'drift'; ordinal: number; text: string };

/** What the plan must see of the platform besides the API. */
export interface PlanSight {
  nextOrdinal(): Promise<number>;
  /** The stream is scored below this ordinal. */
  consumedTo(): Promise<number>;
  /** Where the running rollout stands; undefined while there is none. */
  rollout(): Promise<{ consumedTo: number; decided: boolean } | undefined>;
  driftEvents(): Promise<DriftEvent[]>;
}

export interface PlanOptions {
  client: ChimeraClient;
  taskType: string;
  items: readonly ExampleItem[];
  sight: PlanSight;
  /** Settings of both cycles. */
  cycle: Omit<z.input<typeof evolutionCycleInput>, 'taskType' | 'project'>;
  /** Names this stream: the keys of its tasks begin with it. */
  name: string;
  onEvent: (event: PlanEvent) => void;
  signal?: AbortSignal;
  pollMs?: number;
}

/** Tasks of a rollout that are sent before the next ones: the rollout has decided on all of them by then. */
const ROLLOUT_CHUNK = 100;
const STREAM_CHUNK = 500;

/**
 * Plays the stream: tasks and their feedback in order, a cycle after the first part and one after the drift. Everything is
 * sent under keys that derive from the items, so that a plan that was interrupted goes on where it was. A part is sent
 * only when what came before is settled, so that the ordinals of every decision are the same in every run.
 */
export async function playStream(options: PlanOptions): Promise<void> {
  const of = (part: Part): ExampleItem[] => options.items.filter((item) => item.part === part);
  let start = 0;
  for (const [number, [stream, rollout]] of (
    [
      ['stream-1', 'rollout-1'],
      ['stream-2', 'rollout-2'],
    ] as const
  ).entries()) {
    await serve(options, stream, of(stream), start);
    start += of(stream).length;
    if (number === 1) await reportDrift(options, start - of(stream).length);
    await improve(options, number + 1, rollout, of(rollout), start);
    start += of(rollout).length;
  }
}

async function serve(options: PlanOptions, part: Part, items: readonly ExampleItem[], start: number): Promise<void> {
  const reused = (await options.sight.consumedTo()) >= start + items.length;
  options.onEvent({ kind: 'part', part, items: items.length, done: reused });
  if (reused) return;
  for (let at = 0; at < items.length; at += STREAM_CHUNK) {
    await send(options, part, items.slice(at, at + STREAM_CHUNK), at, items.length);
  }
  await settled(options, start + items.length);
}

/** One batch of tasks, and, when it is done, what its users say to the answers. */
async function send(
  options: PlanOptions,
  part: Part,
  items: readonly ExampleItem[],
  at: number,
  total: number,
): Promise<void> {
  const { client, taskType, name, onEvent, signal, pollMs = 100 } = options;
  const key = (item: ExampleItem): string => `${name}/${item.id}`;
  const { batchId } = await client.submitBatch(
    taskType,
    items.map((item) => ({ key: key(item), payload: item.payload })),
    { key: `${name}/${part}/${at}-${items.length}` },
  );
  const label = part.startsWith('rollout') ? 'run by both' : 'served';
  await client.waitForBatch(batchId, {
    pollMs,
    ...(signal === undefined ? {} : { signal }),
    onProgress: (view) => onEvent({ kind: 'progress', label, done: at + view.resolved, total }),
  });
  await client.feedbackMany(
    items.map((item) => ({
      key: key(item),
      feedback: { kind: 'demonstration' as const, value: { ...item.expected } },
    })),
  );
}

async function settled({ sight, signal, pollMs = 100 }: PlanOptions, ordinal: number): Promise<void> {
  while ((await sight.consumedTo()) < ordinal) await delay(pollMs, undefined, { signal });
}

async function reportDrift({ sight, onEvent }: PlanOptions, from: number): Promise<void> {
  const event = (await sight.driftEvents()).find(({ ordinal }) => ordinal >= from);
  if (event !== undefined) onEvent({ kind: 'drift', ordinal: event.ordinal, text: String(event.details.text) });
}

/** A cycle, and the traffic on which it proves its challenger. */
async function improve(
  options: PlanOptions,
  number: number,
  part: Part,
  items: readonly ExampleItem[],
  start: number,
): Promise<void> {
  const { client, taskType, sight, onEvent, signal, pollMs = 100 } = options;
  const reused = (await sight.consumedTo()) >= start + items.length;
  onEvent({ kind: 'part', part, items: items.length, done: reused });
  if (reused) return;
  const sentBefore = (await sight.nextOrdinal()) - start;
  // A rollout must be able to end on what there is: the cap is what the plan has left, less the shadow's lag.
  const cap = Math.max(20, Math.floor(0.9 * items.length));
  const { id } = await client.startCycle({
    ...options.cycle,
    taskType,
    rollout: { ...options.cycle.rollout, cap, shadowTasks: Math.min(50, Math.floor(cap / 4)) },
  });
  let sent = Math.max(0, Math.floor(sentBefore / ROLLOUT_CHUNK) * ROLLOUT_CHUNK);
  let shown = '';
  for (;;) {
    signal?.throwIfAborted();
    const view = await client.cycle(id);
    // A busy worker may not answer with a text; what was shown stays.
    const text = view.state === 'running' ? current(view.details ?? '') : '';
    if (text !== '' && text !== shown) onEvent({ kind: 'cycle', number, view, text });
    if (text !== '') shown = text;
    if (view.state !== 'running') {
      if (view.state !== 'completed') {
        throw new ChimeraError('CHIMERA_INTERNAL', {
          why: `cycle ${number} ${view.state}: ${view.error ?? 'no reason given'}`,
        });
      }
      const { text: outcome } = (view.result ?? {}) as { text?: string };
      onEvent({ kind: 'cycle', number, view, text: outcome ?? 'done' });
      break;
    }
    const rollout = view.phase === 'rollout' ? await sight.rollout() : undefined;
    if (rollout !== undefined && !rollout.decided && rollout.consumedTo >= start + sent && sent < items.length) {
      await send(options, part, items.slice(sent, sent + ROLLOUT_CHUNK), sent, items.length);
      sent = Math.min(items.length, sent + ROLLOUT_CHUNK);
      await settled(options, start + sent);
    } else await delay(pollMs, undefined, { signal });
  }
  if (sent < items.length) await send(options, part, items.slice(sent), sent, items.length);
  await settled(options, start + items.length);
}

/** The first line of a state text: what is going on now. */
const current = (details: string): string => (details.split('\n')[0] ?? '').replaceAll('**', '');
