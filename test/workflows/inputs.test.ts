import assert from 'node:assert/strict';
import * as workflows from '../../src/contracts/names.ts';
import type { WorkflowType } from '../../src/contracts/names.ts';
import { failureOf, sharedPlatform, type TestPlatform } from '../helpers/platform.ts';
import { NOTES, openScene } from './scene.ts';

/** For each type an input with two things wrong, and what the answer must name. */
const BAD: Record<WorkflowType, { input: object; named: string[] }> = {
  taskWorkflow: { input: { project: 'NO', surplus: 1 }, named: ['/project', 'surplus'] },
  taskBatchWorkflow: { input: { shardSize: 0 }, named: ['/batchId', '/shardSize'] },
  executionWorkflow: { input: { fork: { execution: '', turn: -1 } }, named: ['/fork/execution', '/fork/turn'] },
  discoveryWorkflow: {
    input: { taskType: '', source: { kind: 'tape', path: '/x' } },
    named: ['/taskType', '/source/kind'],
  },
  streamMonitorWorkflow: { input: { pollMs: -1 }, named: ['/taskType', '/pollMs'] },
  curationWorkflow: { input: { minimumExamples: 1 }, named: ['/taskType', '/minimumExamples'] },
  trainingWorkflow: { input: { taskType: 'notes', leaseMs: 'long' }, named: ['/datasetId', '/leaseMs'] },
  sweepWorkflow: {
    input: { taskType: 'notes', datasetId: 'd', adapter: { kind: 'adapter' }, learningRates: [2] },
    named: ['/adapter/base', '/learningRates/0'],
  },
  evolutionWorkflow: {
    input: { taskType: 'notes', datasetId: 'd', modelIds: [], population: 1, shards: 0 },
    named: ['/population', '/shards'],
  },
  evaluationWorkflow: {
    input: { taskType: 'notes', datasetId: 'd', split: 'best', agentVersions: [] },
    named: ['/split', '/agentVersions'],
  },
  rolloutWorkflow: { input: { taskType: 'notes', alpha: 2 }, named: ['/challenger', '/alpha'] },
  evolutionCycleWorkflow: {
    input: { generations: 0, rollout: { share: 7 } },
    named: ['/taskType', '/generations', '/rollout/share'],
  },
  leaseBrokerWorkflow: { input: { classes: { cpu: -1 }, surplus: 1 }, named: ['/classes/cpu', 'surplus'] },
};

describe('the input of every workflow type', () => {
  let platform: TestPlatform;
  before(async () => {
    platform = await sharedPlatform();
  });

  it('is known here for each of them', () => {
    assert.deepEqual(Object.keys(BAD).sort(), Object.values(workflows.WORKFLOWS).sort());
  });

  for (const [type, { input, named }] of Object.entries(BAD)) {
    it(`of ${type} fails at once where it is bad, naming every problem`, async () => {
      const handle = await platform.start(type as WorkflowType, input);
      const { code, message } = await failureOf(handle);
      assert.equal(code, 'CHIMERA_INVALID_INPUT');
      assert.match(message, new RegExp(`the input of ${type} is not valid`));
      for (const problem of named) assert.ok(message.includes(problem), `${problem} in ${message}`);
      const { events } = await handle.fetchHistory();
      const kinds = events?.map((event) => event.activityTaskScheduledEventAttributes?.activityType?.name ?? '');
      assert.deepEqual(kinds?.filter(Boolean), [], 'nothing was begun');
      assert.equal(events?.[0]?.workflowExecutionStartedEventAttributes?.attempt, 1);
    });
  }

  it('names the known task types where one is unknown, in the first activity, not retried', async () => {
    const { project } = await openScene(platform);
    for (const [type, rest] of [
      ['taskWorkflow', { payload: { text: 'a' } }],
      ['discoveryWorkflow', { source: { kind: 'directory', path: '/tmp' } }],
      ['curationWorkflow', {}],
      ['evolutionCycleWorkflow', {}],
    ] as const) {
      const handle = await platform.start(type, { project, taskType: 'mail-traige', ...rest });
      const { code, message, details } = await failureOf(handle);
      assert.equal(code, 'CHIMERA_UNKNOWN_TASK_TYPE', type);
      assert.match(message, /unknown task type mail-traige/);
      assert.match(message, new RegExp(`known task types: ${NOTES.name}$`, 'm'), type);
      assert.match((details as { action: string }).action, /one of the known task types/);
      const { events } = await handle.fetchHistory();
      const attempts = events?.flatMap((event) => event.activityTaskStartedEventAttributes?.attempt ?? []);
      assert.deepEqual(attempts, [1], type);
    }
  });
});
