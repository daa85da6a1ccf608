import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { Client, WorkflowHandle, WorkflowStartOptions } from '@temporalio/client';
import {
  defineSearchAttributeKey,
  SearchAttributeType,
  TypedSearchAttributes,
  type SearchAttributePair,
} from '@temporalio/common';
import { createHash } from 'node:crypto';
import { ChimeraError, isChimeraError } from '../contracts/errors.ts';
import type { EvolutionCycleInput, RolloutInput } from '../contracts/inputs.ts';
import {
  prefixed,
  SEARCH_ATTRIBUTES,
  TASK_QUEUES,
  workflowId,
  WORKFLOWS,
  type WorkflowType,
} from '../contracts/names.ts';

/** What a task workflow is started from. */
export interface StartableTask {
  readonly project: string;
  readonly taskId: string;
  readonly taskType: string;
  readonly key: string;
  readonly ordinal: number;
  readonly priority: number;
}

export interface StartableBatch {
  readonly project: string;
  readonly batchId: string;
  readonly taskType: string;
  readonly count: number;
}

export interface StartableExecution {
  readonly project: string;
  readonly executionId: string;
  readonly taskType: string;
  readonly parent: string;
}

export interface StarterOptions {
  readonly temporal: Client;
  /** In front of every task queue name. */
  readonly queuePrefix?: string;
  /** How long Temporal may take to answer a start, in ms. */
  readonly deadlineMs?: number;
}

/** Starts the workflows that accepted work asks for. Starting the same work again finds the run that there is. */
export interface Starter {
  /** @throws {ChimeraError} CHIMERA_TEMPORAL_UNAVAILABLE */
  task(task: StartableTask): Promise<WorkflowHandle>;
  batch(batch: StartableBatch): Promise<WorkflowHandle>;
  cycle(input: EvolutionCycleInput): Promise<WorkflowHandle & { readonly firstExecutionRunId: string }>;
  /** A rollout of a challenger under the deployment of an epoch: the same one while that lasts. */
  rollout(input: RolloutInput, epoch: number): Promise<WorkflowHandle>;
  /** An execution that was opened and that no task runs: a fork. */
  execution(fork: StartableExecution): Promise<WorkflowHandle>;
  /** The monitor of a stream. */
  monitor(stream: { readonly project: string; readonly taskType: string }): Promise<WorkflowHandle>;
}

const project = defineSearchAttributeKey(SEARCH_ATTRIBUTES.project, SearchAttributeType.KEYWORD);
const taskType = defineSearchAttributeKey(SEARCH_ATTRIBUTES.taskType, SearchAttributeType.KEYWORD);
const layer = defineSearchAttributeKey(SEARCH_ATTRIBUTES.layer, SearchAttributeType.KEYWORD);

const CYCLE_DETAILS = [
  'One turn of the loop: curate, train, evolve, judge, prove the challenger on live traffic, promote it or not.',
  '',
  '- `taskType` is all that the input needs',
  '- `force: true` acts without a drift or new data',
  '- `seed` another search over the same data',
  '- cancelling it rolls a running rollout back',
].join('\n');

/** Workflow ID of a task: a pure function of its project and idempotency key. */
export function taskWorkflowId(task: { readonly project: string; readonly key: string }): string {
  const digest = createHash('sha256').update(task.key, 'utf8').digest('hex');
  return workflowId.task(task.project, digest.slice(0, 32));
}

