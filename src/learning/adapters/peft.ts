import { invalidInput, type Problem } from '../../contracts/errors.ts';
import { encodeSafetensors, readSafetensors } from '../weights/safetensors.ts';
import { adapterProblems } from './check.ts';
import { readPeftConfig, writePeftConfig, type PeftConfig, type PeftTask } from './peft-config.ts';
import type { Adapter, AdapterTarget, ClassifierHead } from './types.ts';

/** Tensors of `adapter_model.safetensors` by their names. */
export type PeftWeights = ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;

export interface PeftAdapter {
  /** What `adapter_config.json` says. */
  readonly config: object;
  readonly weights: PeftWeights;
  /** Of the file of tensors. PEFT has no place for the labels of a head: they are here, as JSON. */
  readonly metadata: Readonly<Record<string, string>>;
}

const CONFIG = 'adapter_config.json';
const WEIGHTS = 'adapter_model.safetensors';
const MODEL = 'base_model.model.';
/** Where a model with a head on it keeps a BERT; alone, its names have no such part. */
const ENCODER = 'bert.';
const HEAD = { weight: `${MODEL}classifier.weight`, bias: `${MODEL}classifier.bias` };
const UPDATE = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/;

/**
 * An adapter as PEFT 0.21 stores it. With a head it is one of a `BertForSequenceClassification` (SEQ_CLS), whose pooler must be
 * replaced by the mean over tokens to give the same answers; without, of a `BertModel` (FEATURE_EXTRACTION) or of a decoder
 * (CAUSAL_LM). Throws `CHIMERA_INVALID_INPUT` where the adapter is not valid in itself.
 */
export function toPeft(adapter: Adapter): PeftAdapter {
  const problems = adapterProblems(adapter);
  if (problems.length > 0) throw invalidInput('the adapter', problems);
  const { targets, rank, head } = adapter;
  const task = taskOf(adapter);
  const prefix = task === 'SEQ_CLS' ? MODEL + ENCODER : MODEL;
  const weights = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const { module, inputs, outputs, a, b } of targets) {
    weights.set(`${prefix}${module}.lora_A.weight`, { shape: [rank, inputs], data: a });
    weights.set(`${prefix}${module}.lora_B.weight`, { shape: [outputs, rank], data: b });
  }
  if (head !== undefined) {
    const { length } = head.labels;
    weights.set(HEAD.weight, { shape: [length, head.weight.length / length], data: head.weight });
    weights.set(HEAD.bias, { shape: [length], data: head.bias });
  }
  const metadata = { format: 'pt', ...(head === undefined ? {} : { labels: JSON.stringify(head.labels) }) };
  return { config: writePeftConfig(adapter, task), weights, metadata };
}

function taskOf({ task, head }: Adapter): PeftTask {
  if (task !== 'classification') return 'CAUSAL_LM';
  return head === undefined ? 'FEATURE_EXTRACTION' : 'SEQ_CLS';
}

/**
 * Reads an adapter that PEFT has stored for a base. Labels of a head are those of `metadata`, else `LABEL_0`, `LABEL_1`, … as
 * Transformers names them. Throws `CHIMERA_INVALID_INPUT` that names every setting and tensor that is not supported.
 */
export function fromPeft(
  config: unknown,
  weights: PeftWeights,
  base: Adapter['base'],
  metadata: Readonly<Record<string, string>> = {},
): Adapter {
  const { task, rank, alpha, rankStabilised } = readPeftConfig(config);
  const problems: Problem[] = [];
  const adapter: Adapter = {
    ...{ base, task: task === 'CAUSAL_LM' ? 'causal' : 'classification', rank, alpha, rankStabilised },
    targets: readTargets(weights, { task, rank }, problems),
    ...(task === 'SEQ_CLS' ? readHead(weights, metadata, problems) : {}),
  };
  for (const name of weights.keys()) {
    const isHead = name === HEAD.weight || name === HEAD.bias;
    if (!UPDATE.test(name) && !(isHead && task === 'SEQ_CLS')) {
      problems.push({ path: `/${name}`, message: `a ${task} adapter with such a tensor is not supported` });
    }
  }
  if (problems.length === 0) problems.push(...adapterProblems(adapter));
  if (problems.length > 0) throw invalidInput(WEIGHTS, problems);
  return adapter;
}

