import assert from 'node:assert/strict';
import { ScheduleClient, type ScheduleHandle } from '@temporalio/client';
import { applyManifest } from '../../src/manifest/apply.ts';
import type { ManifestSchedule } from '../../src/manifest/manifest.ts';
import type { CycleResult } from '../../src/activities/cycle.ts';
import { randomProject, sharedPlatform, until, type TestPlatform } from '../helpers/platform.ts';
import { NEVER, notes, openScene, type Scene } from './scene.ts';

describe('a schedule of the manifest', function () {
  this.timeout(90_000);
  let platform: TestPlatform;
  const made: ScheduleHandle[] = [];
  before(async () => {
    platform = await sharedPlatform();
  });
  after(() => Promise.all(made.map((handle) => handle.delete())));

  async function schedule(scene: Scene, more: Partial<ManifestSchedule> & { input: object }): Promise<ScheduleHandle> {
    const declared: ManifestSchedule = {
      name: `cycle-${scene.project}`,
      workflow: 'evolutionCycleWorkflow',
      workflowId: `cycle/${scene.project}/notes`,
      taskQueue: platform.workflowQueue,
      every: 1000,
      overlap: 'skip',
      pauseOnFailure: true,
      enabled: true,
      note: '',
      ...more,
    } as ManifestSchedule;
    const { namespace } = platform.stack;
    const changes = await applyManifest({ ...platform.manifest, schedules: [declared] }, platform.connection, {
      namespace,
    });
    assert.deepEqual(changes.at(-1)?.action, 'created', JSON.stringify(changes.at(-1)));
    const handle = new ScheduleClient({ connection: platform.connection, namespace }).getHandle(declared.name);
    made.push(handle);
    return handle;
  }

  it('fires, and its cycle completes; while one runs, firings are skipped', async () => {
    const scene = await openScene(platform, NEVER);
    await scene.serve('data', notes(120));
    const rollout = { shadowTasks: 10, cap: 40, pollMs: 200 };
    const handle = await schedule(scene, {
      input: { ...scene.subject, population: 4, generations: 1, variants: ['words'], rollout },
    });
    await until(
      'the rollout of the first cycle',
      async () => {
        return (await platform.stores.deployments.current(scene.project, scene.taskType))?.stage === 'shadow';
      },
      60_000,
    );
    const skipped = await until('a firing to be skipped', async () => {
      const { info } = await handle.describe();
      return info.numActionsSkippedOverlap > 0 && info;
    });
    assert.equal(skipped.runningActions.length, 1);
    assert.equal((await platform.stores.cycles.list(scene.project)).length, 1);
    await scene.serve('shadow', notes(12, { from: 120 }));
    await until('the shadow to end', async () => {
      return (await platform.stores.deployments.current(scene.project, scene.taskType))?.stage !== 'shadow';
    });
    await scene.serve('canary', notes(30, { from: 132 }));
    const [record] = await until('the cycle to complete', async () => {
      const list = await platform.stores.cycles.list(scene.project);
      return list[0]?.status === 'completed' && list;
    });
    assert.match(record!.log, /promoted/);
    const { recentActions } = (await handle.describe()).info;
    const runs = recentActions.map(({ action }) => action.workflow.workflowId);
    assert.ok(runs.every((id) => id.startsWith(`cycle/${scene.project}/notes`)));
    const again = await until('a later firing', async () => {
      const later = (await handle.describe()).info.recentActions.at(-1)!;
      return later.action.workflow.workflowId !== runs[0] && later;
    });
    const idle = (await platform.temporal.workflow.getHandle(again.action.workflow.workflowId).result()) as CycleResult;
    assert.equal(idle.outcome, 'idle');
  });

  it('is paused by a failure', async () => {
    const scene = { project: randomProject() } as Scene;
    const handle = await schedule(scene, { input: { project: scene.project, taskType: 'unknown' } });
    const { state } = await until('the pause', async () => {
      const described = await handle.describe();
      return described.state.paused && described;
    });
    assert.match(state.note ?? '', /fail/i);
    const { recentActions } = (await handle.describe()).info;
    assert.equal(recentActions.length, 1, 'nothing fires any more');
  });
});