export function createStarter({ temporal, queuePrefix = '', deadlineMs = 5_000 }: StarterOptions): Starter {
  const taskQueue = prefixed(queuePrefix, TASK_QUEUES.workflows);

  async function start(
    type: WorkflowType,
    input: { project: string; taskType: string },
    options: Pick<WorkflowStartOptions, 'workflowId' | 'staticSummary' | 'staticDetails' | 'priority' | 'args'> & {
      layer: string;
    },
  ): Promise<WorkflowHandle & { readonly firstExecutionRunId: string }> {
    const { layer: layerName, ...rest } = options;
    const attributes: SearchAttributePair[] = [
      { key: project, value: input.project },
      { key: taskType, value: input.taskType },
      { key: layer, value: layerName },
    ];
    try {
      return await temporal.withDeadline(Date.now() + deadlineMs, () =>
        temporal.workflow.start(type, {
          taskQueue,
          typedSearchAttributes: new TypedSearchAttributes(attributes),
          // A second start while the first runs finds it. After it is closed the work is done again, for a re-driven
          // dead letter; a task that was resolved meanwhile makes that run end at once.
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
          ...rest,
        } as WorkflowStartOptions),
      );
    } catch (error) {
      throw temporalError(error);
    }
  }

  return {
    task: (task) =>
      start(WORKFLOWS.task, task, {
        layer: 'distribution',
        workflowId: taskWorkflowId(task),
        args: [{ project: task.project, taskId: task.taskId }],
        staticSummary: `${task.taskType} task ${task.ordinal}`,
        priority: { priorityKey: task.priority, fairnessKey: task.project },
      }),
    batch: (batch) =>
      start(WORKFLOWS.taskBatch, batch, {
        layer: 'distribution',
        workflowId: workflowId.taskBatch(batch.project, batch.batchId),
        args: [{ project: batch.project, batchId: batch.batchId }],
        staticSummary: `${batch.taskType} batch of ${batch.count}`,
        // Bulk work waits behind single tasks.
        priority: { priorityKey: 4, fairnessKey: batch.project },
      }),
    cycle: (input) =>
      start(WORKFLOWS.evolutionCycle, input, {
        layer: 'evolution',
        workflowId: workflowId.evolutionCycle(input.project, input.taskType),
        args: [input],
        staticSummary: `evolution cycle of ${input.taskType}`,
        // The start form of the Temporal UI copies this from the last run.
        staticDetails: CYCLE_DETAILS,
        priority: { priorityKey: 3, fairnessKey: input.project },
      }),
    rollout: (input, epoch) =>
      start(WORKFLOWS.rollout, input, {
        layer: 'evolution',
        workflowId: workflowId.child('rollout', input.project, input.taskType, `${input.challenger}-${epoch}`),
        args: [input],
        staticSummary: `rollout of ${input.challenger.slice(0, 12)} for ${input.taskType}`,
        priority: { priorityKey: 3, fairnessKey: input.project },
      }),
    execution: (fork) =>
      start(WORKFLOWS.execution, fork, {
        layer: 'execution',
        workflowId: workflowId.execution(fork.project, fork.executionId),
        args: [{ project: fork.project, executionId: fork.executionId }],
        staticSummary: `${fork.taskType}, fork of ${fork.parent}`,
        priority: { priorityKey: 3, fairnessKey: fork.project },
      }),
    monitor: (stream) =>
      start(WORKFLOWS.streamMonitor, stream, {
        layer: 'kpi',
        workflowId: workflowId.streamMonitor(stream.project, stream.taskType),
        args: [{ project: stream.project, taskType: stream.taskType }],
        staticSummary: `watches the stream of ${stream.taskType}`,
        priority: { priorityKey: 2, fairnessKey: stream.project },
      }),
  };
}

/** What a failed call to Temporal means in the error table. */
export function temporalError(error: unknown): ChimeraError {
  if (isChimeraError(error)) return error;
  if (error instanceof WorkflowExecutionAlreadyStartedError)
    return new ChimeraError('CHIMERA_CONFLICT', { what: `workflow ${error.workflowId}` }, { cause: error });
  const { cause } = error as { cause?: unknown };
  const { details, message } = (cause ?? error) as { details?: string; message?: string };
  return new ChimeraError('CHIMERA_TEMPORAL_UNAVAILABLE', { why: details || message || 'no answer' }, { cause: error });
}
