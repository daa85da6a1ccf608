import type { AgentSample } from '../contracts/agents.ts';
import type { Problem } from '../contracts/errors.ts';
import type { AgentManifest, JsonObject, JsonValue } from '../contracts/records.ts';
import { canonicalJson, hashOf, sha256Hex } from '../core/canonical/canonical.ts';
import { seedOf } from '../core/execution/driver.ts';
import { validateJson } from '../core/validation/schema.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import type { Fabric, PreparedInput, PublishedAgent, RunItemResult } from '../fabric/index.ts';

/** How one sample went. */
export interface SampleReport {
  readonly sample: string;
  /** What is not as the sample expects; none where all is. */
  readonly problems: readonly string[];
  /** Absent where the agent could not be run on it. */
  readonly output?: JsonValue;
  readonly failure?: string;
  readonly turns?: number;
  readonly fuel?: number;
  readonly memoryBytes?: number;
  readonly effects?: readonly string[];
  readonly log?: readonly string[];
  readonly recordHash?: string;
}

export interface TrialReport {
  readonly published: PublishedAgent;
  readonly samples: readonly SampleReport[];
}

/** What a trial asks of a fabric. It must be able to resolve the module by its hash. */
export type TrialFabric = Pick<Fabric, 'publish' | 'prepare' | 'run'>;

/**
 * Tries an agent in the sandbox: the guard, a first step, then every sample, twice. A sample is as it should be where
 * its input is what the task type takes, the result is the expected one, and both runs give the same record by hash.
 * Throws `CHIMERA_AGENT_REFUSED` for a module that the guard refuses or whose first step traps, `CHIMERA_INVALID_INPUT`
 * for a bad manifest.
 */
export async function tryAgent(
  fabric: TrialFabric,
  module: Uint8Array,
  manifest: AgentManifest,
  taskType: TaskType,
  samples: readonly AgentSample[],
): Promise<TrialReport> {
  const published = await fabric.publish(module, manifest, await smokeInput(fabric, samples, taskType));
  const items = samples.map(({ name, input, recorded }) => ({
    key: name,
    seed: seedOf(name),
    payload: input as JsonObject,
    recorded: recorded.map(({ request, ...answer }) => ({ ...answer, requestHash: hashOf(request) })),
  }));
  const job = { agent: { sha256: sha256Hex(module), manifest }, taskType, items };
  const first = await fabric.run(job);
  const second = await fabric.run(job);
  return { published, samples: samples.map((sample, i) => reportOf(sample, first[i]!, second[i]!, taskType)) };
}

/** Is every sample as it should be? */
export const passed = (samples: readonly SampleReport[]): boolean =>
  samples.every(({ problems }) => problems.length === 0);

/** The first sample that the agent is to answer, as it would see it. */
async function smokeInput(
  fabric: TrialFabric,
  samples: readonly AgentSample[],
  taskType: TaskType,
): Promise<PreparedInput | undefined> {
  const sample = samples.find(({ expect }) => 'output' in expect);
  if (sample === undefined) return undefined;
  const [prepared] = await fabric.prepare({ taskType, payloads: [sample.input as JsonObject] });
  return prepared !== undefined && 'payload' in prepared ? prepared : undefined;
}

function reportOf(sample: AgentSample, first: RunItemResult, second: RunItemResult, taskType: TaskType): SampleReport {
  const problems = validateJson(taskType.input as JsonObject, sample.input as JsonObject).map(
    ({ path, message }: Problem) => `the task type does not take the input: ${path || '/'} ${message}`,
  );
  if (!('record' in first)) {
    return { sample: sample.name, problems: [...problems, `the input cannot be prepared: ${first.error.message}`] };
  }
  const { record, recordHash } = first;
  if (!('record' in second) || second.recordHash !== recordHash) {
    problems.push('two runs with the same input and seed differ: the agent is not deterministic');
  }
  const { status, output, reason, turns, fuel, memoryBytes, effects, log } = record;
  const got =
    status === 'completed' ? `output ${canonicalJson(output)}` : `failure ${reason!.code}: ${reason!.message}`;
  const expected =
    'output' in sample.expect ? `output ${canonicalJson(sample.expect.output)}` : `failure ${sample.expect.failure}`;
  const same = 'output' in sample.expect ? got === expected : reason?.code === sample.expect.failure;
  if (!same) problems.push(`expected ${expected}\n     got ${got}`);
  return {
    sample: sample.name,
    problems,
    ...(output === undefined ? {} : { output }),
    ...(reason === undefined ? {} : { failure: `${reason.code}: ${reason.message}` }),
    turns,
    fuel,
    memoryBytes,
    effects: effects.map(({ turn, kind, ok }) => `${kind} in turn ${turn} ${ok ? 'answered' : 'refused'}`),
    log,
    recordHash,
  };
}
