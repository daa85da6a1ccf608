import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { ChimeraError, invalidInput, type Problem } from '../contracts/errors.ts';
import * as inputs from '../contracts/inputs.ts';
import { deviceQueue, TASK_QUEUES, WORKFLOWS } from '../contracts/names.ts';
import { TOOL_NAME } from '../core/execution/allow.ts';
import { schemaProblems } from '../core/validation/schema.ts';
import { PROVIDERS, type DeviceRuntime } from '../learning/runtime/provider.ts';

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `90s`, `5m`, `1h`, `7d` in milliseconds. */
const duration = z
  .string('must be a duration such as 90s, 5m, 1h or 7d')
  .regex(/^[1-9]\d{0,8}(ms|s|m|h|d)$/, 'must be a duration such as 90s, 5m, 1h or 7d')
  .transform((text) => {
    const unit = /[a-z]+$/.exec(text)![0] as keyof typeof UNITS;
    return Number.parseInt(text, 10) * UNITS[unit];
  });

const name = z.string().regex(/^[A-Za-z0-9][\w./-]{0,199}$/, 'must be a name of letters, digits and . _ / -');

const schedule = z
  .strictObject({
    name,
    workflow: z.enum(Object.values(WORKFLOWS)),
    workflowId: name,
    taskQueue: name.default(TASK_QUEUES.workflows),
    input: z.record(z.string(), z.json()),
    every: duration.optional(),
    /** Five fields, UTC. */
    cron: z
      .string()
      .regex(/^\S+(\s+\S+){4}$/, 'must have five fields')
      .optional(),
    jitter: duration.optional(),
    overlap: z.enum(['skip', 'bufferOne', 'allowAll']).default('skip'),
    /** How late a missed firing may still run; default: one interval, for cron an hour. */
    catchUp: duration.optional(),
    pauseOnFailure: z.boolean().default(true),
    enabled: z.boolean().default(true),
    note: z.string().max(200).default(''),
  })
  .refine(({ every, cron }) => (every === undefined) !== (cron === undefined), 'must have either every or cron');

const jsonSchema = z.record(z.string(), z.json());

const MAX_TOOL_TIMEOUT = UNITS.h;

/** A tool that agents may call where their manifest names it. */
const tool = z
  .strictObject({
    name: z.string().regex(TOOL_NAME, 'must be lower-case words and digits, joined by . _ or -'),
    /** For people and for agents. */
    description: z.string().min(1).max(2000),
    input: jsonSchema,
    output: jsonSchema.optional(),
    timeout: duration.refine((ms) => ms <= MAX_TOOL_TIMEOUT, 'must be at most 1h').default(30 * UNITS.s),
    /** Money for one call. */
    price: z.number().min(0).default(0),
    /** Performed by Chimera's own worker, from the default export of this module; relative to the manifest. */
    module: z
      .string()
      .regex(/^\.{1,2}\/.+\.[cm]?[jt]s$/, 'must be the path of a module, beginning with ./ or ../')
      .optional(),
    /** Performed by a worker of the user's own, in any language, that serves this activity on this queue. */
    queue: name.optional(),
    activity: name.optional(),
  })
  .refine(
    ({ module, queue, activity }) =>
      module === undefined
        ? queue !== undefined && activity !== undefined
        : queue === undefined && activity === undefined,
    'must have either module, or queue and activity',
  );

const MAX_PROVIDER_TIMEOUT = 5 * UNITS.m;

const price = z.number().min(0);

