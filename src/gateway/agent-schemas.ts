import { z } from 'zod';
import {
  agentManifest,
  agentOrigin,
  agentPublication,
  type ModuleReport,
  type Publication,
} from '../contracts/agents.ts';
import { rolloutInput } from '../contracts/inputs.ts';
import type { ArtifactRef } from '../contracts/records.ts';
import type {
  AgentVersionView,
  AgentView,
  PublishedView,
  RolloutStarted,
  RolloutView,
  SampleView,
} from '../client/types.ts';
import { json, named, sequence, time } from './schemas.ts';

/** The shapes of the API that are about agents and how they come to serve: see `schemas.ts`. */

named('AgentManifest', agentManifest, 'What an agent may do and with what.');

export const publicationRequest = named(
  'AgentPublication',
  agentPublication.extend({
    module: agentPublication.shape.module.describe(
      'Base64 of at most 4 MiB: a WebAssembly core module without imports, or a component that holds one.',
    ),
    taskType: agentPublication.shape.taskType.describe(
      'The registered task type that it is for: its limits hold, and the samples are its tasks.',
    ),
  }),
  'A module with its manifest, samples that it must pass, and what it was made of.',
);

const size = z.strictObject({ bytes: sequence, sha256: z.string() });
const limits = z.strictObject({ initial: sequence, maximum: sequence });

const moduleReport = named(
  'ModuleReport',
  z.strictObject({
    world: z.string(),
    source: size.extend({ kind: z.enum(['module', 'component']) }),
    core: size,
    guarded: size.extend({ memoryPages: sequence }),
    sections: z.array(z.strictObject({ name: z.string(), bytes: sequence })),
    exports: z.array(z.string()),
    imports: z.array(z.string()).describe('Types that a component names of its world; a core module has none.'),
    producers: z.array(z.strictObject({ field: z.string(), name: z.string(), version: z.string() })),
    memory: limits.optional(),
    tables: z.array(limits),
    instanceFuel: sequence,
    priceVersion: sequence,
  }) satisfies z.ZodType<ModuleReport>,
  'The bill of materials of a module, as the guard found it.',
);

const publication = named(
  'Publication',
  z.strictObject({
    by: z.string(),
    module: moduleReport,
    smoke: z.strictObject({
      input: z.enum(['sample', 'empty']),
      ok: z.boolean(),
      trap: z.string().optional(),
      fuel: sequence,
    }),
    trial: z
      .strictObject({
        taskType: z.string(),
        taskTypeVersion: sequence,
        samples: z.array(z.strictObject({ name: z.string(), turns: sequence, fuel: sequence, recordHash: z.string() })),
      })
      .optional(),
    origin: agentOrigin.optional(),
  }) satisfies z.ZodType<Publication>,
  'How a version was published.',
);

export const agentVersionView = named(
  'AgentVersion',
  z.strictObject({
    id: z.string(),
    agent: z.string(),
    module: z.strictObject({
      bucket: z.string(),
      key: z.string(),
      sha256: z.string(),
      bytes: sequence,
    }) satisfies z.ZodType<ArtifactRef>,
    manifest: agentManifest,
    genome: z.record(z.string(), json).optional(),
    parents: z.array(z.string()),
    experiment: z.string().optional(),
    publishedAt: time.optional(),
    publication: publication.optional(),
  }) satisfies z.ZodType<AgentVersionView>,
  'Immutable; its ID is the hash of module and manifest.',
);

export const agentList = named(
  'Agents',
  z.strictObject({
    agents: z.array(
      z.strictObject({ agent: z.string(), versions: sequence, latest: z.string() }) satisfies z.ZodType<AgentView>,
    ),
  }),
);
export const agentVersionList = named('AgentVersions', z.strictObject({ versions: z.array(agentVersionView) }));

export const publishedView = named(
  'Published',
  z.strictObject({
    version: agentVersionView,
    created: z.boolean(),
    samples: z.array(
      z.strictObject({
        sample: z.string(),
        output: json.optional(),
        failure: z.string().optional(),
        turns: sequence,
        fuel: sequence,
        recordHash: z.string(),
      }) satisfies z.ZodType<SampleView>,
    ),
  }) satisfies z.ZodType<PublishedView>,
);

export const rolloutRequest = named('RolloutRequest', rolloutInput.omit({ project: true, taskType: true }));
export const rolloutStarted = named(
  'RolloutStarted',
  z.strictObject({
    workflowId: z.string(),
    taskType: z.string(),
    champion: z.string(),
    challenger: z.string(),
  }) satisfies z.ZodType<RolloutStarted>,
);
export const rolloutList = named(
  'Rollouts',
  z.strictObject({
    rollouts: z.array(
      z.strictObject({
        id: z.string(),
        taskType: z.string(),
        champion: z.string(),
        challenger: z.string(),
        state: z.string(),
        text: z.string(),
        decidedAt: time.optional(),
      }) satisfies z.ZodType<RolloutView>,
    ),
  }),
);
