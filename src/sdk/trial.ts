import type { Problem } from '../contracts/errors.ts';
import type { JsonObject, JsonValue } from '../contracts/records.ts';
import { canonicalJson } from '../core/canonical/canonical.ts';
import { seedOf } from '../core/execution/driver.ts';
import { validateJson } from '../core/validation/schema.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import type { Fabric, PreparedInput, PublishedAgent, RunItemResult } from '../fabric/index.ts';
import type { AgentBuild } from './build.ts';
import type { AgentProject, Sample } from './project.ts';

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
  readonly ok: boolean;
}

/**
 * Tries an agent in the sandbox: the guard, a first step, then every sample, twice. A sample is as it should be where
 * its input is what the task type takes, the result is the expected one, and both runs give the same record by hash.
 * Throws `CHIMERA_AGENT_REFUSED` for a module that the guard refuses or whose first step traps, `CHIMERA_INVALID_INPUT`
 * for a bad manifest.
 * @param taskType that of the folder, or the one that is registered
 */
export async function tryAgent(
  fabric: Pick<Fabric, 'publish' | 'prepare' | 'run'>,
  { manifest, samples }: AgentProject,
  { module, sha256 }: AgentBuild,
  taskType: TaskType,
): Promise<TrialReport> {
  const smoke = await smokeInput(fabric, samples, taskType);
  const published = await fabric.publish(module, manifest, smoke);
  const items = samples.map(({ name, input, recorded }) => ({
    key: name,
    seed: seedOf(name),
    payload: input,
    recorded,
  }));
  const job = { agent: { sha256, manifest }, taskType, items };
  const first = await fabric.run(job);
  const second = await fabric.run(job);
  const reports = samples.map((sample, i) => reportOf(sample, first[i]!, second[i]!, taskType));
  return {
    published,
    samples: reports,
    ok: reports.length > 0 && reports.every(({ problems }) => problems.length === 0),
  };
}

/** The first sample that the agent is to answer, as it would see it. */
async function smokeInput(
  fabric: Pick<Fabric, 'prepare'>,
  samples: readonly Sample[],
  taskType: TaskType,
): Promise<PreparedInput | undefined> {
  const sample = samples.find(({ expect }) => 'output' in expect);
  if (sample === undefined) return undefined;
  const [prepared] = await fabric.prepare({ taskType, payloads: [sample.input] });
  return prepared !== undefined && 'payload' in prepared ? prepared : undefined;
}

function reportOf(sample: Sample, first: RunItemResult, second: RunItemResult, taskType: TaskType): SampleReport {
  const problems = validateJson(taskType.input as JsonObject, sample.input).map(
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