/** A service elsewhere that speaks OpenAI's protocol. */
const provider = z.strictObject({
  name,
  baseUrl: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    .refine((url) => !/[?#]|\/\/[^/]*@/.test(url), 'must have no credentials, query or fragment'),
  /** Name of the environment variable that holds the key; absent: the service wants none. */
  apiKeyFrom: z
    .string()
    .regex(/^[A-Za-z_]\w*$/, 'must be the name of an environment variable, not a key')
    .optional(),
  /** For one attempt; of a stream the longest silence. */
  timeout: duration.refine((ms) => ms <= MAX_PROVIDER_TIMEOUT, 'must be at most 5m').default(60 * UNITS.s),
  /** After the first attempt, of calls that were turned away or did not arrive. */
  retries: z.int().min(0).max(10).default(2),
  models: z
    .array(
      z.strictObject({
        /** What callers name it: no colon, which would name an adapter. */
        name,
        /** What the provider calls it. */
        remoteName: z.string().min(1).max(200),
        tasks: z.array(z.enum(['embedding', 'generation'])).min(1),
        /** Money. */
        pricePerMillionPromptTokens: price,
        pricePerMillionCompletionTokens: price.default(0),
        /** What the provider calls the limit of an answer's tokens. */
        lengthParameter: z.enum(['max_tokens', 'max_completion_tokens']).default('max_tokens'),
      }),
    )
    .min(1)
    .max(1000),
});

const manifest = z.strictObject({
  address: z
    .string()
    .regex(/^[^\s/]+:\d{1,5}$/, 'must be host:port')
    .optional(),
  namespace: z.strictObject({
    name,
    retention: duration.refine((ms) => ms >= UNITS.h, 'must be at least 1h'),
  }),
  searchAttributes: z.record(
    z.string().regex(/^[A-Za-z][A-Za-z0-9_]*$/, 'must be a name of letters, digits and _'),
    z.enum(['Text', 'Keyword', 'Int', 'Double', 'Bool', 'Datetime', 'KeywordList']),
  ),
  taskQueues: z.array(
    z.discriminatedUnion('kind', [
      z.strictObject({ name, kind: z.literal('workflow'), slots: z.int().min(1).max(10_000) }),
      z.strictObject({ name, kind: z.literal('activity'), slots: z.int().min(1).max(10_000) }),
      z.strictObject({ name, kind: z.literal('device'), slots: z.int().min(1).max(1024), deviceClass: name }),
    ]),
  ),
  deviceClasses: z.record(
    name,
    z.strictObject({
      count: z.int().min(0).max(100_000),
      /** Money for an hour of one device; what the ledger books. */
      costPerHour: z.number().min(0).default(0),
      /** Where its devices run the graphs of models. */
      provider: z.enum(PROVIDERS).default('cpu'),
      /** Threads of the processor that one operator uses. A training goes on where it is the same number. */
      threads: z.int().min(1).max(1024).default(1),
    }),
  ),
  schedules: z.array(schedule).default([]),
  tools: z.array(tool).max(1000).default([]),
  providers: z.array(provider).max(100).default([]),
});

export type Manifest = z.output<typeof manifest>;
export type ManifestSchedule = Manifest['schedules'][number];
export type ManifestTool = Manifest['tools'][number];
export type ManifestProvider = Manifest['providers'][number];
export type ManifestQueue = Manifest['taskQueues'][number];
export type SearchAttributeTypeName = Manifest['searchAttributes'][string];

/** The manifest that ships with the project. */
export const MANIFEST_FILE: string = fileURLToPath(new URL('../../temporal.yaml', import.meta.url));

/** @throws {ChimeraError} CHIMERA_NOT_FOUND without the file, CHIMERA_INVALID_INPUT that lists every problem */
export function loadManifest(file: string = MANIFEST_FILE): Manifest {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'manifest', name: file }, { cause: error });
  }
  return parseManifest(text, file);
}

/** Parses and checks a manifest. @throws {ChimeraError} CHIMERA_INVALID_INPUT that lists every problem at once */
export function parseManifest(text: string, file = 'temporal.yaml'): Manifest {
  const document = parseDocument(text);
  const problems: Problem[] = document.errors.map(({ message }) => ({
    path: '',
    message: message.split('\n')[0] ?? '',
  }));
  if (problems.length > 0) throw invalidInput(file, problems);
  const parsed = manifest.safeParse(document.toJS());
  if (!parsed.success) throw invalidInput(file, parsed.error.issues.map(toProblem));
  problems.push(
    ...duplicates('/taskQueues', parsed.data.taskQueues),
    ...duplicates('/schedules', parsed.data.schedules),
    ...duplicates('/tools', parsed.data.tools),
    ...duplicates('/providers', parsed.data.providers),
    ...modelProblems(parsed.data),
  );
  problems.push(...deviceProblems(parsed.data), ...scheduleProblems(parsed.data), ...toolProblems(parsed.data));
  if (problems.length > 0) throw invalidInput(file, problems);
  return parsed.data;
}

