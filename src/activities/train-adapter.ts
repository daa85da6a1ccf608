import { Context } from '@temporalio/activity';
import type { AdapterSpec } from '../contracts/adapters.ts';
import { isChimeraError } from '../contracts/errors.ts';
import { failpoint } from '../contracts/failpoint.ts';
import { SIGNALS, type TrainingPoint } from '../contracts/messages.ts';
import type { ArtifactRef, JsonObject } from '../contracts/records.ts';
import { hashOf } from '../core/canonical/canonical.ts';
import type { BaseLocation } from '../learning/bases.ts';
import { trainUntil, type TrainingHooks } from '../learning/training/host.ts';
import type { TrainedAdapter, TrainingJob } from '../learning/training/job.ts';
import type { Look } from '../learning/training/types.ts';
import type { ActivityDeps } from './deps.ts';
import { pastCrashes } from './crashes.ts';
import { adapterBefore } from './merge-adapters.ts';
import { validated } from './model-scores.ts';
import type { Material, RunHooks, TrainedModel } from './training-types.ts';

type Deps = Pick<ActivityDeps, 'stores' | 'learning' | 'temporal' | 'runtimes'>;

/** Steps between two checkpoints: what is lost with a worker at most. */
const CHECKPOINT_EVERY = 10;
/** Checkpoints that a run leaves behind it. */
const KEPT = 2;
/** Points of its loss curve that a run sends to its workflow at most: each is an event of its history. */
const POINTS = 60;

/** Trains a classifier's adapter, from its last checkpoint on. */
export async function trainAdapterModel(
  deps: Deps,
  project: string,
  material: Material,
  spec: AdapterSpec,
  hooks: RunHooks,
  until?: number,
): Promise<TrainedModel | { left: Look }> {
  const { datasetId, data } = material;
  const { labels, train, validation: held } = data;
  const examplesFor = () => Promise.resolve({ labels, train, validation: held });
  const learned = await runTraining(deps, project, { datasetId, spec, examplesFor }, hooks, until);
  if ('left' in learned) return learned;
  const { run, artifact, report } = learned;
  const document = spec as unknown as JsonObject;
  const validation = await validated(deps, material, { artifact, spec: document }, hooks.signal);
  const previous = await comparedWith(deps, project, material, spec.name, hooks.signal);
  return {
    ...{ run, artifact, validation },
    spec: document,
    // The adapter that this one follows, on the same examples.
    report: { validation, ...report, ...(previous === undefined ? {} : { previous }) },
  };
}

/** A run, before its base is there. */
interface Planned {
  readonly datasetId: string;
  readonly spec: AdapterSpec;
  readonly examplesFor: (base: BaseLocation) => Promise<Pick<TrainingJob, 'labels' | 'train' | 'validation'>>;
}

/** What came of a run: the adapter, and what is told of it whatever it has learned. */
interface Learned {
  readonly run: string;
  readonly artifact: ArtifactRef;
  readonly trained: TrainedAdapter;
  readonly report: JsonObject;
}

/** Trains in a process of its own, from the last checkpoint on. */
export async function runTraining(
  deps: Deps,
  project: string,
  { datasetId, spec, examplesFor }: Planned,
  { signal, note }: RunHooks,
  until?: number,
): Promise<Learned | { left: Look }> {
  const { stores, learning } = deps;
  const run = hashOf({ datasetId, spec } as unknown as JsonObject).slice(0, 32);
  const latest = () => stores.snapshots.latest(project, run, until);
  note({ waitingFor: `base model ${spec.base}` });
  const active = await stores.baseModels.get(project, spec.base);
  const base = await learning.locate(spec.base, {
    ...(active === undefined ? {} : { version: active.version }),
    signal,
    onProgress: (bytes, of) => note({ fetching: spec.base, bytes, of }),
  });
  const runtime = deps.runtimes[Context.current().info.taskQueue];
  const examples = await examplesFor(base);
  const job: TrainingJob = { base, spec, ...examples, ...runtime };
  const tell = pointTeller(deps, spec);
  const hooks: TrainingHooks = {
    checkpointEvery: CHECKPOINT_EVERY,
    signal,
    onStep: ({ step, of, loss, looks }) => {
      note({ step, of, loss });
      tell({ variant: spec.name, step, of, loss, ...(looks.at(-1)?.step === step ? { look: looks.at(-1)! } : {}) });
    },
    onCheckpoint: async ({ step }, bytes) => {
      const artifact = await stores.artifacts.put(bytes, { kind: 'checkpoint' });
      failpoint('checkpoint.put');
      await stores.snapshots.put(project, run, step, artifact);
      failpoint('checkpoint.row');
      await stores.snapshots.prune(project, run, KEPT);
    },
  };
  const trained = await pastCrashes(spec.name, latest, async (saved) => {
    const checkpoint = saved && { checkpoint: await stores.artifacts.get(saved.artifact) };
    return trainUntil(job, { ...hooks, ...checkpoint }, until ?? Infinity);
  });
  if ('left' in trained) return trained;
  const artifact = await stores.artifacts.put(trained.bytes, { kind: 'model' });
  const { before, after, progress, baseSha256, numericProfile } = trained;
  return {
    ...{ run, artifact, trained },
    report: {
      ...{ examples: examples.train.length, steps: progress.step },
      ...(before === undefined ? {} : { before: { ...before } }),
      after: { ...after },
      looks: progress.looks as unknown as JsonObject[],
      ...{ baseSha256, numericProfile },
    },
  };
}

/** The adapter of this name before this one, on the same examples; undefined where there is none, or its base has gone. */
async function comparedWith(
  deps: Deps,
  project: string,
  material: Material,
  name: string,
  signal: AbortSignal,
): Promise<JsonObject | undefined> {
  const before = await adapterBefore(deps.stores, project, material.type.name, name, material.datasetId);
  if (before === undefined) return undefined;
  try {
    return { id: before.id, validation: await validated(deps, material, before, signal) };
  } catch (error) {
    // What was trained must not be lost for want of a comparison.
    if (!isChimeraError(error, 'CHIMERA_INVALID_INPUT') && !isChimeraError(error, 'CHIMERA_MODEL_UNAVAILABLE'))
      throw error;
    return { id: before.id, why: error.message };
  }
}

/** Sends points of the curve to the workflow that this activity belongs to. News that gets lost is no failure. */
function pointTeller({ temporal }: Deps, { steps }: AdapterSpec): (point: TrainingPoint) => void {
  const { workflowExecution } = Context.current().info;
  if (workflowExecution === undefined) return () => {};
  const { workflowId, runId } = workflowExecution;
  const handle = temporal.workflow.getHandle(workflowId, runId);
  const every = Math.max(1, Math.ceil(steps / POINTS));
  return (point) => {
    if (point.step % every !== 0 && point.look === undefined) return;
    handle.signal(SIGNALS.trainingPoint, point).catch(() => undefined);
  };
}
