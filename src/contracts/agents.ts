import { z } from 'zod';
import {
  EFFECT_KINDS,
  type AgentManifest,
  type AgentVersion,
  type ExecutionLimits,
  type JsonValue,
} from './records.ts';

/** What a user publishes an agent with, and what is kept of it: the shapes that API, client, SDK and stores share. */

/** An agent's name in the registry. */
export const agentName = z
  .string()
  .max(64)
  .regex(/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/, 'a name is kebab-case: lower-case words and digits, joined by -');

const effectKind = z.enum(EFFECT_KINDS);

/** What `JSON.parse` gave: any value is one. */
const json = z.custom<JsonValue>().meta({ description: 'any JSON value' });

const LIMIT_NAMES = [
  'fuel',
  'memoryPages',
  'turns',
  'outputBytes',
  'stateBytes',
  'logBytes',
  'effectsPerTurn',
  'depth',
] as const satisfies readonly (keyof ExecutionLimits)[];

const MAX_MODELS = 32;

/** A manifest as a user writes it; what is not said has a default. How high a limit may be, the fabric says. */
export const agentManifest = z.strictObject({
  abi: z.literal('chimera:agent@1').default('chimera:agent@1'),
  description: z.string().max(2000),
  capabilities: z
    .array(effectKind)
    .refine((kinds) => new Set(kinds).size === kinds.length, 'names one twice')
    .default([]),
  models: z
    .record(
      z.string().min(1).max(128),
      z.string().regex(/^[0-9a-f]{64}$/, 'must be the ID of a model: a SHA-256 in lower-case hex'),
    )
    .refine((models) => Object.keys(models).length <= MAX_MODELS, `at most ${MAX_MODELS} models`)
    .default({}),
  limits: z.partialRecord(z.enum(LIMIT_NAMES), z.int().min(1)).default({}),
  engine: z.enum(['any', 'wasmtime']).default('any'),
  http: z.strictObject({ allow: z.array(z.string()) }).optional(),
  tools: z.array(z.string()).optional(),
}) satisfies z.ZodType<AgentManifest>;

/** A task whose result is known. */
export const agentSample = z.strictObject({
  name: z.string().min(1).max(128),
  input: z.record(z.string(), json),
  /** Answers to effects that reach into the world, which a trial does not perform. */
  recorded: z
    .array(
      z.strictObject({
        kind: effectKind,
        request: json,
        ok: z.boolean().default(true),
        body: json,
        scores: z.array(z.number()).default([]),
      }),
    )
    .default([]),
  expect: z.union([z.strictObject({ output: json }), z.strictObject({ failure: z.string() })], {
    error: 'must be {"output": …} or {"failure": code}',
  }),
});
export type AgentSample = z.output<typeof agentSample>;

/** Samples that one agent may have. */
export const MAX_SAMPLES = 1000;

/** What the publisher says that a module was made of. Kept as it is told; nobody can check it. */
export const agentOrigin = z.strictObject({
  language: z.string().max(64).optional(),
  toolchain: z.string().max(256).optional(),
  /** SHA-256 of every source file, by its path. */
  sources: z
    .record(z.string().max(512), z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in lower-case hex'))
    .refine((sources) => Object.keys(sources).length <= 10_000, 'at most 10,000 files')
    .optional(),
  /** Imports that the compiler's output had and that were linked away, as `module/name`. */
  linked: z.array(z.string().max(256)).max(1000).optional(),
});
export type AgentOrigin = z.output<typeof agentOrigin>;

/** The body of `POST /v1/agents/{agent}/versions`. */
export const agentPublication = z.strictObject({
  manifest: agentManifest,
  /** Base64: a core module without imports, or a component that holds one. */
  module: z.string().min(1),
  /** The task type that it is for: its limits hold, and the samples are its tasks. */
  taskType: z.string().min(1).max(128).optional(),
  samples: z.array(agentSample).max(MAX_SAMPLES).optional(),
  origin: agentOrigin.optional(),
});
export type AgentPublication = z.input<typeof agentPublication>;

/** The world that agents implement: package and version of `wit/agent.wit`. */
export const AGENT_WORLD = 'chimera:agent@1.0.0';

/** A memory in pages of 64 KiB, or a table in elements. */
export interface SizeLimits {
  initial: number;
  /** The lower of what the module declares and what the guard allows. */
  maximum: number;
}

/** What the guard found in a module: its bill of materials. A function of the bytes and the manifest's memory limit. */
export interface ModuleReport {
  /** See {@link AGENT_WORLD}. */
  world: string;
  /** As it was published. */
  source: { kind: 'module' | 'component'; sha256: string; bytes: number };
  /** The core module: of a component the one that it holds, else the same. */
  core: { sha256: string; bytes: number };
  /** What the engines run: metered, and with a memory of so many pages at most. */
  guarded: { sha256: string; bytes: number; memoryPages: number };
  /** Of the core module, in their order. */
  sections: { name: string; bytes: number }[];
  exports: string[];
  /** What the component names of its world, which is types only; a core module has none. */
  imports: string[];
  /** The producers section (tool-conventions): `field` is `language`, `processed-by` or `sdk`. */
  producers: { field: string; name: string; version: string }[];
  memory?: SizeLimits;
  tables: SizeLimits[];
  /** Fuel of a fresh instance, before its first instruction. */
  instanceFuel: number;
  priceVersion: number;
}

/** How a version was published. Nothing of it is part of the version's ID. */
export interface Publication {
  /** The name of an API key, a workflow, or `install`. */
  by: string;
  module: ModuleReport;
  /** The first step, on a sample or on an empty payload. */
  smoke: { input: 'sample' | 'empty'; ok: boolean; trap?: string; fuel: number };
  /** The samples that it passed, and with which version of which task type. */
  trial?: {
    taskType: string;
    taskTypeVersion: number;
    samples: { name: string; turns: number; fuel: number; recordHash: string }[];
  };
  origin?: AgentOrigin;
}

/** A version, and how it came; absent for versions from before this was kept. */
export interface AgentRecord extends AgentVersion {
  publishedAt?: string;
  publication?: Publication;
}
