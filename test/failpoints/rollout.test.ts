import assert from 'node:assert/strict';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import type { ActivityDeps } from '../../src/activities/deps.ts';
import { createRolloutActivities } from '../../src/activities/rollout.ts';
import { DEFAULT_PROJECT as PROJECT } from '../../src/contracts/names.ts';
import { rolloutInput } from '../../src/contracts/inputs.ts';
import { routingOf } from '../../src/core/rollout/routing.ts';
import { openArtifacts } from '../../src/stores/artifacts/open.ts';
import { createStores, type Stores, type TaskTypeDocument } from '../../src/stores/index.ts';
import { testStack } from '../helpers/stack.ts';
import { words } from './words.ts';

const TYPE = words.taskType.name;
const CHAMPION = 'a'.repeat(64);
const CHALLENGER = 'b'.repeat(64);

/** Steps of a rollout that die between a commit and its acknowledgement while traffic goes on. */
describe('failpoints: a rollout under live traffic', function () {
  this.timeout(60_000);
  let stores: Stores;
  let drop: () => Promise<void>;
  const activities = () => createRolloutActivities({ stores } as ActivityDeps);
  const inActivity = <R>(work: () => Promise<R>): Promise<R> =>
    new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run(work) as Promise<R>;

  before(async () => {
    const stack = await testStack();
    const database = await stack.createDatabase();
    stores = createStores({ databaseUrl: database.url, artifacts: openArtifacts(stack.stack.artifacts) });
    drop = () => stores.close().then(() => database.drop());
    await stores.migrate();
    await stores.projects.ensure(PROJECT);
    await stores.taskTypes.put(PROJECT, words.taskType as unknown as TaskTypeDocument);
    const module = await stores.artifacts.put(Buffer.from('a module'));
    for (const id of [CHAMPION, CHALLENGER])
      await stores.agents.putVersion(PROJECT, {
        id,
        agent: 'words',
        module,
        manifest: { abi: 'chimera:agent@1', description: id, capabilities: [], models: {}, limits: {}, engine: 'any' },
        parents: [],
      });
    const audit = { type: 'deployment.initial', actor: 'test', subject: TYPE, details: {} };
    await stores.deployments.initial(PROJECT, TYPE, CHAMPION, audit);
  });
  afterEach(() => {
    globalThis.__chimeraFailpoint = undefined;
  });
  after(() => drop());

  /** Tasks, run by both and judged; `wins` tells where the challenger is right and the champion is not. */
  async function serve(name: string, count: number, wins: (index: number) => boolean): Promise<void> {
    const accepted = await stores.tasks.acceptMany(
      PROJECT,
      TYPE,
      Array.from({ length: count }, (_, i) => ({ key: `${name}-${i}`, payload: { text: `text ${i}`, size: i } })),
      { route: routingOf },
    );
    const rows = accepted.flatMap(({ task }, index) =>
      (['served', 'shadow'] as const).map((role) => {
        const agentVersion = task.routing[role]!;
        const right = (agentVersion === CHALLENGER) === wins(index);
        const { taskId, ordinal } = task;
        const output = { label: right ? 'urgent' : 'routine' };
        const spent = { fuel: 1, modelCalls: 0, memoryBytes: 0, turns: 1, features: [0, 0, 0] };
        const recordHash = `${ordinal}/${role}`;
        return { taskId, ordinal, agentVersion, role, status: 'completed' as const, output, ...spent, recordHash };
      }),
    );
    await stores.executions.putMany(PROJECT, TYPE, rows);
    await stores.feedback.addMany(
      PROJECT,
      accepted.map(({ task }) => ({
        taskId: task.taskId,
        feedback: { kind: 'demonstration' as const, value: { label: 'urgent' } },
      })),
    );
  }

  const dieAt = (failpoint: string): void => {
    globalThis.__chimeraFailpoint = (name) => {
      if (name !== failpoint) return;
      globalThis.__chimeraFailpoint = undefined;
      throw new Error(`died at ${failpoint}`);
    };
  };

  it('finds the canary that a dead step deployed, and decides on what came meanwhile', async () => {
    const { startRollout, advanceRollout, finishRollout } = activities();
    const input = rolloutInput.parse({ taskType: TYPE, challenger: CHALLENGER, shadowTasks: 20 });
    const { id } = await inActivity(() => startRollout({ ...input, purpose: 'test' }));
    const advance = () => inActivity(() => advanceRollout({ project: PROJECT, rollout: id, waitMs: 1000 }));
    await serve('even', 30, (index) => index % 2 === 0);
    dieAt('deployment.promoted');
    await assert.rejects(advance(), /died at deployment.promoted/);
    assert.equal((await stores.deployments.current(PROJECT, TYPE))?.stage, 'canary');
    assert.equal((await stores.rollouts.get(PROJECT, id))?.state, 'shadow');
    await serve('better', 60, () => true);
    assert.equal((await advance()).decided, true);

    dieAt('rollout.decided');
    const finish = () => inActivity(() => finishRollout({ project: PROJECT, rollout: id }));
    await assert.rejects(finish(), /died at rollout.decided/);
    const result = await finish();
    assert.equal(result.promoted, true);
    assert.deepEqual(await finish(), result);

    const history = await stores.deployments.history(PROJECT, TYPE);
    assert.deepEqual(
      history.map(({ stage, champion, fromOrdinal }) => [stage, champion, fromOrdinal]),
      [
        ['full', CHAMPION, 0],
        ['shadow', CHAMPION, 0],
        ['canary', CHAMPION, 30],
        ['full', CHALLENGER, 90],
      ],
    );
    const { document, state } = (await stores.rollouts.get(PROJECT, id))!;
    assert.equal(state, 'promoted');
    assert.deepEqual(document['history'], [
      { stage: 'shadow', fromOrdinal: 0 },
      { stage: 'canary', fromOrdinal: 30 },
      { stage: 'full', fromOrdinal: 90 },
    ]);
    await stores.audit.seal(PROJECT);
    const decided = await stores.audit.list(PROJECT, { type: 'rollout.decided' });
    assert.equal(decided.length, 1);
  });

  it('gives up a rollout whose step died after it deployed the canary', async () => {
    const { startRollout, advanceRollout, abortRollout } = activities();
    const input = rolloutInput.parse({ taskType: TYPE, challenger: CHAMPION, shadowTasks: 20 });
    const { id } = await inActivity(() => startRollout({ ...input, purpose: 'given up' }));
    await serve('again', 30, (index) => index % 2 === 0);
    dieAt('deployment.promoted');
    const advance = inActivity(() => advanceRollout({ project: PROJECT, rollout: id, waitMs: 1000 }));
    await assert.rejects(advance, /died at deployment.promoted/);
    await inActivity(() => abortRollout({ project: PROJECT, rollout: id, reason: 'cancelled' }));
    const deployment = await stores.deployments.current(PROJECT, TYPE);
    assert.deepEqual([deployment?.stage, deployment?.champion], ['full', CHALLENGER]);
    assert.equal((await stores.rollouts.get(PROJECT, id))?.state, 'aborted');
  });
});
