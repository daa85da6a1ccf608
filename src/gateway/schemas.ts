import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../contracts/errors.ts';
import { evolutionCycleInput } from '../contracts/inputs.ts';
import type { DeadLetter, Deployment, Feedback, JsonValue } from '../contracts/records.ts';
import type { ErrorBody } from '../client/errors.ts';
import type {
  BatchAccepted,
  BatchView,
  CycleView,
  DeploymentView,
  FeedbackAccepted,
  FeedbackView,
  TaskTypeView,
  TaskView,
} from '../client/types.ts';

/**
 * The shapes of the API. Requests are parsed by these schemas and `/openapi.json` is made from them; answers are typed
 * by the client's types, which `satisfies` holds them to.
 */
export const apiSchemas = z.registry<{ id: string; description?: string }>();

export const named = <S extends z.ZodType>(id: string, schema: S, description?: string): S => {
  apiSchemas.add(schema, description === undefined ? { id } : { id, description });
  return schema;
};

/** What `JSON.parse` gave: any value is one, so nothing is walked. */
export const json = z.custom<JsonValue>().meta({ description: 'any JSON value' });
const key = z.string().min(1).max(256);
export const sequence = z.int().min(0);
export const time = z.iso.datetime({ offset: true });

export const taskState = z.enum(['accepted', 'running', 'completed', 'failed', 'dead']);
export const reason = z.strictObject({ code: z.string(), message: z.string() });
const routing = named(
  'Routing',
  z.strictObject({ epoch: sequence, served: z.string(), shadow: z.string().optional() }),
  'The versions a task was given at admission.',
);

export const taskSubmission = named(
  'TaskSubmission',
  z.strictObject({
    taskType: z.string().min(1).max(128),
    payload: json,
    key: key.optional(),
    priority: z.int().min(1).max(5).optional(),
  }),
);

export const feedbackValue = named(
  'Feedback',
  z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('boolean'), value: z.boolean() }),
    z.strictObject({ kind: z.literal('number'), value: z.number() }),
    z.strictObject({ kind: z.literal('demonstration'), value: json }),
    z.strictObject({ kind: z.literal('comment'), value: z.string().min(1).max(10_000) }),
  ]) satisfies z.ZodType<Feedback>,
  'A verdict, a grade, the right output, or words.',
);

export const feedbackSubmission = named(
  'FeedbackSubmission',
  z
    .strictObject({
      taskId: z.string().min(1).max(256).optional(),
      key: key.optional(),
      id: z.string().min(1).max(256).optional(),
      feedback: feedbackValue,
    })
    .refine((value) => (value.taskId === undefined) !== (value.key === undefined), 'give either taskId or key'),
);

const feedbackView = z.strictObject({
  id: z.string(),
  feedback: feedbackValue,
  late: z.boolean(),
  receivedAt: time,
}) satisfies z.ZodType<FeedbackView>;

export const taskView = named(
  'Task',
  z.strictObject({
    taskId: z.string(),
    taskType: z.string(),
    taskTypeVersion: z.int(),
    key,
    ordinal: sequence,
    state: taskState,
    routing,
    priority: z.int(),
    batchId: z.string().optional(),
    acceptedAt: time,
    output: json.optional(),
    version: z.string().optional(),
    fuel: z.number().optional(),
    modelCalls: z.number().optional(),
    reason: reason.optional(),
    execution: z
      .strictObject({ executionId: z.string(), link: z.string() })
      .optional()
      .describe('Of a task whose agent goes turn by turn.'),
    feedback: z.array(feedbackView),
  }) satisfies z.ZodType<TaskView>,
);

export const batchLine = named('BatchLine', z.strictObject({ key: key.optional(), payload: json }));

