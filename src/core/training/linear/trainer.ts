import { invalidInput, type Problem } from '../../../contracts/errors.ts';
import { hashOf } from '../../canonical/canonical.ts';
import { log } from '../../stats/math.ts';
import { decodeTensorFile, encodeTensorFile } from '../tensor-file.ts';
import { fitCalibration, UNCALIBRATED } from './calibration.ts';
import { dualPass, initialState, margin, type DualState, type LogisticProblem } from './dual-coordinate.ts';
import { fitVocabulary, vectorise, type SparseRows } from './matrix.ts';
import { encodeLinearModel, problemCount } from './model.ts';
import type { LinearSpec } from './spec.ts';

export interface Example {
  readonly text: string;
  readonly label: string;
}

export interface TrainingData {
  /** All labels, in the order in which scores are given. With two, the last is the positive one. */
  readonly labels: readonly string[];
  readonly train: readonly Example[];
  /** Examples that calibrate the probabilities; no weight is fitted to them. May be empty. */
  readonly validation: readonly Example[];
}

export interface TrainingProgress {
  /** Passes done. */
  readonly step: number;
  /** Passes at most. */
  readonly of: number;
  /** Mean training loss met in the last pass; NaN before the first. */
  readonly loss: number;
  readonly done: boolean;
}

/** Training that can stop between any two passes and go on elsewhere with the same bytes. */
export interface Trainer {
  readonly progress: TrainingProgress;
  /** One pass over the training examples; nothing once it is done. */
  step(): TrainingProgress;
  /** All that {@link resumeTrainer} needs besides specification and data. */
  checkpoint(): Uint8Array;
  /** The bytes of the finished model (see `loadLinearModel`). May be asked for before the end. */
  model(): Uint8Array;
}

const MAGIC = 'CHCK';

function checkData(data: TrainingData): void {
  const problems: Problem[] = [];
  if (data.labels.length < 2) problems.push({ path: '/labels', message: 'at least two labels are needed' });
  if (new Set(data.labels).size < data.labels.length)
    problems.push({ path: '/labels', message: 'a label is named twice' });
  for (const label of data.labels) {
    if (!data.train.some((example) => example.label === label)) {
      problems.push({ path: '/train', message: `no example is labelled ${label}` });
    }
  }
  for (const part of ['train', 'validation'] as const) {
    const strange = data[part].findIndex((example) => !data.labels.includes(example.label));
    if (strange >= 0) problems.push({ path: `/${part}/${strange}/label`, message: 'is none of the labels' });
  }
  if (problems.length > 0) throw invalidInput('the training data', problems);
}

/** log of the ratio in which a column occurs in positive and negative rows, smoothed by one, scaled to at most 1. */
function naiveBayesRatios(rows: SparseRows, signs: Int8Array, columns: number): Float64Array {
  const positive = new Float64Array(columns).fill(1);
  const negative = new Float64Array(columns).fill(1);
  for (let row = 0; row < signs.length; row++) {
    const counts = signs[row]! > 0 ? positive : negative;
    for (let i = rows.starts[row]!; i < rows.starts[row + 1]!; i++) counts[rows.columns[i]!]!++;
  }
  const sum = (counts: Float64Array): number => counts.reduce((total, count) => total + count, 0);
  const shift = log(sum(negative) / sum(positive));
  const ratios = positive.map((count, column) => log(count / negative[column]!) + shift);
  const largest = ratios.reduce((top, ratio) => Math.max(top, Math.abs(ratio)), 0);
  return largest > 0 ? ratios.map((ratio) => ratio / largest) : ratios;
}

function scaled(rows: SparseRows, ratios: Float64Array | undefined): SparseRows {
  if (ratios === undefined) return rows;
  return { ...rows, values: rows.values.map((value, i) => value * ratios[rows.columns[i]!]!) };
}

/** Starts training from nothing. Throws `CHIMERA_INVALID_INPUT` where the data cannot be learned from. */
export function createTrainer(spec: LinearSpec, data: TrainingData): Trainer {
  return startTrainer(spec, data, undefined);
}

/**
 * Goes on from a checkpoint: the weights that follow are, bit by bit, those of a training that never stopped. Throws
 * `CHIMERA_INVALID_INPUT` where the bytes are damaged or belong to another specification or other data.
 */
export function resumeTrainer(spec: LinearSpec, data: TrainingData, checkpoint: Uint8Array): Trainer {
  return startTrainer(spec, data, checkpoint);
}

