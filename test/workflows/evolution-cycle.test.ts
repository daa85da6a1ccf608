import assert from 'node:assert/strict';
import { createCycleActivities, type CycleResult } from '../../src/activities/cycle.ts';
import { workflowId } from '../../src/contracts/names.ts';
import { attributesOf, failureOf, sharedPlatform, stateText, until, type TestPlatform } from '../helpers/platform.ts';
import { NEVER, notes, openScene, RIGHT, type Scene } from './scene.ts';

describe('evolutionCycleWorkflow', function () {
  this.timeout(90_000);
  let platform: TestPlatform;
  before(async () => {
    platform = await sharedPlatform();
  });

  const cycle = (scene: Scene, more: object = {}) =>
    platform.start(
      'evolutionCycleWorkflow',
      {
        ...scene.subject,
        population: 8,
        generations: 2,
        variants: ['words'],
        rollout: { shadowTasks: 10, cap: 60, pollMs: 200, share: 0.5 },
        ...more,
      },
      { id: workflowId.evolutionCycle(scene.project, scene.taskType) },
    );
  const stage = async (scene: Scene): Promise<string | undefined> =>
    (await platform.stores.deployments.current(scene.project, scene.taskType))?.stage;

  it('says why there is nothing to do', async () => {
    const scene = await openScene(platform, RIGHT);
    await scene.serve('few', notes(12));
    const handle = await cycle(scene);
    const result = (await handle.result()) as CycleResult;
    assert.equal(result.outcome, 'idle');
    assert.equal(result.text, 'no drift, and only 12 new examples since ordinal 0');
    assert.match(await stateText(handle), /^\*\*nothing to do: no drift, and only 12 new examples since ordinal 0\*\*/);
    assert.deepEqual(await platform.stores.cycles.list(scene.project), [], 'no cycle was begun');
    const second = (await (
      await cycle(scene, { force: true, minimumExamples: 60 })
    )
      .result()
      .catch((e: Error) => e)) as Error;
    assert.ok(second instanceof Error, 'forced, with too little to learn from');
    const [record] = await platform.stores.cycles.list(scene.project);
    assert.equal(record?.status, 'failed');
    assert.match(record.log, /12 tasks .*show the right answer, 60 are needed/);
  });

  it('is one cycle for one run, whatever came in before a decision was asked for again', async () => {
    const scene = await openScene(platform, RIGHT);
    await scene.serve('first', notes(30));
    const { decideCycle } = createCycleActivities(platform);
    const ask = (run: string) =>
      decideCycle({ ...scene.subject, seed: 's', force: true, minimumExamples: 20, startedBy: 'somebody', run });
    const first = await ask('run-1');
    await scene.serve('second', notes(10, { from: 30 }));
    assert.deepEqual(await ask('run-1'), first);
    assert.equal((await platform.stores.cycles.list(scene.project)).length, 1);
    const next = await ask('run-2');
    assert.equal(next.uptoOrdinal, 40);
    assert.notEqual(next.id, first.id);
  });

  it('curates, trains, evolves, judges, proves the challenger on live traffic, and reports', async () => {
    const scene = await openScene(platform, NEVER);
    await scene.serve('data', notes(160));
    const handle = await cycle(scene);
    await until('the rollout', async () => (await stage(scene)) === 'shadow', 60_000);
    assert.match(await stateText(handle), /^\*\*proving the challenger on live traffic\*\*/);
    assert.equal((await attributesOf(handle))['ChimeraPhase'], 'rollout');
    await scene.serve('shadow', notes(15, { from: 160 }));
    await until('the shadow to end', async () => (await stage(scene)) !== 'shadow');
    if ((await stage(scene)) === 'canary') await scene.serve('canary', notes(50, { from: 175 }));
    const result = (await handle.result()) as CycleResult;
    assert.equal(result.outcome, 'promoted', result.text);
    const told = await stateText(handle);
    for (const line of [
      /new data: 160 examples since ordinal 0/,
      /dataset version 1 \([0-9a-f]{8}\): /,
      /model words: balanced accuracy/,
      /\d+ generations, \d+ evaluations, \d+ finalists/,
      /[0-9a-f]{8} passes the gate: gain/,
      /promoted: the challenger is shown better/,
    ]) {
      assert.match(told, line);
    }
    const html = new TextDecoder().decode(await platform.stores.artifacts.get(result.report!));
    assert.match(html, /<svg/);
    const record = await platform.stores.cycles.get(scene.project, result.cycle);
    assert.equal(record?.status, 'completed');
    assert.equal(record.report?.sha256, result.report!.sha256);
    const { champion } = (await platform.stores.deployments.current(scene.project, scene.taskType))!;
    assert.equal(champion, result.champion);
    const children = platform.temporal.workflow.list({
      query: `ChimeraProject = "${scene.project}" AND WorkflowId STARTS_WITH "rollout/"`,
    });
    for await (const child of children) assert.equal(child.type, 'rolloutWorkflow');

    const next = (await (await cycle(scene)).result()) as CycleResult;
    assert.equal(next.outcome, 'idle', 'what it learned from is used up');
  });

  it('closes its record and rolls back when it is cancelled', async () => {
    const scene = await openScene(platform, NEVER);
    const before = await platform.stores.deployments.current(scene.project, scene.taskType);
    await scene.serve('data', notes(120));
    const handle = await cycle(scene);
    await until('the rollout', async () => (await stage(scene)) === 'shadow', 60_000);
    await handle.cancel();
    await assert.rejects(handle.result());
    assert.equal((await handle.describe()).status.name, 'CANCELLED');
    const [record] = await platform.stores.cycles.list(scene.project);
    assert.equal(record?.status, 'cancelled');
    await until('the roll-back', async () => (await stage(scene)) === 'full');
    const after = await platform.stores.deployments.current(scene.project, scene.taskType);
    assert.equal(after?.champion, before?.champion);
  });

  it('fails with the reason of the child that failed, and its record says so', async () => {
    const scene = await openScene(platform, NEVER);
    await scene.serve('data', notes(120));
    const handle = await cycle(scene, { deviceClass: 'abacus' });
    const failure = await failureOf(handle);
    assert.equal(failure.code, 'CHIMERA_NO_DEVICE');
    const [record] = await platform.stores.cycles.list(scene.project);
    assert.equal(record?.status, 'failed');
    assert.match(record.log, /no device class abacus is declared/);
  });
});
