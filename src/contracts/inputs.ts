import { z } from 'zod';
import { adapterSpec } from './adapters.ts';
import { DEFAULT_PROJECT } from './names.ts';
import { invalidInput } from './errors.ts';

/**
 * Workflow inputs: one JSON object each, with defaults for everything but what only the caller can know. The Temporal
 * UI's start form, the SDK, the CLI and schedules all send these.
 */

const project = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[a-z0-9][a-z0-9-]*$/)
  .default(DEFAULT_PROJECT);
const taskType = z.string().min(1).max(128);
const seed = z.string().min(1).max(128).default('chimera');
const positiveMs = z.number().int().positive();

export const taskInput = z.strictObject({
  project,
  /** A task that was accepted already. */
  taskId: z.string().optional(),
  /** Or, from the Temporal UI: the task itself; its row is written by the first activity. */
  taskType: taskType.optional(),
  payload: z.json().optional(),
  key: z.string().max(256).optional(),
});

/** What a long execution may spend before its agent has to conclude: `ExecutionBudget`. */
export const executionBudget = z.strictObject({
  turns: z.int().positive().optional(),
  fuel: z.int().positive().optional(),
  tokens: z.int().positive().optional(),
  money: z.number().positive().optional(),
  wallMs: positiveMs.optional(),
});

const executionLimits = z.strictObject({
  fuel: z.int().positive().optional(),
  memoryPages: z.int().positive().optional(),
  turns: z.int().positive().optional(),
  outputBytes: z.int().positive().optional(),
  logBytes: z.int().positive().optional(),
});

export const executionFork = z.strictObject({
  /** The execution to fork. */
  execution: z.string().min(1).max(512),
  /** Effects of the turns before this one are taken from it, by kind and request; from here on they are performed anew. */
  turn: z.int().min(0),
  agentVersion: z.string().min(1).max(128).optional(),
  seed: z
    .string()
    .refine(
      (text) => /^\d{1,20}$/.test(text) && BigInt(text) < 2n ** 64n,
      'must be an unsigned 64-bit integer in decimal',
    )
    .optional(),
  limits: executionLimits.optional(),
  budget: executionBudget.optional(),
});

export const executionInput = z.strictObject({
  project,
  /** An execution that was opened: `taskWorkflow` does that. */
  executionId: z.string().min(1).max(512).optional(),
  /** Or a fork of one, which is opened here. */
  fork: executionFork.optional(),
  /** Who asked for it. */
  actor: z.string().min(1).max(200).default('temporal'),
  /** Begin paused; carried across continue-as-new. */
  paused: z.boolean().default(false),
  /** Turns that one activity takes at most, and for how long it takes them. */
  turnsAtATime: z.int().min(1).max(10_000).default(200),
  sliceMs: positiveMs.default(5_000),
  /** Events of history after which a run hands over to the next. */
  eventsPerRun: z.int().min(50).max(10_000).default(4_000),
  /** An answer whose news got lost is looked for this often at first, and ever more seldom. */
  pollMs: positiveMs.default(30_000),
});

export const taskBatchInput = z.strictObject({
  project,
  batchId: z.string().min(1),
  shardSize: z.number().int().min(1).max(5000).default(1000),
  /** Shards in flight at a time. */
  window: z.number().int().min(1).max(64).default(2),
  /** Carried across continue-as-new: the first ordinal that no shard has taken yet. */
  nextOrdinal: z.number().int().min(0).optional(),
  executed: z.number().int().min(0).default(0),
  failed: z.number().int().min(0).default(0),
});

export const discoveryInput = z.strictObject({
  project,
  taskType,
  /** A directory of files or an mbox file, readable by the worker. */
  source: z.strictObject({ kind: z.enum(['directory', 'mbox']), path: z.string().min(1) }),
  chunk: z.number().int().min(1).max(5000).default(500),
});

export const streamMonitorInput = z.strictObject({
  project,
  taskType,
  /** Start a cycle when drift is found. */
  startCycles: z.boolean().default(false),
  pollMs: positiveMs.default(30_000),
});

export const curationInput = z.strictObject({
  project,
  taskType,
  seed,
  /** Use examples below this ordinal only; default: the watermark. */
  uptoOrdinal: z.number().int().min(0).optional(),
  minimumExamples: z.number().int().min(10).default(60),
  /** Randomly permute the labels first: the negative control of the whole loop. */
  shuffleLabels: z.boolean().default(false),
});

export const trainingInput = z.strictObject({
  project,
  taskType,
  seed,
  datasetId: z.string(),
  deviceClass: z.string().default('cpu'),
  /** Names of the model variants; default: all that there are. */
  variants: z.array(z.string()).optional(),
  /** Adapters of one's own, beside the variants. */
  adapters: z.array(adapterSpec).optional(),
  /** Leave the training of adapters after so many steps, at a checkpoint. */
  until: z.number().int().min(1).optional(),
  leaseMs: positiveMs.default(30 * 60_000),
});

