import {
  agentName,
  agentPublication,
  type AgentOrigin,
  type AgentSample,
  type Publication,
} from '../contracts/agents.ts';
import { ChimeraError, invalidInput, isChimeraError, type Problem } from '../contracts/errors.ts';
import { parseInput } from '../contracts/inputs.ts';
import type { AgentManifest, AgentVersion, JsonObject } from '../contracts/records.ts';
import { sha256Hex } from '../core/canonical/canonical.ts';
import { parseTaskType, type TaskType } from '../core/validation/task-type.ts';
import { parseManifest, type PublishedAgent } from '../fabric/index.ts';
import type { Stores } from '../stores/index.ts';
import type { ActivityDeps } from './deps.ts';
import { passed, tryAgent, type SampleReport } from './trial.ts';

export type PublishingDeps = Pick<ActivityDeps, 'stores' | 'fabric' | 'lendBlobs'>;

/** What a version is beside its module and manifest. */
export interface VersionOf {
  readonly agent: string;
  /** Who publishes: the name of an API key, a workflow, `install`. */
  readonly by: string;
  readonly parents?: readonly string[];
  readonly genome?: JsonObject;
  readonly experiment?: string;
  readonly origin?: AgentOrigin;
  readonly trial?: Publication['trial'];
  readonly smokeInput?: Publication['smoke']['input'];
}

/**
 * Stores a module that the fabric has passed as an immutable version, with the report of the guard and who published it;
 * the audit log gets the same. Every version comes in here: uploads, finalists of evolution, an example's first agent.
 * The same module and manifest are the same version: what is stored stays.
 */
export async function storeVersion(
  stores: Pick<Stores, 'artifacts' | 'agents'>,
  project: string,
  module: Uint8Array,
  published: PublishedAgent,
  { agent, by, parents = [], genome, experiment, origin, trial, smokeInput = 'empty' }: VersionOf,
): Promise<AgentVersion> {
  const artifact = await stores.artifacts.put(module, { kind: 'agent' });
  const publication: Publication = {
    by,
    module: published.module,
    smoke: { input: smokeInput, ...published.smoke },
    ...(trial === undefined ? {} : { trial }),
    ...(origin === undefined ? {} : { origin }),
  };
  return stores.agents.putVersion(
    project,
    {
      id: published.id,
      agent,
      module: artifact,
      manifest: published.manifest,
      genome,
      parents: [...parents],
      experiment,
    },
    { type: 'agent.published', actor: by, subject: published.id, details: auditOf(agent, parents, publication) },
    publication,
  );
}

function auditOf(agent: string, parents: readonly string[], { module, origin }: Publication): JsonObject {
  const { source, core, guarded, imports, exports, priceVersion } = module;
  return {
    agent,
    parents: [...parents],
    source: source.sha256,
    core: core.sha256,
    guarded: guarded.sha256,
    imports,
    exports,
    priceVersion,
    ...(origin === undefined ? {} : (origin as JsonObject)),
  };
}

export interface PublishedUpload {
  readonly version: AgentVersion;
  /** False where the same was published before. */
  readonly created: boolean;
  readonly samples: readonly SampleReport[];
}

/**
 * Publishes what a user sent: the body of {@link agentPublication}, unchecked. Everything is checked before anything is
 * stored, and every problem is in the one answer: names, manifest, models, limits, samples and what the guard says.
 * Throws `CHIMERA_INVALID_INPUT`; `CHIMERA_AGENT_REFUSED` (details.rule) where only the module is wrong, or a sample fails.
 */
export async function publishUpload(
  { stores, fabric, lendBlobs }: PublishingDeps,
  project: string,
  agent: string,
  body: unknown,
  by: string,
): Promise<PublishedUpload> {
  const upload = await readUpload(stores, project, agent, body);
  const { module, problems } = upload;
  const lent = lendBlobs(module === undefined ? [] : [{ sha256: sha256Hex(module), module }]);
  try {
    const tried = module === undefined ? undefined : await attempt(fabric, module, upload);
    if (tried !== undefined && 'refused' in tried) {
      if (problems.length === 0) throw tried.refused;
      problems.push({ path: '/module', message: String(tried.refused.details['why']) });
    }
    if (problems.length > 0 || tried === undefined || 'refused' in tried)
      throw invalidInput(`the publication of ${agent}`, problems);
    const { published, samples } = tried;
    if (!passed(samples)) throw sampleFailure(samples);
    const known = await stores.agents.get(project, published.id);
    if (known !== undefined && known.agent !== agent) {
      const message = `the same module and manifest are version ${known.id} of ${known.agent}; an agent of its own differs, if only in its description`;
      throw invalidInput(`the publication of ${agent}`, [{ path: '/agent', message }]);
    }
    const { taskType, origin } = upload;
    const version = await storeVersion(stores, project, module!, published, {
      agent,
      by,
      ...(origin === undefined ? {} : { origin }),
      ...(taskType === undefined ? {} : { trial: trialOf(taskType, samples) }),
      smokeInput: upload.samples.some(({ expect }) => 'output' in expect) ? 'sample' : 'empty',
    });
    return { version, created: known === undefined, samples };
  } finally {
    lent.release();
  }
}

interface Upload {
  readonly problems: Problem[];
  readonly module: Uint8Array | undefined;
  /** Absent where it has problems. */
  readonly manifest: AgentManifest | undefined;
  readonly taskType: TaskType | undefined;
  readonly samples: readonly AgentSample[];
  readonly origin: AgentOrigin | undefined;
}

