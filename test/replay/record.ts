import { mkdirSync, rmSync } from 'node:fs';
import { relative } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import type { DatasetSummary } from '../../src/activities/curation.ts';
import { UPDATES } from '../../src/contracts/messages.ts';
import { workflowId } from '../../src/contracts/names.ts';
import type { JsonValue } from '../../src/contracts/records.ts';
import type { TrainingView } from '../../src/workflows/training.ts';
import { testAgent } from '../helpers/agents.ts';
import { tinyModel, type TinyModel } from '../helpers/base-models.ts';
import { mochaHooks } from '../helpers/hooks.ts';
import { IDLE_CLASS, openPlatform, stateText, until, type TestPlatform } from '../helpers/platform.ts';
import { NEVER, notes, openScene, RIGHT, type Scene } from '../workflows/scene.ts';
import { effect, SCRIPTS } from '../workflows/scripts.ts';
import { HISTORIES, recordHistory } from './histories.ts';

const PARTS = { tasks, executions, sources, cycle, learning, cancelled };

/**
 * Runs every workflow type on a platform of its own and writes what happened: `node test/replay/record.ts [PART...]`. With parts
 * named, the histories of the others stay.
 */
async function main(names: readonly string[]): Promise<void> {
  const tiny = await tinyModel('encoder');
  const platform = await openPlatform({ queuePrefix: 'replay-', modelsManifest: tiny.manifest });
  await platform.work();
  if (names.length === 0) rmSync(HISTORIES, { recursive: true, force: true });
  mkdirSync(HISTORIES, { recursive: true });
  for (const [name, record] of Object.entries(PARTS)) {
    if (names.length === 0 || names.includes(name)) await record(platform, tiny);
  }
}

async function finished(name: string, handle: WorkflowHandle): Promise<void> {
  await handle.result().catch(() => undefined);
  await recordHistory(name, handle);
}

async function tasks(platform: TestPlatform): Promise<void> {
  const scene = await openScene(platform, RIGHT, { project: 'tasks' });
  const { project } = scene;
  const [task] = await scene.admit([{ text: 'buy' }]);
  await finished('taskWorkflow', await platform.start('taskWorkflow', { project, taskId: task!.taskId }));
  await finished(
    'taskWorkflow.from-ui',
    await platform.start('taskWorkflow', { ...scene.subject, payload: { text: 'buy' } }),
  );
  await finished('taskWorkflow.refused', await platform.start('taskWorkflow', { project: 'NO', surplus: 1 }));
  const broken = await openScene(platform, new TextEncoder().encode('not a module'), { project: 'broken' });
  const [dead] = await broken.admit([{ text: 'buy' }]);
  const input = { project: broken.project, taskId: dead!.taskId };
  await finished('taskWorkflow.dead-letter', await platform.start('taskWorkflow', input));

  await scene.admit(
    notes(12).map(({ payload }) => payload),
    { batch: 'batch' },
  );
  const batch = { project, batchId: scene.batchId('batch'), shardSize: 4, window: 2 };
  await finished('taskBatchWorkflow', await platform.start('taskBatchWorkflow', batch));
}

/** Executions that go turn by turn: paused, asked, answered, forked, handed over to the next run, cancelled. */
async function executions(platform: TestPlatform): Promise<void> {
  const scene = await openScene(platform, await testAgent('scripted'), {
    project: 'executions',
    type: SCRIPTS,
    manifest: { capabilities: ['tool', 'ask-human', 'sleep'], tools: ['counting'] },
  });
  const { project } = scene;
  const count = effect('tool', { tool: 'counting', input: {} });
  const question = effect('ask-human', { question: 'Go on?' });
  const start = async (name: string, script: JsonValue): Promise<{ task: WorkflowHandle; id: string }> => {
    const [row] = await scene.admit([{ script }], { prefix: name });
    const task = await platform.start('taskWorkflow', { project, taskId: row!.taskId });
    return { task, id: row!.taskId };
  };
  const asked = async (id: string): Promise<WorkflowHandle> => {
    const execution = platform.temporal.workflow.getHandle(workflowId.execution(project, id));
    await until('the question', async () => (await stateText(execution).catch(() => '')).includes('Go on?'));
    return execution;
  };
  const first = await start('first', [[count], [question, effect('sleep', { ms: 50 })], [count]]);
  const execution = await asked(first.id);
  await execution.executeUpdate(UPDATES.pause, { args: [{ by: 'ada' }] });
  await execution.executeUpdate(UPDATES.resume, { args: [{ by: 'ada' }] });
  await execution.executeUpdate(UPDATES.answer, { args: [{ answer: 'yes', by: 'ada' }] });
  await finished('taskWorkflow.in-turns', first.task);
  await recordHistory('executionWorkflow', execution);

  const fork = { project, fork: { execution: first.id, turn: 3 }, turnsAtATime: 1 };
  await finished('executionWorkflow.fork', await platform.start('executionWorkflow', fork));

  const second = await start('second', [[question]]);
  const ended = await asked(second.id);
  await ended.executeUpdate(UPDATES.cancel, { args: [{ by: 'ada' }] });
  await finished('executionWorkflow.cancelled', ended);
}