export const sweepInput = z
  .strictObject({
    project,
    taskType,
    seed,
    datasetId: z.string(),
    deviceClass: z.string().default('cpu'),
    /** What all candidates have in common. */
    adapter: adapterSpec,
    learningRates: z.array(z.number().gt(0).max(1)).min(1).max(16),
    /** Default: the adapter's own. */
    ranks: z.array(z.number().int().min(1).max(256)).min(1).max(8).optional(),
    leaseMs: positiveMs.default(30 * 60_000),
  })
  .superRefine(({ adapter, learningRates, ranks = [adapter.rank] }, context) => {
    const count = learningRates.length * ranks.length;
    const least = 2 ** Math.ceil(Math.log2(count));
    if (adapter.steps >= least) return;
    const message = `${count} candidates are halved until one is left: that takes ${least} steps or more`;
    context.addIssue({ code: 'custom', path: ['adapter', 'steps'], message });
  });

export const evolutionInput = z.strictObject({
  project,
  taskType,
  seed,
  datasetId: z.string(),
  modelIds: z.array(z.string()),
  population: z.number().int().min(4).max(1024).default(32),
  generations: z.number().int().min(1).max(1000).default(8),
  /** Stop after so many evaluations of a candidate on an example. */
  evaluations: z.number().int().positive().default(2_000_000),
  fuel: z.number().positive().default(1e12),
  /** Stop after so many generations without a better front. */
  plateau: z.number().int().positive().default(4),
  /** Shards a generation is evaluated in. */
  shards: z.number().int().min(1).max(64).default(2),
});

export const evaluationInput = z.strictObject({
  project,
  taskType,
  seed,
  datasetId: z.string(),
  split: z.enum(['train', 'validation', 'test', 'all']).default('test'),
  agentVersions: z.array(z.string()).min(1),
});

export const rolloutInput = z.strictObject({
  project,
  taskType,
  seed,
  challenger: z.string(),
  alpha: z.number().gt(0).lt(0.5).default(0.05),
  /** Points of accuracy, as a fraction, by which the challenger must be better. */
  minimumEffect: z.number().min(0).max(1).default(0),
  /** Decide after so many paired tasks at the latest. */
  cap: z.number().int().positive().default(1000),
  /** Paired tasks in shadow before the challenger answers any. */
  shadowTasks: z.number().int().min(0).default(50),
  share: z.number().gt(0).max(1).default(0.2),
  pollMs: positiveMs.default(30_000),
});

export const evolutionCycleInput = z.strictObject({
  project,
  taskType,
  seed,
  /** Run even where nothing asks for it. */
  force: z.boolean().default(false),
  minimumExamples: z.number().int().min(10).default(60),
  deviceClass: z.string().default('cpu'),
  population: z.number().int().min(4).max(1024).default(32),
  generations: z.number().int().min(1).max(1000).default(8),
  plateau: z.number().int().positive().default(4),
  shards: z.number().int().min(1).max(64).default(2),
  variants: z.array(z.string()).optional(),
  rollout: rolloutInput
    .pick({ alpha: true, minimumEffect: true, cap: true, shadowTasks: true, share: true, pollMs: true })
    .prefault({}),
  shuffleLabels: z.boolean().default(false),
});

export const leaseBrokerInput = z.strictObject({
  /** Device class → number of devices; from temporal.yaml. */
  classes: z.record(z.string(), z.number().int().min(0)).default({ cpu: 1 }),
  /** Carried across continue-as-new. */
  state: z.json().optional(),
});

export type TaskInput = z.output<typeof taskInput>;
export type ExecutionInput = z.output<typeof executionInput>;
export type ExecutionFork = z.output<typeof executionFork>;
export type TaskBatchInput = z.output<typeof taskBatchInput>;
export type DiscoveryInput = z.output<typeof discoveryInput>;
export type StreamMonitorInput = z.output<typeof streamMonitorInput>;
export type CurationInput = z.output<typeof curationInput>;
export type TrainingInput = z.output<typeof trainingInput>;
export type SweepInput = z.output<typeof sweepInput>;
export type EvolutionInput = z.output<typeof evolutionInput>;
export type EvaluationInput = z.output<typeof evaluationInput>;
export type RolloutInput = z.output<typeof rolloutInput>;
export type EvolutionCycleInput = z.output<typeof evolutionCycleInput>;
export type LeaseBrokerInput = z.output<typeof leaseBrokerInput>;

/** Parses `value`, or throws `CHIMERA_INVALID_INPUT` that names every problem at once. */
export function parseInput<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw invalidInput(
    what,
    result.error.issues.map((issue) => ({
      path: issue.path.map((part) => `/${String(part)}`).join(''),
      message: issue.message,
    })),
  );
}