const batchShape = {
  batchId: z.string(),
  count: sequence,
  firstOrdinal: sequence.optional(),
  lastOrdinal: sequence.optional(),
};
export const batchAccepted = named('BatchAccepted', z.strictObject(batchShape) satisfies z.ZodType<BatchAccepted>);
export const batchView = named(
  'Batch',
  z.strictObject({
    ...batchShape,
    taskType: z.string(),
    key: z.string(),
    createdAt: time,
    state: z.enum(['open', 'closed', 'completed']),
    resolved: sequence,
    failed: sequence,
    done: z.boolean(),
  }) satisfies z.ZodType<BatchView>,
);

export const feedbackAccepted = named(
  'FeedbackAccepted',
  z.strictObject({ accepted: sequence }) satisfies z.ZodType<FeedbackAccepted>,
);

export const taskTypeView = named(
  'TaskType',
  z.looseObject({ name: z.string().min(1).max(128), version: z.int().min(1) }) satisfies z.ZodType<TaskTypeView>,
  'Input and output schema, scorer, objectives and limits; immutable by name and version.',
);
export const taskTypeList = named('TaskTypes', z.strictObject({ taskTypes: z.array(taskTypeView) }));

const deployment = named(
  'Deployment',
  z.strictObject({
    project: z.string(),
    taskType: z.string(),
    epoch: sequence,
    fromOrdinal: sequence,
    champion: z.string(),
    challenger: z.string().optional(),
    stage: z.enum(['full', 'shadow', 'canary']),
    share: z.number(),
    reason: z.string(),
  }) satisfies z.ZodType<Deployment>,
  'Which versions serve a task type from an ordinal on.',
);
export const deploymentView = named(
  'DeploymentHistory',
  z.strictObject({ current: deployment, history: z.array(deployment) }) satisfies z.ZodType<DeploymentView>,
);
export const deploymentList = named('Deployments', z.strictObject({ deployments: z.array(deployment) }));
export const deploymentRequest = named('DeploymentRequest', z.strictObject({ champion: z.string().min(1).max(256) }));

const deadLetter = named(
  'DeadLetter',
  z.strictObject({
    project: z.string(),
    taskId: z.string(),
    taskType: z.string(),
    ordinal: sequence,
    code: z.string(),
    reason: z.string(),
    at: time,
  }) satisfies z.ZodType<DeadLetter>,
);
export const deadLetterList = named('DeadLetters', z.strictObject({ deadLetters: z.array(deadLetter) }));
export const redriveRequest = named(
  'RedriveRequest',
  z.strictObject({ taskIds: z.array(z.string().min(1).max(256)).min(1).max(10_000).optional() }),
  'Without taskIds: every dead task of the project.',
);
export const redriveAnswer = named('Redriven', z.strictObject({ redriven: z.array(z.string()) }));

export const cycleRequest = named('CycleRequest', evolutionCycleInput.omit({ project: true }));
export const cycleView = named(
  'Cycle',
  z.strictObject({
    id: z.string(),
    workflowId: z.string().optional(),
    taskType: z.string(),
    state: z.enum(['running', 'completed', 'failed', 'cancelled', 'terminated', 'timed out']),
    startedAt: time.optional(),
    closedAt: time.optional(),
    phase: z.string().optional(),
    details: z.string().optional(),
    result: json.optional(),
    error: z.string().optional(),
    report: z.string().optional(),
    ui: z.string().optional(),
  }) satisfies z.ZodType<CycleView>,
);
export const cycleList = named('Cycles', z.strictObject({ cycles: z.array(cycleView) }));

export const healthView = named(
  'Health',
  z.strictObject({
    status: z.enum(['ok', 'degraded']),
    parts: z.record(z.string(), z.strictObject({ ok: z.boolean(), why: z.string().optional() })),
  }),
);

export const errorAnswer = named(
  'Error',
  z.strictObject({
    error: z.strictObject({
      code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
      message: z.string(),
      action: z.string(),
      problems: z.array(z.strictObject({ path: z.string(), message: z.string() })).optional(),
      requestId: z.string(),
    }),
  }) satisfies z.ZodType<ErrorBody>,
);
