import { agentOf, requireLabels } from '../../activities/search-material.ts';
import { isAdapterSpec } from '../../activities/model-scores.ts';
import { storeVersion } from '../../activities/publishing.ts';
import { isChimeraError } from '../../contracts/errors.ts';
import { modelName } from '../../contracts/names.ts';
import type { JsonObject, ModelRecord } from '../../contracts/records.ts';
import { ADAPTER_VARIANTS } from '../../core/training/adapter/variants.ts';
import type { Genome } from '../../core/evolution/genome.ts';
import type { TaskType } from '../../core/validation/task-type.ts';
import { createFabric } from '../../fabric/index.ts';
import type { DemoReport } from '../../report/data.ts';
import { pullModel } from '../base-models.ts';
import type { Platform } from '../platform.ts';
import type { Printer } from './printer.ts';

/** After this the demo goes on without: it is a demo. */
const PATIENCE_MS = 120_000;
const KEPT = 3;

/** Brings the base models here that the cycles' adapters are trained beside, or says why there are none. */
export async function bringBaseModels(
  { stores, config }: Platform,
  printer: Printer,
  signal: AbortSignal,
): Promise<void> {
  const place = { stores, project: config.project, cacheDir: config.cacheDir, manifest: config.models.manifest };
  for (const base of new Set(ADAPTER_VARIANTS.map((spec) => spec.base))) {
    const limit = AbortSignal.timeout(PATIENCE_MS);
    try {
      const { record } = await pullModel(base, place, {
        keep: KEPT,
        signal: AbortSignal.any([signal, limit]),
        onProgress: (done, total) => printer.part('model', `${base} ${Math.floor((100 * done) / total)} %`),
      });
      printer.line(`✓ model     ${base}: adapters of it are trained and offered to evolution (${record.licence})`);
    } catch (error) {
      signal.throwIfAborted();
      if (!isChimeraError(error)) throw error;
      const [problem] = error.details.problems ?? [];
      const why = limit.aborted ? `not here after ${PATIENCE_MS / 1000} s` : (problem?.message ?? error.message);
      printer.line(`! model     ${base} cannot be had: ${why}. The cycles train linear models only.`);
    }
  }
}

/** The models that were trained last, one of each name, in the order of their training. */
export async function lastModels({ stores, config }: Platform, taskType: string): Promise<ModelRecord[]> {
  const all = await stores.models.list(config.project, { taskType });
  return [...new Map(all.map((model) => [model.name, model])).values()];
}

/** For each adapter that was trained an agent that puts every task to it: what the model is worth alone. */
export async function adapterAgents(
  { stores, config }: Platform,
  taskType: string,
  models: readonly ModelRecord[],
): Promise<{ version: string; name: string }[]> {
  const { project } = config;
  const type = requireLabels(await stores.taskTypes.require<TaskType>(project, taskType));
  const { labels, positive = labels.at(-1)! } = type.scorer;
  const negative = labels.find((label) => label !== positive)!;
  const fabric = createFabric({ poolSize: 1, resolve: (sha256) => stores.artifacts.get({ sha256 }) });
  try {
    const agents: { version: string; name: string }[] = [];
    for (const model of models.filter(({ spec }) => isAdapterSpec(spec) && !('merge' in spec))) {
      const score = labels.indexOf(positive);
      const use = { name: modelName(model), input: type.text!, score, threshold: 0.5, positive, negative };
      const genome: Genome = { labels, rules: [], otherwise: { ask: true }, default: negative, model: use };
      const { module, manifest } = agentOf(genome, new Map([[use.name, model.id]]));
      const published = await fabric.publish(module, manifest);
      const agent = `${model.name}-alone`;
      await storeVersion(stores, project, module, published, {
        ...{ agent, by: 'install', genome: genome as unknown as JsonObject },
      });
      agents.push({ version: published.id, name: `adapter ${model.name} alone` });
    }
    return agents;
  } finally {
    fabric.close();
  }
}

/** What evolution was offered, and which champions ask for it. */
export async function offeredModels(
  { stores, config }: Platform,
  models: readonly ModelRecord[],
  champions: ReadonlyMap<string, string>,
): Promise<DemoReport['models']> {
  const asked = await Promise.all(
    [...champions].map(async ([version, name]) => {
      const { manifest } = await stores.agents.require(config.project, version);
      return { name, models: Object.values(manifest.models) };
    }),
  );
  return models.map(({ id, name, price, report }) => {
    const { balancedAccuracy } = report['validation'] as { balancedAccuracy: number };
    const askedBy = asked.filter((agent) => agent.models.includes(id)).map((agent) => agent.name);
    return { name, price, balancedAccuracy, askedBy };
  });
}
