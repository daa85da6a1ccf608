import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startTestStack, testStack } from '../helpers/stack.ts';
import { runLoop, type LoopRun } from '../helpers/loop.ts';
import { problemsOf, runControls, runKill, runServerKills, SERVERS } from './cases.ts';

const SEED = 'kill-tests';
const KILLS = 5;

/**
 * A run waits most of the time, for a death to be noticed. So all of them are under way from the start, a few at a time,
 * and each test waits for its own.
 */
describe('failpoints: whatever dies, the loop comes to the same', function () {
  this.timeout(400_000);
  const runs = new Map<string, Promise<LoopRun>>();
  let undisturbed: LoopRun;

  before(async () => {
    const [stack, durable] = await Promise.all([testStack(), startTestStack({ durable: true })]);
    undisturbed = await runLoop({ stack });
    const { hits } = undisturbed;
    const lanes = [lane(), lane(), lane()];
    const start = (on: number, name: string, run: () => Promise<LoopRun>): void => {
      const running = lanes[on]!(run);
      running.catch(() => undefined); // its test tells
      runs.set(name, running);
    };
    start(0, 'servers', () => runServerKills(durable, SERVERS));
    start(0, 'three workers', () => runLoop({ stack, workers: 3 }));
    start(0, 'controls', () => runControls(stack));
    for (let n = 0; n < KILLS; n++)
      start(1 + (n % 2), `kill ${n}`, () => runKill({ stack }, SEED, n, hits).then(({ run }) => run));
  });

  const assertSame = async (name: string): Promise<void> => {
    const run = await runs.get(name)!;
    assert.ok(run.disturbed, 'nothing was killed');
    assert.deepEqual(problemsOf(run, undisturbed.facts), []);
  };

  it('promotes, undisturbed, after three generations with two shards in flight', () => {
    assert.deepEqual(undisturbed.wrongs, []);
    assert.deepEqual(undisturbed.shape, { generations: 3, shardsInFlight: 2 });
    assert.equal(undisturbed.facts.audited['rollout.canary'], 1);
    assert.equal(undisturbed.facts.audited['rollout.promoted'], 1);
  });

  it('passes every failpoint that there is, apart from those of executions that go turn by turn', () => {
    const names = failpointNames().filter((name) => !name.startsWith('turns.'));
    assert.deepEqual(Object.keys(undisturbed.hits).sort(), names);
  });

  for (let n = 0; n < KILLS; n++) it(`kill ${n + 1} of ${KILLS} at a failpoint`, () => assertSame(`kill ${n}`));
  it('kills of PostgreSQL, the Temporal server and the gateway, one after another', () => assertSame('servers'));

  it('three workers come to what one comes to', async () => {
    assert.deepEqual(problemsOf(await runs.get('three workers')!, undisturbed.facts), []);
  });

  it('negative controls: an unseeded draw fails the comparison, an insert that repeats fails the count', async () => {
    const run = await runs.get('controls')!;
    assert.ok(run.disturbed, 'nothing was killed');
    const problems = problemsOf(run, undisturbed.facts);
    const fails = (what: string): void =>
      assert.ok(
        problems.some((problem) => problem.includes(what)),
        `${what}: ${problems}`,
      );
    fails('lineage: ');
    fails('without their feedback');
  });

  after(() => Promise.allSettled(runs.values()));
});

/** The names that the sources give to failpoints. */
function failpointNames(): string[] {
  const sources = fileURLToPath(new URL('../../src', import.meta.url));
  const files = readdirSync(sources, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const names = files.flatMap((name) =>
    [...readFileSync(join(sources, name), 'utf8').matchAll(/\bfailpoint\('([^']+)'\)/g)].map(([, found]) => found!),
  );
  return [...new Set(names)].sort();
}

/** Work one after another. */
function lane(): (work: () => Promise<LoopRun>) => Promise<LoopRun> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work, work);
    last = next;
    return next;
  };
}