/** Device class → number of devices, as the lease broker takes it. */
export function deviceCounts({ deviceClasses }: Manifest): Record<string, number> {
  return Object.fromEntries(Object.entries(deviceClasses).map(([name, { count }]) => [name, count]));
}

/** Device class → money for one second of one device. */
export function deviceCosts({ deviceClasses }: Manifest): Record<string, number> {
  return Object.fromEntries(Object.entries(deviceClasses).map(([name, { costPerHour }]) => [name, costPerHour / 3600]));
}

/** Device class → how its devices run graphs. */
export function deviceRuntimes({ deviceClasses }: Manifest): Record<string, DeviceRuntime> {
  return Object.fromEntries(
    Object.entries(deviceClasses).map(([name, { provider, threads }]) => [name, { provider, threads }]),
  );
}

function toProblem({ path, message }: z.core.$ZodIssue): Problem {
  return { path: path.map((part) => `/${String(part)}`).join(''), message };
}

function duplicates(path: string, entries: readonly { readonly name: string }[]): Problem[] {
  return entries.flatMap((entry, index) =>
    entries.findIndex((other) => other.name === entry.name) === index
      ? []
      : [{ path: `${path}/${index}/name`, message: `${entry.name} is there twice` }],
  );
}

/** A device queue is its class's own, and a class without one could never be worked on. */
function deviceProblems({ taskQueues, deviceClasses }: Manifest): Problem[] {
  const problems: Problem[] = [];
  const served = new Set<string>();
  for (const [index, queue] of taskQueues.entries()) {
    if (queue.kind !== 'device') continue;
    served.add(queue.deviceClass);
    const path = `/taskQueues/${index}`;
    if (!(queue.deviceClass in deviceClasses))
      problems.push({ path: `${path}/deviceClass`, message: `${queue.deviceClass} is not in deviceClasses` });
    if (queue.name !== deviceQueue(queue.deviceClass))
      problems.push({ path: `${path}/name`, message: `must be ${deviceQueue(queue.deviceClass)}` });
  }
  for (const name of Object.keys(deviceClasses))
    if (!served.has(name))
      problems.push({ path: `/deviceClasses/${name}`, message: 'has no task queue of kind device' });
  return problems;
}

function scheduleProblems({ schedules, taskQueues }: Manifest): Problem[] {
  const workflowQueues = new Set(taskQueues.filter(({ kind }) => kind === 'workflow').map((queue) => queue.name));
  return schedules.flatMap((entry, index) => {
    const problems: Problem[] = [];
    if (!workflowQueues.has(entry.taskQueue))
      problems.push({ path: `/schedules/${index}/taskQueue`, message: `${entry.taskQueue} is no workflow queue` });
    const checked = inputSchema(entry.workflow)?.safeParse(entry.input);
    if (checked?.success === false)
      for (const issue of checked.error.issues) {
        const problem = toProblem(issue);
        problems.push({ ...problem, path: `/schedules/${index}/input${problem.path}` });
      }
    return problems;
  });
}

function toolProblems({ tools }: Manifest): Problem[] {
  return tools.flatMap(({ input, output }, index) =>
    Object.entries({ input, output }).flatMap(([member, schema]) =>
      (schema === undefined ? [] : schemaProblems(schema)).map(({ path, message }) => ({
        path: `/tools/${index}/${member}${path}`,
        message,
      })),
    ),
  );
}

/** Callers name a model, not its provider. */
function modelProblems({ providers }: Manifest): Problem[] {
  const seen = new Set<string>();
  return providers.flatMap(({ models }, provider) =>
    models.flatMap(({ name }, model) => {
      if (!seen.has(name)) {
        seen.add(name);
        return [];
      }
      return [{ path: `/providers/${provider}/models/${model}/name`, message: `${name} is there twice` }];
    }),
  );
}

/** The contract of a workflow's input, by the naming rule of contracts/inputs.ts: `evolutionCycle` → `evolutionCycleInput`. */
function inputSchema(workflow: string): z.ZodType | undefined {
  const key = Object.entries(WORKFLOWS).find(([, type]) => type === workflow)?.[0];
  const schema = (inputs as Record<string, unknown>)[`${key}Input`];
  return schema instanceof z.ZodType ? schema : undefined;
}
