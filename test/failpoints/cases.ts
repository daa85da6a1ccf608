import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { stream } from '../../src/core/random/random.ts';
import { runLoop, type Disturbance, type LoopOptions, type LoopRun } from '../helpers/loop.ts';
import type { Facts } from '../helpers/loop-facts.ts';
import type { TestStack } from '../helpers/stack.ts';

export interface Kill {
  readonly name: string;
  readonly occurrence: number;
}

/** Draws of one case: a place drawn from an undisturbed run may not be passed as often in another. */
const TRIES = 4;

/** The n-th kill of a seed: failpoints in a shuffled order, so that few kills hit many, each at a drawn occurrence. */
export function drawKill(seed: string, n: number, hits: Readonly<Record<string, number>>, attempt = 0): Kill {
  const names = Object.keys(hits).sort();
  const order = stream(seed, Math.floor(n / names.length), 0, 'kills/order').shuffle(names);
  const name = order[n % names.length]!;
  return { name, occurrence: 1 + stream(seed, n, attempt, 'kills/occurrence').integer(hits[name]!) };
}

/** So many kills of one run, each at another place or time: one that is there twice would find nobody the second time. */
export function drawKills(seed: string, count: number, hits: Readonly<Record<string, number>>): Kill[] {
  const kills = new Map<string, Kill>();
  for (let n = 0; kills.size < count; n++) {
    const kill = drawKill(seed, n, hits);
    kills.set(`${kill.name}:${kill.occurrence}`, kill);
  }
  return [...kills.values()];
}

/** The n-th kill of a seed, carried out. */
export async function runKill(
  options: Pick<LoopOptions, 'stack' | 'workers'>,
  seed: string,
  n: number,
  hits: Readonly<Record<string, number>>,
): Promise<{ kill: Kill; run: LoopRun }> {
  for (let attempt = 0; ; attempt++) {
    const kill = drawKill(seed, n, hits, attempt);
    const run = await runLoop({ ...options, kill });
    if (run.disturbed || attempt === TRIES - 1) return { kill, run };
  }
}

export const SERVERS = ['temporal', 'postgres', 'gateway'] as const;
export type Server = (typeof SERVERS)[number];

/** When each is killed: while models are trained, while agents are evolved, while tasks of the rollout are sent. */
const WHEN: Record<Server, RegExp> = {
  postgres: /training models/,
  temporal: /evolving agents/,
  gateway: /proving the challenger/,
};

/**
 * A run in which servers are killed in the middle of the cycle, each at its time, and started again. `stack` keeps
 * Temporal's state on disk where Temporal is one of them, and is nobody else's.
 */
export function runServerKills(stack: TestStack, servers: readonly Server[]): Promise<LoopRun> {
  const again = async (server: 'temporal' | 'postgres'): Promise<void> => {
    await stack.stack[server].kill('SIGKILL');
    await stack.stack[server].restart();
  };
  const disturb = servers.map((server): Disturbance => ({
    at: WHEN[server],
    by: (loop) => (server === 'gateway' ? Promise.resolve(loop.killGateway()) : again(server)),
  }));
  return runLoop({ stack, disturb });
}

const control = (name: string): string => fileURLToPath(new URL(`./controls/${name}.ts`, import.meta.url));

/**
 * A run that is wrong in two ways: one draw hangs on nothing, and an insert that is carried out again makes a second row,
 * with a kill between it and its acknowledgement.
 */
export const runControls = (stack: TestStack): Promise<LoopRun> =>
  runLoop({
    stack,
    controls: [control('unseeded-draw'), control('repeating-insert')],
    spoil: 'ALTER TABLE feedback DROP CONSTRAINT feedback_pkey',
    kill: { name: 'feedback.stored', occurrence: 1 },
  });

/** In what a run differs from the undisturbed one, and what it lost, did twice or left behind; empty where it is well. */
export function problemsOf(run: LoopRun, undisturbed: Facts): string[] {
  const parts = (facts: Facts): [string, unknown][] => [
    ...Object.entries(facts).filter(([name]) => name !== 'rows'),
    ...Object.entries(facts.rows).map(([table, hash]): [string, unknown] => [`rows of ${table}`, hash]),
  ];
  const expected = new Map(parts(undisturbed));
  return [
    ...parts(run.facts)
      .filter(([name, value]) => !isDeepStrictEqual(value, expected.get(name)))
      .map(([name, value]) => `${name}: ${JSON.stringify(value)} instead of ${JSON.stringify(expected.get(name))}`),
    ...run.wrongs,
  ];
}