function readTargets(
  weights: PeftWeights,
  { task, rank }: Pick<PeftConfig, 'task' | 'rank'>,
  problems: Problem[],
): AdapterTarget[] {
  const layers = new Set([...weights.keys()].flatMap((name) => UPDATE.exec(name)?.[1] ?? []));
  const targets = [...layers].map((layer): AdapterTarget => {
    const a = matrix(weights, `${MODEL}${layer}.lora_A.weight`, [rank, undefined], problems);
    const b = matrix(weights, `${MODEL}${layer}.lora_B.weight`, [undefined, rank], problems);
    const module = task === 'SEQ_CLS' && layer.startsWith(ENCODER) ? layer.slice(ENCODER.length) : layer;
    return { module, inputs: a.shape[1]!, outputs: b.shape[0]!, a: a.data, b: b.data };
  });
  return targets.sort((x, y) => (x.module < y.module ? -1 : 1));
}

function readHead(
  weights: PeftWeights,
  metadata: Readonly<Record<string, string>>,
  problems: Problem[],
): { head: ClassifierHead } {
  const weight = matrix(weights, HEAD.weight, [undefined, undefined], problems);
  const count = weight.shape[0]!;
  const bias = matrix(weights, HEAD.bias, [count], problems);
  const labels =
    metadata.labels === undefined
      ? Array.from({ length: Math.min(count, weight.data.length) }, (_, i) => `LABEL_${i}`)
      : readLabels(metadata.labels, problems);
  if (labels.length !== count) problems.push({ path: '/labels', message: `${labels.length} labels for ${count} rows` });
  return { head: { labels, weight: weight.data, bias: bias.data } };
}

function readLabels(text: string, problems: Problem[]): string[] {
  try {
    const labels: unknown = JSON.parse(text);
    if (Array.isArray(labels) && labels.every((label) => typeof label === 'string')) return labels;
  } catch {
    // Said below.
  }
  problems.push({ path: '/labels', message: 'the metadata names labels that are not a JSON list of texts' });
  return [];
}

/** A tensor of this shape, undefined being any size; where there is none, an empty one and a problem. */
function matrix(
  weights: PeftWeights,
  name: string,
  shape: readonly (number | undefined)[],
  problems: Problem[],
): { readonly shape: readonly number[]; readonly data: Float32Array } {
  const tensor = weights.get(name);
  if (tensor === undefined) problems.push({ path: `/${name}`, message: 'this tensor is missing' });
  else if (
    tensor.shape.length === shape.length &&
    shape.every((size, i) => size === undefined || size === tensor.shape[i])
  ) {
    return tensor;
  } else {
    const wanted = shape.map((size) => size ?? 'any').join(', ');
    problems.push({ path: `/${name}`, message: `it has the shape [${tensor.shape.join(', ')}], not [${wanted}]` });
  }
  return { shape: shape.map((size) => size ?? 0), data: new Float32Array() };
}

/** The two files that PEFT loads, by their names. */
export function writePeftFiles(adapter: Adapter): Map<string, Uint8Array> {
  const { config, weights, metadata } = toPeft(adapter);
  return new Map([
    [CONFIG, new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`)],
    [WEIGHTS, encodeSafetensors(weights, metadata)],
  ]);
}

/** Reads the two files that PEFT stores; as {@link fromPeft}, and throws so, too, where they are not JSON or not safetensors. */
export function readPeftFiles(config: Uint8Array, weights: Uint8Array, base: Adapter['base']): Adapter {
  let settings: unknown;
  try {
    settings = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(config));
  } catch {
    throw invalidInput(CONFIG, [{ path: '', message: 'it is not JSON' }]);
  }
  const file = readSafetensors(weights, WEIGHTS);
  const tensors = file.names.map((name) => [name, { shape: file.shape(name), data: file.f32(name) }] as const);
  return fromPeft(settings, new Map(tensors), base, file.metadata);
}