function startTrainer(spec: LinearSpec, data: TrainingData, checkpoint: Uint8Array | undefined): Trainer {
  checkData(data);
  const texts = data.train.map((example) => example.text);
  const vocabulary = fitVocabulary(spec, texts);
  const columns = vocabulary.buckets.length;
  const rows = vectorise(spec, vocabulary, texts);
  const targets = problemCount(data.labels) === 1 ? data.labels.slice(1) : data.labels;

  const setups = targets.map((label) => {
    const signs = Int8Array.from(data.train, (example) => (example.label === label ? 1 : -1));
    const positives = signs.reduce((sum, sign) => sum + (sign > 0 ? 1 : 0), 0);
    const costs = Float64Array.from(signs, (sign) =>
      spec.balanced ? (spec.c * signs.length) / (2 * (sign > 0 ? positives : signs.length - positives)) : spec.c,
    );
    const ratios = spec.naiveBayes ? naiveBayesRatios(rows, signs, columns) : undefined;
    const problem: LogisticProblem = { rows: scaled(rows, ratios), signs, costs };
    return { label, problem, ratios };
  });
  const states: DualState[] = setups.map(({ problem }) => initialState(problem, columns));
  const fingerprint = hashOf({ spec, labels: data.labels, train: data.train.map(({ text, label }) => [text, label]) });

  let step = 0;
  let loss = Number.NaN;
  let settled = false;
  const progress = (): TrainingProgress => ({ step, of: spec.epochs, loss, done: settled || step >= spec.epochs });

  const restore = (bytes: Uint8Array): void => {
    const { header, tensors } = decodeTensorFile(MAGIC, bytes, 'the checkpoint');
    const refuse = (message: string): never => {
      throw invalidInput('the checkpoint', [{ path: '', message }]);
    };
    if (header['fingerprint'] !== fingerprint) refuse('it belongs to another specification or other data');
    states.forEach((state, p) => {
      const weights = tensors.get(`weights${p}`);
      const alphas = tensors.get(`alphas${p}`);
      if (weights?.length !== state.weights.length || alphas?.length !== state.alphas.length) {
        return refuse(`the state of problem ${p} has another size`);
      }
      state.weights.set(weights);
      state.alphas.set(alphas);
    });
    step = Number(header['step']);
    loss = header['loss'] === null ? Number.NaN : Number(header['loss']);
    settled = header['settled'] === true;
  };

  const calibrated = (p: number, weights: Float64Array): { slope: number; offset: number } => {
    if (data.validation.length === 0) return UNCALIBRATED;
    const { label, ratios } = setups[p]!;
    const held = scaled(
      vectorise(
        spec,
        vocabulary,
        data.validation.map((example) => example.text),
      ),
      ratios,
    );
    const margins = Float64Array.from(data.validation, (_, row) => margin(weights, held, row));
    return fitCalibration(
      margins,
      data.validation.map((example) => example.label === label),
      spec.balanced,
    );
  };

  if (checkpoint !== undefined) restore(checkpoint);
  return {
    get progress() {
      return progress();
    },
    step() {
      if (progress().done) return progress();
      let gradient = 0;
      let total = 0;
      setups.forEach(({ problem }, p) => {
        const report = dualPass(problem, states[p]!, spec.seed, step, spec.tolerance);
        gradient = Math.max(gradient, report.gradient);
        total += report.loss;
      });
      loss = total / setups.length;
      settled = gradient < spec.tolerance;
      step++;
      return progress();
    },
    checkpoint() {
      const header = { format: 1, fingerprint, step, loss: Number.isNaN(loss) ? null : loss, settled };
      const tensors = Object.fromEntries(
        states.flatMap((state, p) => [
          [`weights${p}`, state.weights],
          [`alphas${p}`, state.alphas],
        ]),
      );
      return encodeTensorFile(MAGIC, header, tensors);
    },
    model() {
      const weights = new Float32Array(columns * setups.length);
      const problems = setups.map(({ ratios }, p) => {
        const state = states[p]!;
        for (let column = 0; column < columns; column++) {
          weights[p * columns + column] = state.weights[column]! * (ratios?.[column] ?? 1);
        }
        return { bias: state.weights[columns]!, ...calibrated(p, state.weights) };
      });
      return encodeLinearModel({
        spec,
        labels: data.labels,
        examples: vocabulary.examples,
        problems,
        buckets: vocabulary.buckets,
        frequencies: vocabulary.frequencies,
        weights,
      });
    },
  };
}
