import { MockActivityEnvironment } from '@temporalio/testing';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { createActivities, type RegisteredActivities } from '../../src/activities/index.ts';
import type { DatasetSummary } from '../../src/activities/curation.ts';
import type { EvaluationSummary, GateResult } from '../../src/activities/evaluation.ts';
import type { AskedGeneration, SearchHandle } from '../../src/activities/evolution.ts';
import type { SearchResult } from '../../src/activities/search-material.ts';
import type { RolloutResult, RolloutStep, StartedRollout } from '../../src/activities/rollout.ts';
import { runTasks } from '../../src/activities/runs.ts';
import type { ModelSummary } from '../../src/activities/training-types.ts';
import { installExample } from '../../src/cli/demo/install.ts';
import type { ExampleItem } from '../../src/cli/demo/example.ts';
import { DEFAULT_PROJECT as PROJECT } from '../../src/contracts/names.ts';
import type { ArtifactRef } from '../../src/contracts/records.ts';
import { routingOf } from '../../src/core/rollout/routing.ts';
import { openWorld } from '../../src/effects/world.ts';
import { createLendingFabric } from '../../src/fabric/lending.ts';
import { createDirectoryArtifacts, createStores, type Stores } from '../../src/stores/index.ts';
import type { VerifyDeps } from '../../src/verify/check.ts';
import { wordItems, words } from '../failpoints/words.ts';
import { stopAtEnd } from '../helpers/hooks.ts';
import { testHome, testStack } from '../helpers/stack.ts';
import { noModels } from '../helpers/learning.ts';

export interface PromotedRun {
  readonly deps: VerifyDeps;
  readonly stores: Stores;
  readonly databaseUrl: string;
  readonly artifactsPath: string;
  /** The version that won. */
  readonly champion: string;
}

const SEED = 'verify';
const TYPE = words.taskType.name;

/**
 * A stream, a cycle and a promotion in a database of their own, by the platform's own activities called one after the
 * other: all that a verification looks at, without the time that workflows take.
 */
export async function promotedRun(): Promise<PromotedRun> {
  const stack = await testStack();
  const database = await stack.createDatabase();
  const artifactsPath = join(testHome(), 'artifacts');
  const stores = createStores({ databaseUrl: database.url, artifacts: createDirectoryArtifacts(artifactsPath) });
  await stores.migrate();
  await stores.projects.ensure(PROJECT);
  const { fabric, lendBlobs } = createLendingFabric({
    poolSize: 2,
    resolve: (sha256) => stores.artifacts.get({ sha256 }),
  });
  stopAtEnd(async () => {
    fabric.close();
    await stores.close();
    await database.drop();
  });
  const learning = noModels();
  const { signal } = new AbortController();
  const deps: VerifyDeps = { stores, fabric, lendBlobs, learning, project: PROJECT, signal };
  const { activities } = createActivities({
    ...{ stores, fabric, lendBlobs, learning, deviceClasses: {}, deviceCosts: {}, runtimes: {}, queuePrefix: '' },
    temporal: undefined as unknown as Client, // none of the activities below starts a workflow
    world: await openWorld({ tools: [], toolsFolder: '/', reachable: [] }),
  });
  await installExample(stores, PROJECT, words);
  const champion = await cycle(deps, caller(activities));
  return { deps, stores, databaseUrl: database.url, artifactsPath, champion };
}

type Call = <R>(name: string, input: object) => Promise<R>;

/** Calls an activity as a worker would: heartbeats and cancellation need its context. */
function caller(activities: RegisteredActivities['activities']): Call {
  return async <R>(name: string, input: object) => {
    const activity = activities[name] as (input: object) => Promise<unknown>;
    const given: object = { project: PROJECT, ...input };
    return (await new MockActivityEnvironment().run<[object], unknown, typeof activity>(activity, given)) as R;
  };
}

async function serve({ stores, fabric }: VerifyDeps, items: readonly ExampleItem[]): Promise<void> {
  const submissions = items.map(({ id, payload }) => ({ key: id, payload }));
  const accepted = await stores.tasks.acceptMany(PROJECT, TYPE, submissions, { route: routingOf });
  const tasks = accepted.map(({ task }) => task);
  await stores.executions.putMany(PROJECT, TYPE, await runTasks({ stores, fabric }, PROJECT, words.taskType, tasks));
  await stores.feedback.addMany(
    PROJECT,
    items.map(({ id, expected }) => ({ key: id, feedback: { kind: 'demonstration', value: expected } })),
  );
}

async function cycle(deps: VerifyDeps, call: Call): Promise<string> {
  const items = wordItems(SEED, { learn: 240, prove: 300 });
  await serve(deps, items.slice(0, 240));
  const base = { taskType: TYPE, seed: SEED };
  const dataset = await call<DatasetSummary>('curate', { ...base, minimumExamples: 50, shuffleLabels: false });
  const datasetId = dataset.id;
  const model = await call<ModelSummary>('trainModel', { ...base, datasetId, variant: 'words' });
  const search = await searched(call, { ...base, datasetId, modelIds: [model.id] });
  const versions = { agentVersions: [search.champion, ...search.finalists] };
  const evaluation = await call<EvaluationSummary>('evaluateAgents', {
    ...base,
    datasetId,
    split: 'test',
    ...versions,
  });
  const { champion, finalists } = search;
  const gate = await call<GateResult>('gateFinalists', {
    taskType: TYPE,
    champion,
    finalists,
    evaluation: evaluation.id,
  });
  const terms = { alpha: 0.05, minimumEffect: 0, cap: 250, shadowTasks: 40, share: 0.3 };
  const started = await call<StartedRollout>('startRollout', {
    ...{ ...base, ...terms, purpose: 'test' },
    challenger: gate.challenger ?? finalists[0],
  });
  const rollout = started.id;
  for (let at = 240; at < items.length; at += 50) {
    await serve(deps, items.slice(at, at + 50));
    const { decided } = await call<RolloutStep>('advanceRollout', { rollout, waitMs: 0 });
    if (decided) break;
  }
  const { promoted } = await call<RolloutResult>('finishRollout', { rollout });
  if (!promoted) throw new Error('the small run promotes nothing');
  return (await deps.stores.deployments.current(PROJECT, TYPE))!.champion;
}

async function searched(call: Call, input: object): Promise<SearchResult> {
  const limits = { population: 8, generations: 3, evaluations: 1e6, fuel: 1e12, plateau: 3 };
  const begun = await call<SearchHandle>('startSearch', { ...input, ...limits });
  const search = begun.id;
  let { state } = begun;
  for (;;) {
    const { asked, stop } = await call<AskedGeneration>('askGeneration', { search, state });
    if (stop !== undefined) return call<SearchResult>('finishSearch', { search, state });
    const results = await Promise.all(
      [0, 1].map((shard) => call<ArtifactRef>('evaluateShard', { search, asked, shard, of: 2 })),
    );
    ({ state } = await call<{ state: ArtifactRef }>('tellGeneration', { search, state, asked, results }));
  }
}
