import { z } from 'zod';
import { invalidInput, type Problem } from '../../contracts/errors.ts';
import { executionBudget } from '../../contracts/inputs.ts';
import type { JsonObject } from '../../contracts/records.ts';
import { hashOf, type Sha256 } from '../canonical/canonical.ts';
import { featureDeclaration, preprocessStep } from './preprocess/declarations.ts';
import { schemaProblems } from './schema.ts';

const pointer = z
  .string()
  .regex(/^(?:\/(?:[^~/]|~[01])*)*$/, 'a JSON pointer (RFC 6901) begins with /')
  .max(256);
const jsonSchema = z.record(z.string(), z.json());

/** How an output is compared with the right one. */
const scorer = z.discriminatedUnion('kind', [
  /** One of a list of labels; `positive` names the class that F1 is about. */
  z.strictObject({
    kind: z.literal('label'),
    pointer,
    labels: z.array(z.string().min(1).max(128)).min(2).max(1000),
    positive: z.string().optional(),
  }),
  /** A number that may be off by `tolerance`; the score falls linearly to 0 at twice that. */
  z.strictObject({ kind: z.literal('numeric'), pointer, tolerance: z.number().min(0) }),
  /** The whole output, or the part at `pointer`, must be equal as JSON. */
  z.strictObject({ kind: z.literal('exact'), pointer: pointer.default('') }),
]);

const limits = z.strictObject({
  /** Bytes of a task's payload, checked before it is parsed. */
  payloadBytes: z
    .number()
    .int()
    .min(2)
    .max(64 << 20)
    .default(1 << 20),
  /** How deep a payload may nest. */
  payloadDepth: z.number().int().min(1).max(64).default(20),
  /** What one execution may spend; the defaults are the fabric's. */
  fuel: z.number().int().positive().optional(),
  memoryPages: z.number().int().min(1).max(65_536).optional(),
  turns: z.number().int().min(1).max(1_000_000).optional(),
  outputBytes: z
    .number()
    .int()
    .min(2)
    .max(16 << 20)
    .optional(),
});

const document = z.strictObject({
  name: z
    .string()
    .max(64)
    .regex(/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/, 'a name is kebab-case'),
  version: z.number().int().min(1),
  title: z.string().min(1).max(200),
  /** JSON Schema 2020-12 of what a caller sends and of what an agent answers. */
  input: jsonSchema,
  output: jsonSchema,
  scorer,
  /** What "better" means; weights count within one direction. A bound is a limit no champion may cross. */
  objectives: z
    .array(
      z.strictObject({
        kpi: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/),
        direction: z.enum(['maximise', 'minimise']),
        weight: z.number().gt(0).default(1),
        bound: z.number().optional(),
      }),
    )
    .min(1)
    .max(16),
  preprocess: z.array(preprocessStep).max(32).default([]),
  features: z.array(featureDeclaration).max(256).default([]),
  limits: limits.prefault({}),
  /** What one long execution may spend before its agent has to conclude. */
  budget: executionBudget.optional(),
  /** Where in the normalised payload the text is that models read. */
  text: pointer.optional(),
  /** Milliseconds after which a missing feedback is recorded as missing. Default: seven days. */
  feedbackDeadlineMs: z
    .number()
    .int()
    .positive()
    .max(366 * 86_400_000)
    .optional(),
});

/** A task type as stored: defaults filled in, checked, hashed. */
export type TaskType = z.output<typeof document>;

const duplicates = (values: readonly string[]): string[] => [
  ...new Set(values.filter((v, i) => values.indexOf(v) < i)),
];

function crossChecks(type: TaskType): Problem[] {
  const problems: Problem[] = [];
  for (const name of duplicates(type.features.map((feature) => feature.name))) {
    problems.push({ path: '/features', message: `the name ${name} is given twice` });
  }
  for (const kpi of duplicates(type.objectives.map((objective) => objective.kpi))) {
    problems.push({ path: '/objectives', message: `the KPI ${kpi} is named twice` });
  }
  if (type.scorer.kind === 'label') {
    for (const label of duplicates(type.scorer.labels)) {
      problems.push({ path: '/scorer/labels', message: `the label ${label} is named twice` });
    }
    if (type.scorer.positive !== undefined && !type.scorer.labels.includes(type.scorer.positive)) {
      problems.push({ path: '/scorer/positive', message: 'is none of the labels' });
    }
  }
  for (const side of ['input', 'output'] as const) {
    problems.push(
      ...schemaProblems(type[side] as JsonObject).map(({ path, message }) => ({ path: `/${side}${path}`, message })),
    );
  }
  return problems;
}

/** Checks a task type document and fills in defaults, or throws `CHIMERA_INVALID_INPUT` that names every problem. */
export function parseTaskType(value: unknown): TaskType {
  const result = document.safeParse(value);
  const problems = result.success
    ? crossChecks(result.data)
    : result.error.issues.map((issue) => ({
        path: issue.path.map((part) => `/${String(part)}`).join(''),
        message: issue.message,
      }));
  if (result.success && problems.length === 0) return result.data;
  throw invalidInput('the task type', problems);
}

/** The name of a task type's content. */
export function taskTypeHash(type: TaskType): Sha256 {
  return hashOf(type);
}
