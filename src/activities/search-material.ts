import { ChimeraError, invalidInput } from '../contracts/errors.ts';
import { modelName } from '../contracts/names.ts';
import type { AgentManifest, AgentVersion, DatasetExample, JsonObject, ModelRecord } from '../contracts/records.ts';
import { sha256Hex } from '../core/canonical/canonical.ts';
import { compileGenome } from '../core/evolution/compile.ts';
import { offerModel, summariseData, type ModelOffer, type SearchContext } from '../core/evolution/context.ts';
import { modelsOf, parseGenome, type Genome } from '../core/evolution/genome.ts';
import { seedOf } from '../core/execution/driver.ts';
import { valueAt } from '../core/kpi/pointer.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import type { RunItem } from '../fabric/index.ts';
import type { ActivityDeps } from './deps.ts';
import { givesLabels, isAdapterSpec, scoreTexts, textOf } from './model-scores.ts';

export interface SearchResult {
  id: string;
  /** Version id of the agent that was champion when the search began. */
  champion: string;
  /** Version ids, in order of preference. */
  finalists: string[];
  archiveHash: string;
  lineageHash: string;
  evaluations: number;
  text: string;
}

/** What an experiment's row holds. Everything but `result` is known before the first generation, and hashed into its id. */
export interface ExperimentDocument {
  datasetId: string;
  modelIds: string[];
  champion: string;
  settings: JsonObject;
  result?: Omit<SearchResult, 'text'>;
}

/** A task type whose answers are labels: what evolution works on. */
export type LabelType = TaskType & { scorer: Extract<TaskType['scorer'], { kind: 'label' }> };

export function requireLabels(type: TaskType): LabelType {
  if (type.scorer.kind === 'label') return type as LabelType;
  throw new ChimeraError('CHIMERA_NO_DATA', {
    why: `task type ${type.name} is scored by "${type.scorer.kind}"; evolution needs a scorer of kind "label"`,
  });
}

export const expectedLabel = (type: LabelType, example: DatasetExample): number =>
  type.scorer.labels.indexOf(String(valueAt(example.expected, type.scorer.pointer)));

/** An example as the sandbox runs it. */
export const runItem = ({
  taskId,
  payload,
  features,
}: DatasetExample): RunItem & { prepared: NonNullable<RunItem['prepared']> } => ({
  key: taskId,
  seed: seedOf(taskId),
  prepared: { payload, features: Float64Array.from(features) },
});

/** A genome as an agent: its module and what it may do. */
export function agentOf(
  genome: Genome,
  models: ReadonlyMap<string, string>,
): { module: Uint8Array; sha256: string; manifest: AgentManifest } {
  const module = compileGenome(genome);
  const asked = modelsOf(genome);
  const missing = asked.filter((name) => !models.has(name));
  if (missing.length > 0) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'model', name: missing.join(', ') });
  const manifest: AgentManifest = {
    abi: 'chimera:agent@1',
    description: 'decision program found by evolution',
    capabilities: asked.length > 0 ? ['infer'] : [],
    models: Object.fromEntries(asked.map((name) => [name, models.get(name)!])),
    limits: {},
    engine: 'any',
  };
  return { module, sha256: sha256Hex(module), manifest };
}

/** The champion as a genome; one that was written by hand is stood for by the plainest program there is. */
export function incumbentOf(champion: AgentVersion, labels: readonly string[]): Genome {
  if (champion.genome !== undefined) return parseGenome(champion.genome);
  return { labels: [...labels], rules: [], otherwise: { label: labels[0]! }, default: labels[0]! };
}

const qualityOf = ({ report }: ModelRecord): number =>
  (report['validation'] as { balancedAccuracy: number } | undefined)?.balancedAccuracy ?? 0;

/**
 * The models but for those adapters that a cheaper model equals on validation: an adapter costs a hundred times as much, and every
 * model that a search is offered takes its share of what the search can try.
 */
function worthOffering(models: readonly ModelRecord[]): ModelRecord[] {
  const isBeaten = (own: ModelRecord): boolean =>
    models.some((other) => other.price < own.price && qualityOf(other) >= qualityOf(own));
  return models.filter((model) => !isAdapterSpec(model.spec) || !isBeaten(model));
}

function refuseAnswering(models: readonly ModelRecord[]): void {
  const problems = models.flatMap((model, i) =>
    givesLabels(model.spec)
      ? []
      : [{ path: `/modelIds/${i}`, message: `${modelName(model)} is a decoder's adapter, which gives no labels` }],
  );
  if (problems.length > 0) throw invalidInput('the models of the search', problems);
}

/** What a search may build with: the training split's features, and what each model says on the validation split. */
export async function searchContext(
  deps: Pick<ActivityDeps, 'stores' | 'learning'>,
  type: LabelType,
  examples: readonly DatasetExample[],
  models: readonly ModelRecord[],
  incumbent: Genome,
): Promise<SearchContext> {
  refuseAnswering(models);
  const { labels, positive = labels.at(-1)! } = type.scorer;
  const names = type.features.map((feature) => feature.name);
  const train = examples.filter((example) => example.split === 'train');
  const validation = examples.filter((example) => example.split === 'validation');
  const summary = summariseData({
    names,
    columns: names.map((_, i) => Float64Array.from(train, (example) => example.features[i] ?? 0)),
    expected: train.map((example) => expectedLabel(type, example)),
    labels,
  });
  const positiveIndex = labels.indexOf(positive);
  const negative = labels.find((label) => label !== positive)!;
  const offers: ModelOffer[] = [];
  for (const record of worthOffering(models)) {
    const texts = validation.map((example) => textOf(type, example));
    const answers = await scoreTexts(deps, record, texts);
    const score = answers[0]?.labels.indexOf(positive) ?? 0;
    const scores = answers.map((answer) => answer.scores[score]!);
    const use = { name: modelName(record), input: type.text!, score, positive, negative };
    offers.push(
      offerModel(
        use,
        scores,
        validation.map((example) => expectedLabel(type, example) === positiveIndex),
      ),
    );
  }
  return { ...summary, models: offers, incumbent, seeds: [] };
}

/** Names → ids of every model that a genome of this search may ask: the offered ones, and the champion's own. */
export function modelDirectory(models: readonly ModelRecord[], champion: AgentVersion): Map<string, string> {
  return new Map([
    ...Object.entries(champion.manifest.models),
    ...models.map((model): [string, string] => [modelName(model), model.id]),
  ]);
}

export const asJsonObject = (value: unknown): JsonObject => value as JsonObject;
