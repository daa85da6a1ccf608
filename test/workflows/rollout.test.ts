import assert from 'node:assert/strict';
import type { RolloutResult } from '../../src/activities/rollout.ts';
import {
  attributesOf,
  failureOf,
  fatten,
  sharedPlatform,
  stateText,
  until,
  type TestPlatform,
} from '../helpers/platform.ts';
import { NEVER, notes, openScene, RIGHT, type Scene } from './scene.ts';

describe('rolloutWorkflow', function () {
  this.timeout(90_000);
  let platform: TestPlatform;
  before(async () => {
    platform = await sharedPlatform();
  });

  const rollout = (scene: Scene, challenger: string, more: object = {}) =>
    platform.start('rolloutWorkflow', {
      ...scene.subject,
      challenger,
      shadowTasks: 20,
      share: 0.5,
      cap: 60,
      pollMs: 200,
      ...more,
    });
  const stage = async (scene: Scene): Promise<string | undefined> =>
    (await platform.stores.deployments.current(scene.project, scene.taskType))?.stage;
  const auditTypes = async (scene: Scene): Promise<string[]> => {
    await platform.stores.audit.seal(scene.project);
    return (await platform.stores.audit.list(scene.project)).map(({ type }) => type);
  };

  it('promotes a challenger that is shown better on paired runs, through shadow and canary', async () => {
    const scene = await openScene(platform, NEVER);
    const champion = (await platform.stores.deployments.current(scene.project, scene.taskType))!.champion;
    const challenger = await scene.publish(RIGHT);
    const handle = await rollout(scene, challenger);
    await until('the shadow', async () => (await stage(scene)) === 'shadow');
    const shadow = await scene.serve('shadow', notes(20));
    assert.ok(shadow.every(({ routing }) => routing.served === champion && routing.shadow === challenger));
    await until('the canary', async () => (await stage(scene)) !== 'shadow');
    if ((await stage(scene)) === 'canary') {
      const canary = await scene.serve('canary', notes(40, { from: 20 }));
      assert.ok(canary.some(({ routing }) => routing.served === challenger && routing.shadow === champion));
    }
    const result = (await handle.result()) as RolloutResult;
    assert.equal(result.promoted, true, result.text);
    assert.match(result.text, /^promoted: the challenger is shown better/);
    const deployment = await platform.stores.deployments.current(scene.project, scene.taskType);
    assert.deepEqual([deployment?.champion, deployment?.stage], [challenger, 'full']);
    const told = await stateText(handle);
    assert.match(told, /^\*\*promoted: the challenger is shown better \(at ordinal \d+\)\. \d+ of at most 60 paired/);
    assert.match(told, /rollout from ordinal 0: every task is run by both/);
    assert.equal((await attributesOf(handle))['ChimeraPhase'], 'done');
    const types = await auditTypes(scene);
    for (const type of ['rollout.started', 'rollout.shadow', 'rollout.promoted', 'rollout.decided']) {
      assert.equal(types.filter((other) => other === type).length, 1, `${type} in ${types.join(' ')}`);
    }
    await platform.stores.audit.verify(scene.project);
  });

  it('rolls back at the cap what is not shown better, on in a new run on the way', async () => {
    const scene = await openScene(platform, RIGHT);
    const champion = (await platform.stores.deployments.current(scene.project, scene.taskType))!.champion;
    const same = {
      ...RIGHT,
      rules: [{ ...RIGHT.rules[0]!, when: [{ feature: 0, op: '>' as const, threshold: 0.6 }] }],
    };
    const handle = await rollout(scene, await scene.publish(same));
    await until('the shadow', async () => (await stage(scene)) === 'shadow');
    await fatten(handle);
    await scene.serve('first', notes(20));
    await until('the canary', async () => (await stage(scene)) === 'canary');
    await scene.serve('second', notes(45, { from: 20 }));
    const result = (await handle.result()) as RolloutResult;
    assert.equal(result.promoted, false);
    assert.match(result.text, /^rolled back: not shown better/);
    const first = platform.temporal.workflow.getHandle(handle.workflowId, handle.firstExecutionRunId);
    assert.equal((await first.describe()).status.name, 'CONTINUED_AS_NEW');
    const deployment = await platform.stores.deployments.current(scene.project, scene.taskType);
    assert.deepEqual([deployment?.champion, deployment?.stage], [champion, 'full']);
    assert.equal((await platform.stores.rollouts.list(scene.project)).length, 1, 'one rollout in both runs');
  });

  it('rolls back a challenger that is shown worse before the canary', async () => {
    const scene = await openScene(platform, RIGHT);
    const handle = await rollout(scene, await scene.publish(NEVER), { shadowTasks: 50 });
    await until('the shadow', async () => (await stage(scene)) === 'shadow');
    await scene.serve('harm', notes(40));
    const result = (await handle.result()) as RolloutResult;
    assert.match(result.text, /^rolled back: the challenger is shown worse/);
    assert.equal(await stage(scene), 'full');
    assert.ok(!(await auditTypes(scene)).includes('rollout.canary'), 'no user saw it');
  });

  it('rolls back when it is cancelled, and the next one can begin', async () => {
    const scene = await openScene(platform, NEVER);
    const champion = (await platform.stores.deployments.current(scene.project, scene.taskType))!.champion;
    const challenger = await scene.publish(RIGHT);
    const handle = await rollout(scene, challenger);
    await until('the shadow', async () => (await stage(scene)) === 'shadow');
    const second = await failureOf(await rollout(scene, challenger));
    assert.equal(second.code, 'CHIMERA_CONFLICT');
    assert.match(second.message, /a rollout for notes that is still running/);
    assert.equal(await stage(scene), 'shadow', 'the second one touches nothing');
    await handle.cancel();
    await assert.rejects(handle.result(), (error: Error) => error.cause?.constructor.name === 'CancelledFailure');
    const deployment = await platform.stores.deployments.current(scene.project, scene.taskType);
    assert.deepEqual([deployment?.champion, deployment?.stage], [champion, 'full']);
    const [record] = await platform.stores.rollouts.list(scene.project);
    assert.equal(record?.state, 'aborted');
    const next = await rollout(scene, challenger);
    await until('the next shadow', async () => (await stage(scene)) === 'shadow');
    await next.cancel();
    await assert.rejects(next.result());
  });

  it('fails at once for a challenger that there is not, and deploys nothing', async () => {
    const scene = await openScene(platform, RIGHT);
    const failure = await failureOf(await rollout(scene, 'nobody'));
    assert.equal(failure.code, 'CHIMERA_NOT_FOUND');
    assert.equal((await platform.stores.deployments.history(scene.project, scene.taskType)).length, 1);
  });
});
