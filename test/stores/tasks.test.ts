import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import pg from 'pg';
import { isChimeraError } from '../../src/contracts/errors.ts';
import type { Route } from '../../src/stores/index.ts';
import { admit, event, execution, openFixture, openStream, TYPE, type Fixture } from './fixture.ts';

const keysOf = (error: unknown): string[] =>
  (isChimeraError(error) ? (error.details.problems ?? []) : []).map((p) => p.path);

describe('stores: tasks', () => {
  let fixture: Fixture;
  let project: string;
  let count = 0;
  before(async () => (fixture = await openFixture()));
  after(() => fixture.close());
  beforeEach(async () => {
    project = `p${count++}`;
    await openStream(fixture.stores, project);
  });

  it('gives ordinals in the order given and keeps payload and routing', async () => {
    const { tasks } = fixture.stores;
    const route: Route = (deployment, ordinal) => ({
      epoch: deployment.epoch,
      served: deployment.champion,
      ...(ordinal % 2 === 1 ? { shadow: 'b' } : {}),
    });
    const payload = { text: 'NUL \u0000 and ✓', deep: [1, { b: null, a: 0.1 }] };
    const accepted = await tasks.acceptMany(
      project,
      TYPE,
      [
        { key: 'x', payload },
        { key: 'y', payload: 1, priority: 1 },
      ],
      {
        route,
        batchId: 'b1',
      },
    );
    assert.deepEqual(
      accepted.map(({ task, created }) => [task.ordinal, task.key, created]),
      [
        [0, 'x', true],
        [1, 'y', true],
      ],
    );
    const stored = await tasks.byKey(project, 'x');
    assert.deepEqual(stored, accepted[0]?.task);
    assert.deepEqual(stored?.payload, payload);
    assert.deepEqual(
      await tasks.range(project, TYPE, 0, 9),
      accepted.map(({ task }) => task),
    );
    assert.deepEqual(
      (await tasks.ofBatch(project, 'b1', { from: 1 })).map((task) => task.routing),
      [{ epoch: 0, served: 'a', shadow: 'b' }],
    );
    assert.deepEqual(
      (await tasks.recent(project)).map((task) => task.ordinal),
      [1, 0],
    );
  });

  it('finds a known key again and refuses all keys with another body at once, with nothing admitted', async () => {
    const { tasks } = fixture.stores;
    await admit(fixture.stores, project, 3);
    const again = await tasks.acceptMany(project, TYPE, [
      { key: 'k1', payload: { n: 1 } },
      { key: 'new', payload: 1 },
      { key: 'new', payload: 1 },
    ]);
    assert.deepEqual(
      again.map(({ task, created }) => [task.ordinal, created]),
      [
        [1, false],
        [3, true],
        [3, false],
      ],
    );
    await assert.rejects(
      tasks.acceptMany(project, TYPE, [
        { key: 'fresh', payload: 1 },
        { key: 'k0', payload: 'other' },
        { key: 'k2', payload: 'other' },
      ]),
      (error) => {
        assert.ok(isChimeraError(error, 'CHIMERA_CONFLICT'));
        assert.deepEqual(keysOf(error), ['/k0', '/k2']);
        return true;
      },
    );
    await assert.rejects(
      tasks.acceptMany(project, TYPE, [
        { key: 'd', payload: 1 },
        { key: 'd', payload: 2 },
      ]),
      {
        code: 'CHIMERA_CONFLICT',
      },
    );
    assert.equal(await tasks.nextOrdinal(project, TYPE), 4);
    assert.equal(await tasks.byKey(project, 'fresh'), undefined);
  });

  it('refuses what it cannot admit, saying why', async () => {
    const { tasks, taskTypes } = fixture.stores;
    await assert.rejects(tasks.acceptMany(project, 'unknown', [{ payload: 1 }]), (error) => {
      assert.ok(isChimeraError(error, 'CHIMERA_UNKNOWN_TASK_TYPE'));
      return error.message.includes(TYPE);
    });
    await taskTypes.put(project, { name: 'unserved', version: 1 });
    await assert.rejects(tasks.acceptMany(project, 'unserved', [{ payload: 1 }]), { code: 'CHIMERA_NOT_FOUND' });
    await assert.rejects(tasks.acceptMany(project, TYPE, [{ key: 'a\0b', payload: 1 }]), {
      code: 'CHIMERA_INVALID_INPUT',
    });
    // The same key under another task type is another body.
    await admit(fixture.stores, project, 1);
    await fixture.stores.deployments.initial(project, 'unserved', 'a', event('x'));
    await assert.rejects(tasks.acceptMany(project, 'unserved', [{ key: 'k0', payload: { n: 0 } }]), {
      code: 'CHIMERA_CONFLICT',
    });
  });

  it('parallel admissions that share keys give gapless, unique ordinals and one task a key', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.integer({ min: 0, max: 25 }), { minLength: 1, maxLength: 12 }), {
          minLength: 2,
          maxLength: 8,
        }),
        async (calls) => {
          const inside = `${project}-${run++}`;
          await openStream(fixture.stores, inside);
          const answers = await Promise.all(
            calls.map((keys) =>
              fixture.stores.tasks.acceptMany(
                inside,
                TYPE,
                keys.map((key) => ({ key: `k${key}`, payload: { key } })),
              ),
            ),
          );
          const distinct = new Set(calls.flat());
          const stored = await fixture.stores.tasks.range(inside, TYPE, 0, 1000);
          assert.deepEqual(
            stored.map((task) => task.ordinal),
            [...distinct].map((_, i) => i),
          );
          assert.equal(new Set(stored.map((task) => task.key)).size, distinct.size);
          assert.equal(answers.flat().filter((answer) => answer.created).length, distinct.size);
          answers.forEach((answer, i) =>
            assert.deepEqual(
              answer.map(({ task }) => task.key),
              calls[i]?.map((key) => `k${key}`),
            ),
          );
        },
      ),
      { numRuns: 15 },
    );
  });

  it('the stored epoch is the deployment at that ordinal, whoever promotes meanwhile', async () => {
    const { tasks, deployments } = fixture.stores;
    const promote = async (): Promise<void> => {
      for (let epoch = 0; epoch < 6; epoch++) {
        await deployments.advance(
          project,
          TYPE,
          epoch,
          { champion: `v${epoch + 1}`, stage: 'full', share: 0, reason: 'test' },
          { decisionId: `d${epoch}`, audit: event('deployment.promoted') },
        );
      }
    };
    const submit = async (who: number): Promise<void> => {
      for (let i = 0; i < 8; i++)
        await tasks.acceptMany(project, TYPE, [{ payload: [who, i] }, { payload: [who, i, 1] }]);
    };
    await Promise.all([promote(), submit(0), submit(1), submit(2)]);
    const stored = await tasks.summaries(project, TYPE, 0, 1000);
    assert.equal(stored.length, 48);
    for (const task of stored) {
      const deployment = await deployments.at(project, TYPE, task.ordinal);
      assert.deepEqual(task.routing, { epoch: deployment?.epoch, served: deployment?.champion });
    }
  });

  it('hands single tasks to a dispatcher once, and states only move forward', async () => {
    const { tasks } = fixture.stores;
    const [first, second] = await admit(fixture.stores, project, 2);
    assert.ok(first && second);
    const mine = async (): Promise<string[]> =>
      (await tasks.undispatched(1000)).filter((task) => task.project === project).map((task) => task.key);
    assert.deepEqual(await mine(), ['k0', 'k1']);
    await tasks.markDispatched(project, [first.taskId]);
    assert.deepEqual(await mine(), ['k1']);
    await tasks.setState(project, first.taskId, 'running');
    await fixture.stores.executions.putMany(project, TYPE, [execution(first)]);
    await tasks.setState(project, first.taskId, 'running');
    assert.equal((await tasks.get(project, first.taskId))?.state, 'completed');
    assert.deepEqual(await tasks.counts(project, TYPE), { accepted: 1, running: 0, completed: 1, failed: 0, dead: 0 });
    assert.equal(await tasks.get('another', first.taskId), undefined);
  });

  it('tells listeners of accepted and resolved tasks', async () => {
    const heard: string[] = [];
    let wake = (): void => undefined;
    const hear = (name: string) => (payload: string) => {
      heard.push(`${name} ${payload}`);
      wake();
    };
    const listeners = [
      await fixture.stores.listen('chimera_accepted', hear('accepted')),
      await fixture.stores.listen('chimera_resolved', hear('resolved')),
    ];
    const until = async (length: number): Promise<void> => {
      while (heard.length < length) await new Promise<void>((resolve) => (wake = resolve));
    };
    const [task] = await admit(fixture.stores, project, 1);
    assert.ok(task);
    await until(1);
    await fixture.stores.executions.putMany(project, TYPE, [execution(task)]);
    await fixture.stores.feedback.addMany(project, [{ key: 'k0', feedback: { kind: 'boolean', value: true } }]);
    await until(2);
    assert.deepEqual(heard, [`accepted ${project}/${TYPE}`, `resolved ${project}/${TYPE}`]);
    await Promise.all(listeners.map((listener) => listener.close()));
  });

  it('listens on after the server ended the connection, and says that something may have been missed', async () => {
    const waiting: string[] = [];
    let wake = (): void => undefined;
    const listener = await fixture.stores.listen('chimera_accepted', (payload) => {
      waiting.push(payload);
      wake();
    });
    const next = async (): Promise<string | undefined> => {
      while (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return waiting.shift();
    };
    const admin = new pg.Client({ connectionString: fixture.url });
    await admin.connect();
    await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE datname = current_database() AND application_name = 'chimera-listen'`);
    await admin.end();
    assert.equal(await next(), '');
    await admit(fixture.stores, project, 1);
    assert.equal(await next(), `${project}/${TYPE}`);
    await listener.close();
  });

  it('opens a batch once, hands it out when it is closed, and completes it', async () => {
    const { batches } = fixture.stores;
    const batch = await batches.open(project, TYPE, 'b', 'key');
    assert.deepEqual(await batches.open(project, TYPE, 'b', 'key'), batch);
    await assert.rejects(batches.open(project, TYPE, 'c', 'key'), { code: 'CHIMERA_CONFLICT' });
    await assert.rejects(batches.open(project, TYPE, 'b', 'other'), { code: 'CHIMERA_CONFLICT' });
    const waiting = async (): Promise<string[]> =>
      (await batches.undispatched(100)).filter((b) => b.project === project).map((b) => b.batchId);
    assert.deepEqual(await waiting(), []);
    const closed = await batches.close(project, 'b', 3, 0, 2);
    assert.deepEqual([closed.state, closed.count, closed.first, closed.last], ['closed', 3, 0, 2]);
    assert.deepEqual(await waiting(), ['b']);
    await batches.markDispatched(project, 'b');
    assert.deepEqual(await waiting(), []);
    await batches.complete(project, 'b');
    assert.equal((await batches.close(project, 'b', 9)).state, 'completed');
    await assert.rejects(batches.close(project, 'none', 0), { code: 'CHIMERA_NOT_FOUND' });
  });
});
