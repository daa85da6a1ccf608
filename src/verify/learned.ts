import { readDataset, typeOfDataset } from '../activities/datasets.ts';
import { recentFrom } from '../activities/curation.ts';
import { judgeVersions, readEvaluation } from '../activities/evaluation.ts';
import { readLabelled } from '../activities/labelled.ts';
import { requireLabels } from '../activities/search-material.ts';
import { isAdapterSpec } from '../activities/model-scores.ts';
import { judgeLinear } from '../activities/train-linear.ts';
import { trainingData } from '../activities/training.ts';
import type { AgentVersion, DatasetRecord, ModelRecord } from '../contracts/records.ts';
import { hashOf, sha256Hex } from '../core/canonical/canonical.ts';
import { cutDataset, cutSettingsOf, type DatasetCut } from '../core/curation/cut.ts';
import { compileGenome } from '../core/evolution/compile.ts';
import { parseGenome } from '../core/evolution/genome.ts';
import type { LinearSpec } from '../core/training/linear/spec.ts';
import { createTrainer } from '../core/training/linear/trainer.ts';
import { Comparison, type Check, type VerifyDeps } from './check.ts';

const short = (id: string): string => id.slice(0, 12);

/** Datasets cut again from the stream, with their recorded settings. */
export async function checkDatasets(
  deps: VerifyDeps,
  datasets: readonly DatasetRecord[],
  alarms: readonly { ordinal: number }[],
): Promise<Check> {
  const compared = new Comparison('datasets');
  for (const dataset of datasets) {
    const { id, artifact, counts, uptoOrdinal, taskType } = dataset;
    const name = `dataset ${taskType} version ${dataset.version} (${short(id)})`;
    await compared.derive(name, async () => {
      const type = await typeOfDataset(deps.stores, deps.project, id, taskType);
      const datasheet = dataset.datasheet as unknown as DatasetCut['datasheet'];
      const candidates = await readLabelled(deps, deps.project, type, uptoOrdinal, deps.signal);
      const settings = { ...cutSettingsOf(datasheet), recentFrom: recentFrom(alarms, uptoOrdinal) };
      const cut = cutDataset(type, candidates, settings);
      compared.same(
        name,
        { id, examples: artifact.sha256, counts, datasheet },
        { id: cut.id, examples: sha256Hex(cut.bytes), counts: cut.counts, datasheet: cut.datasheet },
      );
    });
  }
  return compared.done();
}

/**
 * Models trained again from their dataset and specification, never from a checkpoint. An adapter is exact on one numeric profile
 * only, and takes its minutes: of it only the name is checked, which is its bytes' hash.
 */
export async function checkModels(deps: VerifyDeps, models: readonly ModelRecord[]): Promise<Check> {
  const compared = new Comparison('models');
  const adapters = models.filter(({ spec }) => isAdapterSpec(spec));
  for (const { id, name, artifact } of adapters) {
    const subject = `adapter ${name} (${short(id)})`;
    await compared.derive(subject, async () =>
      compared.same(subject, id, sha256Hex(await deps.stores.artifacts.get(artifact))),
    );
  }
  const linear = models.filter(({ spec }) => !isAdapterSpec(spec));
  for (const { id, name, dataset, taskType, artifact, spec, report, price } of linear) {
    const subject = `model ${name} (${short(id)})`;
    await compared.derive(subject, async () => {
      deps.signal.throwIfAborted();
      const type = await typeOfDataset(deps.stores, deps.project, dataset, taskType);
      const data = trainingData(type, await readDataset(deps.stores, deps.project, dataset));
      const settings = spec as unknown as LinearSpec;
      const trainer = createTrainer(settings, data);
      while (!trainer.progress.done) trainer.step();
      const bytes = trainer.model();
      const sha256 = sha256Hex(bytes);
      compared.same(
        subject,
        { id, sha256: artifact.sha256, price, validation: report.validation },
        { id: sha256, sha256, price: settings.price, validation: judgeLinear(type, data, bytes) },
      );
    });
  }
  return compared.done(adapters.length === 0 ? undefined : `${adapters.length} adapters: only their names`);
}

/** Versions that evolution made, compiled again from their genomes; and the name of every version from its content. */
export async function checkAgents(deps: VerifyDeps, versions: readonly AgentVersion[]): Promise<Check> {
  const compared = new Comparison('agent versions');
  let foreign = 0;
  for (const { id, agent, module, manifest, genome } of versions) {
    const name = `agent ${agent} (${short(id)})`;
    await compared.derive(name, async () => {
      deps.signal.throwIfAborted();
      if (genome === undefined) foreign++;
      const bytes = genome === undefined ? await deps.stores.artifacts.get(module) : compileGenome(parseGenome(genome));
      const sha256 = sha256Hex(bytes);
      compared.same(
        name,
        { id, module: module.sha256, bytes: module.bytes },
        { id: hashOf({ module: sha256, manifest }), module: sha256, bytes: bytes.length },
      );
    });
  }
  return compared.done(foreign === 0 ? undefined : `${foreign} without a genome: only their names`);
}

/** Judgements of finalists, each version run again on the held-out examples. */
export async function checkJudgements(deps: VerifyDeps, ids: readonly string[]): Promise<Check> {
  const compared = new Comparison('judgements of finalists');
  for (const id of ids) {
    await compared.derive(`judgement ${short(id)}`, async () => {
      const stored = await readEvaluation(deps.stores, deps.project, id);
      const { taskType, datasetId, split, seed, versions } = stored;
      const asked = versions.map(({ version }) => version);
      const type = requireLabels(await typeOfDataset(deps.stores, deps.project, datasetId, taskType));
      const own = hashOf({ datasetId, split, versions: asked, seed }).slice(0, 32);
      const question = { id: own, taskType, datasetId, split, seed, versions: asked };
      const derived = await judgeVersions(deps, deps.project, type, question, { signal: deps.signal });
      compared.same(`judgement ${short(id)}`, stored, derived);
    });
  }
  return compared.done();
}
