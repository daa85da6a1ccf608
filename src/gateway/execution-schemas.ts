import { z } from 'zod';
import { executionBudget, executionFork } from '../contracts/inputs.ts';
import { EFFECT_KINDS } from '../contracts/records.ts';
import type { ApprovalView, EffectsPage, EffectView, ExecutionDetails, ExecutionView } from '../client/types.ts';
import { json, named, reason, sequence, time } from './schemas.ts';

/** The shapes of the API that are about executions that go turn by turn: see `schemas.ts`. */

export const executionState = z.enum(['running', 'paused', 'completed', 'failed']);

const executionShape = {
  executionId: z.string(),
  link: z.string().describe('Its path under the base URL.'),
  taskType: z.string(),
  taskId: z.string(),
  ordinal: sequence,
  agentVersion: z.string(),
  parent: z.string().optional().describe('Of which execution it is a fork.'),
  fromTurn: sequence.optional().describe('Of a fork: the first turn whose effects are its own.'),
  depth: sequence,
  config: z.strictObject({
    seed: z.string(),
    limits: z.record(z.string(), z.number()).optional(),
    budget: executionBudget,
  }),
  state: executionState,
  turn: sequence,
  fuel: sequence,
  output: json.optional(),
  reason: reason.optional(),
  recordHash: z.string().optional(),
  startedAt: time,
  endedAt: time.optional(),
};

export const executionView = named(
  'Execution',
  z.strictObject(executionShape) satisfies z.ZodType<ExecutionView>,
  'An execution that goes turn by turn because its agent asks the world for something.',
);
export const executionList = named('Executions', z.strictObject({ executions: z.array(executionView) }));

export const approvalView = named(
  'Approval',
  z.strictObject({
    approvalId: z.string(),
    executionId: z.string(),
    taskType: z.string(),
    taskId: z.string(),
    agentVersion: z.string(),
    turn: sequence,
    index: sequence,
    question: z.string().describe("The agent's words: show them as text, never as markup."),
    options: z.array(json).optional().describe('The answers to choose from; absent: any JSON.'),
    askedAt: time,
    deadline: time.optional(),
    state: z.enum(['open', 'answered', 'over']),
    answer: json.optional(),
    answeredBy: z.string().optional(),
    answeredAt: time.optional(),
  }) satisfies z.ZodType<ApprovalView>,
  'A question of an agent to people.',
);
export const approvalList = named('Approvals', z.strictObject({ approvals: z.array(approvalView) }));
export const approvalAnswer = named(
  'ApprovalAnswer',
  z.strictObject({ answer: json.refine((value) => value !== undefined, 'is required; null is an answer, too') }),
);

export const executionDetails = named(
  'ExecutionDetails',
  z.strictObject({
    ...executionShape,
    now: z
      .strictObject({
        state: z.enum(['running', 'waiting', 'paused', 'ending', 'done']),
        turn: sequence,
        fuel: sequence,
        waitsFor: z.array(z.string()),
      })
      .optional()
      .describe('What it says of itself, until it is done and where a worker answers.'),
    noAnswer: z.string().optional().describe('Why there is no `now` although it is not done.'),
    questions: z.array(approvalView),
    record: z.record(z.string(), json).optional(),
    ui: z.string().optional(),
  }) satisfies z.ZodType<ExecutionDetails>,
);

const effectView = named(
  'Effect',
  z.strictObject({
    turn: sequence,
    index: sequence,
    kind: z.enum(EFFECT_KINDS),
    requestHash: z.string(),
    request: json,
    ok: z.boolean(),
    body: json.optional(),
    artifact: z.strictObject({ sha256: z.string(), bytes: sequence }).optional(),
    scores: z.array(z.number()),
    answeredBy: z.string(),
    cost: z.number(),
    tokens: sequence,
    performedAt: time,
  }) satisfies z.ZodType<EffectView>,
  'What an agent asked for, and what came of it.',
);
export const effectsPage = named(
  'Effects',
  z.strictObject({
    effects: z.array(effectView),
    next: sequence.optional().describe('The turn to go on from; absent: there are no more.'),
  }) satisfies z.ZodType<EffectsPage>,
);

export const forkRequest = named(
  'ForkRequest',
  executionFork.omit({ execution: true }).extend({
    agentVersion: executionFork.shape.agentVersion.describe(
      'An ID, the beginning of one, or the name of an agent: its latest. Default: that of the execution.',
    ),
  }),
  'Effects of the turns before `turn` are taken over by what was asked for; from there on they are performed anew.',
);