async function sources(platform: TestPlatform): Promise<void> {
  const scene = await openScene(platform, RIGHT, { project: 'sources' });
  // Relative: histories name no machine's paths. Recorded from the root of the project.
  const path = relative(process.cwd(), `${import.meta.dirname}/notes`);
  const source = { kind: 'directory', path };
  await finished('discoveryWorkflow', await platform.start('discoveryWorkflow', { ...scene.subject, source }));
}

async function cycle(platform: TestPlatform): Promise<void> {
  const scene = await openScene(platform, NEVER, { project: 'cycle' });
  const monitor = await platform.start('streamMonitorWorkflow', { ...scene.subject, pollMs: 500, startCycles: true });
  await scene.serve('data', notes(120));
  const { project, taskType } = scene;
  const input = {
    ...scene.subject,
    population: 4,
    generations: 2,
    variants: ['words'],
    rollout: { shadowTasks: 10, cap: 40, pollMs: 300, share: 0.5 },
  };
  const handle = await platform.start('evolutionCycleWorkflow', input, {
    id: workflowId.evolutionCycle(project, taskType),
  });
  await served(scene, 120);
  const { cycle: id } = (await handle.result()) as { cycle: string };
  await recordHistory('evolutionCycleWorkflow', handle);
  for (const step of ['curation', 'training', 'evolution', 'evaluation', 'rollout']) {
    const child = platform.temporal.workflow.getHandle(workflowId.child(step, project, taskType, id));
    await recordHistory(`${step}Workflow`, child);
  }
  const idle = await platform.start('evolutionCycleWorkflow', input);
  await finished('evolutionCycleWorkflow.idle', idle);
  await recordHistory('streamMonitorWorkflow', monitor);
  await monitor.terminate();
  const broker = platform.temporal.workflow.getHandle(platform.queuePrefix + workflowId.leaseBroker());
  await recordHistory('leaseBrokerWorkflow', broker);
}

/** Traffic for a rollout, in the shadow and in the canary. */
async function served(scene: Scene, from: number): Promise<void> {
  const stage = async (): Promise<string | undefined> =>
    (await scene.platform.stores.deployments.current(scene.project, scene.taskType))?.stage;
  await until('the shadow', async () => (await stage()) === 'shadow', 60_000);
  await scene.serve('shadow', notes(12, { from }));
  await until('its end', async () => (await stage()) !== 'shadow');
  if ((await stage()) === 'canary') await scene.serve('canary', notes(30, { from: from + 12 }));
}

/** Adapters: a training that was paused, and a sweep with its children. */
async function learning(platform: TestPlatform, tiny: TinyModel): Promise<void> {
  const scene = await openScene(platform, NEVER, { project: 'learning' });
  await scene.serve('data', notes(120));
  await tiny.register(platform.stores, scene.project);
  const dataset = await platform.execute<DatasetSummary>('curationWorkflow', scene.subject);
  const data = { ...scene.subject, datasetId: dataset.id };
  const adapter = {
    ...{ kind: 'adapter', name: 'tiny-lora', base: tiny.name, task: 'classification', targets: ['query', 'value'] },
    ...{ learningRate: 0.02, steps: 500, batch: 8, maxTokens: 32, evaluateEvery: 100 },
  };
  const training = await platform.start('trainingWorkflow', { ...data, adapters: [adapter], variants: ['tiny-lora'] });
  await until('some steps', async () => {
    const { curves } = await training.query<TrainingView>('progress');
    return (curves['tiny-lora']?.length ?? 0) > 1;
  });
  await training.executeUpdate(UPDATES.pause, { args: [{ by: 'ada' }] });
  await training.executeUpdate(UPDATES.resume, { args: [{}] });
  await finished('trainingWorkflow.paused', training);

  const sweep = { ...data, adapter: { ...adapter, name: 'swept', steps: 8 }, learningRates: [0.02, 0.01, 0.001] };
  const swept = await platform.start('sweepWorkflow', sweep);
  await finished('sweepWorkflow', swept);
  const child = platform.temporal.workflow.getHandle(`${swept.workflowId}/swept-1/2`);
  await recordHistory('trainingWorkflow.left', child);
}

async function cancelled(platform: TestPlatform): Promise<void> {
  const scene = await openScene(platform, NEVER, { project: 'cancelled' });
  await scene.serve('data', notes(120));
  const dataset = await platform.execute<DatasetSummary>('curationWorkflow', scene.subject);
  const data = { ...scene.subject, datasetId: dataset.id };

  const training = await platform.start('trainingWorkflow', { ...data, deviceClass: IDLE_CLASS });
  await until('the state text', async () => (await stateText(training)).includes('no worker polls'));
  await training.cancel();
  await finished('trainingWorkflow.no-worker', training);

  const evolution = await platform.start('evolutionWorkflow', {
    ...data,
    modelIds: [],
    generations: 500,
    plateau: 500,
  });
  await until('a generation', async () => (await stateText(evolution)).includes('generation 0:'));
  await evolution.cancel();
  await finished('evolutionWorkflow.cancelled', evolution);

  const challenger = await scene.publish(RIGHT);
  const rollout = await platform.start('rolloutWorkflow', { ...scene.subject, challenger, pollMs: 300 });
  await until('the shadow', async () => {
    return (await platform.stores.deployments.current(scene.project, scene.taskType))?.stage === 'shadow';
  });
  await rollout.cancel();
  await finished('rolloutWorkflow.cancelled', rollout);
}

try {
  await main(process.argv.slice(2));
} finally {
  await mochaHooks.afterAll();
}