const shape = agentPublication.shape;

/** Reads each part of an upload as far as it can be read. */
async function readUpload(stores: Stores, project: string, agent: string, body: unknown): Promise<Upload> {
  const problems: Problem[] = [];
  const read = <T>(path: string, parse: () => T): T | undefined => {
    try {
      return parse();
    } catch (error) {
      if (!isChimeraError(error, 'CHIMERA_INVALID_INPUT')) throw error;
      problems.push(...(error.details.problems ?? []).map((p) => ({ ...p, path: `${path}${p.path}` })));
      return undefined;
    }
  };
  const parts = typeof body === 'object' && body !== null && !Array.isArray(body) ? (body as JsonObject) : {};
  for (const name of Object.keys(parts))
    if (!(name in shape)) problems.push({ path: `/${name}`, message: 'is not a member of a publication' });
  read('/agent', () => parseInput(agentName, agent, 'the name'));
  const manifest = read('/manifest', () => parseManifest(parts['manifest']));
  const samples = read('/samples', () => parseInput(shape.samples, parts['samples'], 'the samples')) ?? [];
  const origin = read('/origin', () => parseInput(shape.origin, parts['origin'], 'the origin'));
  const typeName = read('/taskType', () => parseInput(shape.taskType, parts['taskType'], 'the task type'));
  const text = read('/module', () => parseInput(shape.module, parts['module'], 'the module'));
  const module = text === undefined ? undefined : decode(text, problems);
  const document = typeName === undefined ? undefined : await stores.taskTypes.get(project, typeName);
  if (typeName !== undefined && document === undefined)
    problems.push({ path: '/taskType', message: `no task type is registered as ${typeName}` });
  const taskType = document === undefined ? undefined : parseTaskType(document);
  if (samples.length > 0 && parts['taskType'] === undefined)
    problems.push({ path: '/taskType', message: 'is missing: samples are tasks of a type' });
  if (manifest !== undefined) {
    if (taskType !== undefined) problems.push(...limitProblems(manifest, taskType));
    problems.push(...(await modelProblems(stores, project, manifest)));
  }
  return { problems, module, manifest, taskType, samples, origin };
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

function decode(text: string, problems: Problem[]): Uint8Array | undefined {
  if (text.length % 4 === 0 && BASE64.test(text)) return new Uint8Array(Buffer.from(text, 'base64'));
  problems.push({ path: '/module', message: 'must be base64, with its padding and without line ends' });
  return undefined;
}

/** A limit over that of the task type would never be reached: whoever wrote it expects what will not happen. */
function limitProblems({ limits }: AgentManifest, taskType: TaskType): Problem[] {
  const allowed = taskType.limits as Readonly<Record<string, number | undefined>>;
  return Object.entries(limits).flatMap(([name, limit]) => {
    const most = allowed[name];
    const message = `${limit} is more than the ${most} that task type ${taskType.name} allows`;
    return most === undefined || limit <= most ? [] : [{ path: `/manifest/limits/${name}`, message }];
  });
}

/** Models are the registry's: an artifact alone is nobody's, and the next garbage collection would take it. */
async function modelProblems(stores: Stores, project: string, { models }: AgentManifest): Promise<Problem[]> {
  const problems: Problem[] = [];
  const bases = await stores.baseModels.list(project);
  for (const [name, id] of Object.entries(models))
    if ((await stores.models.get(project, id)) === undefined && !bases.some(({ version }) => version === id))
      problems.push({ path: `/manifest/models/${name}`, message: `this project has no model ${id}` });
  return problems;
}

/** What a module is guarded with whose own manifest is not valid, so that its problems are told as well. */
const NO_MANIFEST: AgentManifest = parseManifest({ description: '' });

async function attempt(
  fabric: PublishingDeps['fabric'],
  module: Uint8Array,
  { manifest, taskType, samples, problems }: Upload,
): Promise<{ published: PublishedAgent; samples: readonly SampleReport[] } | { refused: ChimeraError }> {
  try {
    // Samples are not run for what cannot be stored.
    if (problems.length === 0 && manifest !== undefined && taskType !== undefined)
      return await tryAgent(fabric, module, manifest, taskType, samples);
    return { published: await fabric.publish(module, manifest ?? NO_MANIFEST), samples: [] };
  } catch (error) {
    if (isChimeraError(error, 'CHIMERA_AGENT_REFUSED')) return { refused: error };
    throw error;
  }
}

function trialOf(taskType: TaskType, samples: readonly SampleReport[]): NonNullable<Publication['trial']> {
  return {
    taskType: taskType.name,
    taskTypeVersion: taskType.version,
    samples: samples.map(({ sample, turns, fuel, recordHash }) => ({
      name: sample,
      turns: turns!,
      fuel: fuel!,
      recordHash: recordHash!,
    })),
  };
}

function sampleFailure(samples: readonly SampleReport[]): ChimeraError {
  const failed = samples.filter(({ problems }) => problems.length > 0);
  return new ChimeraError('CHIMERA_AGENT_REFUSED', {
    why: `${failed.length} of ${samples.length} samples are not as they should be`,
    rule: 'sample',
    problems: failed.flatMap(({ sample, problems }) =>
      problems.map((message) => ({ path: `/samples/${sample}`, message })),
    ),
  });
}
