import { ChimeraError, invalidInput } from '../../contracts/errors.ts';
import type { AdapterSpec } from '../../contracts/adapters.ts';
import { hashOf } from '../../core/canonical/canonical.ts';
import { decodeTensorFile, encodeTensorFile } from '../../core/training/tensor-file.ts';
import type { Adapter } from '../adapters/types.ts';
import type { BaseModel } from '../architecture/base.ts';
import type { GraphModel } from '../onnx/types.ts';
import { numericProfile } from '../runtime/numeric-profile.ts';
import { ResidentWeights } from '../runtime/resident-weights.ts';
import { tensor, type SessionOptions, type Values } from '../runtime/session.ts';
import { SessionCache } from '../runtime/session-cache.ts';
import {
  dropoutInputs,
  examplesAt,
  microBatch,
  predictedSizes,
  type MicroBatch,
  type PredictedSizes,
} from './batches.ts';
import { checkedHeader, checkedLayout } from './check.ts';
import { trainingGraph, type Bucket } from './graphs.ts';
import { adamWStep, addGradient, divide, learningRateAt, newOptimizer, type OptimizerState } from './optimizer.ts';
import { initialValues, toAdapter, toVector, type Layout } from './trainables.ts';
import type { Look, TrainerOptions, TrainingProgress, TrainingSet } from './types.ts';

const MAGIC = 'CHAC';

/**
 * Trains an adapter beside a frozen base model, a step at a time. Everything that a step needs is its number, the parameters and
 * the optimizer's two vectors: a run that is resumed from a checkpoint gives the bytes of one that was never stopped.
 */
export class AdapterTrainer {
  readonly #options: TrainerOptions;
  readonly #layout: Layout;
  readonly #run: string;
  readonly #sessions: SessionCache;
  readonly #state: OptimizerState;
  readonly #sizes: Record<'train' | 'validation', PredictedSizes>;
  #loss = Number.NaN;
  readonly #looks: Look[] = [];
  #best: Float32Array | undefined;

  private constructor(options: TrainerOptions, layout: Layout, run: string, state: OptimizerState) {
    this.#options = options;
    this.#layout = layout;
    this.#run = run;
    this.#state = state;
    this.#sessions = new SessionCache({ ...optionsOf(options), ...weightsOf(options) });
    const { spec, data } = options;
    this.#sizes = {
      train: predictedSizes(firstBatches(data.train, spec), spec),
      validation: predictedSizes(inTurn(data.validation, spec), spec),
    };
  }

  /** @throws `CHIMERA_INVALID_INPUT` where base, task and targets do not fit; `CHIMERA_NO_DATA` without examples */
  static create(options: TrainerOptions): AdapterTrainer {
    const { base, spec, data, from } = options;
    const layout = checkedLayout(options);
    const values = from === undefined ? initialValues(layout, spec.seed) : toVector(from, layout);
    return new AdapterTrainer(options, layout, runName(base, spec, data), newOptimizer(values));
  }

  /**
   * Goes on from a checkpoint of the same run.
   * @throws `CHIMERA_INVALID_INPUT` for bytes that are no checkpoint of it, `CHIMERA_NUMERIC_PROFILE` on another kind of machine
   */
  static resume(options: TrainerOptions, bytes: Uint8Array): AdapterTrainer {
    const layout = checkedLayout(options);
    const run = runName(options.base, options.spec, options.data);
    const { header, tensors } = decodeTensorFile(MAGIC, bytes, 'the checkpoint');
    const { run: saved, profile, step, loss, looks } = checkedHeader(header);
    const { parameters, first, second, best, ...others } = Object.fromEntries(tensors);
    const whole = [parameters, first, second, best ?? parameters].every(
      (part) => part instanceof Float32Array && part.length === layout.size,
    );
    if (saved !== run) throw invalidInput('the checkpoint', [{ path: '', message: 'it is of another run' }]);
    if (!whole || Object.keys(others).length > 0) {
      throw invalidInput('the checkpoint', [{ path: '', message: 'its tensors are not those of the run' }]);
    }
    const actual = numericProfile(optionsOf(options));
    if (profile !== actual) {
      throw new ChimeraError('CHIMERA_NUMERIC_PROFILE', { expected: String(profile), actual });
    }
    const trainer = new AdapterTrainer(options, layout, run, {
      step,
      parameters: parameters as Float32Array,
      first: first as Float32Array,
      second: second as Float32Array,
    });
    trainer.#loss = loss ?? Number.NaN;
    trainer.#looks.push(...looks);
    trainer.#best = best as Float32Array | undefined;
    return trainer;
  }

  get progress(): TrainingProgress {
    const { steps } = this.#options.spec;
    const { step } = this.#state;
    const done = (step >= steps || this.#isStale()) && this.#looks.at(-1)?.step === step;
    return { step, of: steps, loss: this.#loss, looks: this.#looks, done };
  }

  /** Nobody has been better for a while: early stopping (Prechelt 1998). */
  #isStale(): boolean {
    const { patience } = this.#options.spec;
    const best = bestOf(this.#looks);
    return patience > 0 && best !== undefined && this.#looks.length - 1 - this.#looks.indexOf(best) >= patience;
  }

  /** Takes a step, and looks at the validation examples where it is time to. */
  async step(): Promise<TrainingProgress> {
    if (this.progress.done) return this.progress;
    const { spec } = this.#options;
    const state = this.#state;
    if (state.step < spec.steps && !this.#isStale()) await this.#learn();
    const { step } = state;
    const isTime = spec.evaluateEvery > 0 && step % spec.evaluateEvery === 0;
    if (isTime || step === spec.steps) await this.#look();
    return this.progress;
  }

  async #learn(): Promise<void> {
    const { spec, data, base } = this.#options;
    const { step, parameters } = this.#state;
    const total = new Float64Array(this.#layout.size);
    let loss = 0;
    let weight = 0;
    for (let micro = 0; micro < spec.accumulation; micro++) {
      const batch = microBatch(examplesAt(data.train, spec, step, micro), spec, spec.batch, this.#sizes.train);
      const keep = dropoutInputs(base.config, spec, this.#layout, batch.bucket, step, micro);
      const { loss: sum, gradient } = await this.#execute(batch, parameters, true, keep);
      loss += sum!.data[0] as number;
      weight += batch.weight;
      addGradient(total, gradient!.data as Float32Array);
    }
    divide(total, weight);
    this.#loss = loss / weight;
    checkFinite(this.#loss, `the loss of step ${step + 1}`);
    adamWStep(this.#state, total, learningRateAt(step, spec), spec);
  }

  async #look(): Promise<void> {
    const { step, parameters } = this.#state;
    const { loss, accuracy } = await this.#judge(parameters);
    checkFinite(loss, `the validation loss after step ${step}`);
    const before = bestOf(this.#looks);
    this.#looks.push({ step, loss, ...(accuracy === undefined ? {} : { accuracy }) });
    if (this.#options.spec.patience > 0 && (before === undefined || loss < before.loss))
      this.#best = parameters.slice();
  }

  /** Loss and accuracy on the validation examples: of what is trained, or of the base without it. */
  async evaluate(of: 'adapter' | 'base'): Promise<Omit<Look, 'step'>> {
    return this.#judge(of === 'base' ? initialValues(this.#layout, this.#options.spec.seed) : this.#chosen);
  }

  async #judge(parameters: Float32Array): Promise<Omit<Look, 'step'>> {
    const { spec, data } = this.#options;
    let loss = 0;
    let weight = 0;
    let right = 0;
    for (const examples of inTurn(data.validation, spec)) {
      const batch = microBatch(examples, spec, spec.batch, this.#sizes.validation);
      const outputs = await this.#execute(batch, parameters, false, {});
      loss += outputs['loss']!.data[0] as number;
      weight += batch.weight;
      right += rightOnes(outputs, batch);
    }
    const mean = weight === 0 ? Number.NaN : loss / weight;
    return spec.task === 'causal' ? { loss: mean } : { loss: mean, accuracy: right / data.validation.length };
  }

  async #execute(batch: MicroBatch, parameters: Float32Array, training: boolean, keep: Values): Promise<Values> {
    const { bucket, inputs } = batch;
    const key = JSON.stringify([bucket, training]);
    const session = await this.#sessions.get(key, () => this.#graph(bucket, training));
    const isPreference = this.#options.spec.task === 'preference';
    const reference: Values = isPreference ? { reference: await this.#reference(batch) } : {};
    return session.run({
      ...inputs,
      ...keep,
      ...reference,
      parameters: tensor(parameters, [parameters.length]),
    });
  }

  #graph(bucket: Bucket, training: boolean): GraphModel {
    const { base, spec, data, provider } = this.#options;
    const labels = data.labels.length;
    const where = provider === undefined ? {} : { provider };
    return trainingGraph({ base, spec, layout: this.#layout, labels, bucket, training, ...where });
  }

  /** What the base says to the answers of a preference: an update whose parameters are zero is none. */
  async #reference(batch: MicroBatch): Promise<Values[string]> {
    const { bucket, inputs } = batch;
    const session = await this.#sessions.get(JSON.stringify([bucket, false]), () => this.#graph(bucket, false));
    const rows = 2 * bucket.batch;
    const outputs = await session.run({
      ...inputs,
      reference: tensor(new Float32Array(rows), [rows]),
      parameters: tensor(new Float32Array(this.#layout.size), [this.#layout.size]),
    });
    return outputs['answers']!;
  }

  /** The best parameters that were looked at, where that decides; else the last ones. */
  get #chosen(): Float32Array {
    return this.#best ?? this.#state.parameters;
  }

  /** Where the run is: with the same options, {@link resume} goes on from here. */
  checkpoint(): Uint8Array {
    const { step, parameters, first, second } = this.#state;
    const loss = Number.isFinite(this.#loss) ? this.#loss : null;
    const profile = numericProfile(optionsOf(this.#options));
    return encodeTensorFile(
      MAGIC,
      { format: 1, run: this.#run, profile, step, loss, looks: this.#looks },
      { parameters, first, second, ...(this.#best === undefined ? {} : { best: this.#best }) },
    );
  }

  adapter(): Adapter {
    const { base, spec, data } = this.#options;
    return toAdapter(base, spec, this.#layout, this.#chosen, data.labels);
  }

  async release(): Promise<void> {
    await this.#sessions.release();
  }
}

/** Micro-batches that sizes are chosen by; a later one that needs more has a size of its own. */
const MEASURED = 4096;

function* firstBatches(examples: TrainingSet['train'], spec: AdapterSpec): Generator<TrainingSet['train']> {
  const count = Math.min(MEASURED, spec.steps * spec.accumulation);
  for (let i = 0; i < count; i++) {
    yield examplesAt(examples, spec, Math.floor(i / spec.accumulation), i % spec.accumulation);
  }
}

function* inTurn(examples: TrainingSet['train'], { batch }: AdapterSpec): Generator<TrainingSet['train']> {
  for (let from = 0; from < examples.length; from += batch) yield examples.slice(from, from + batch);
}

function optionsOf({ base, provider, threads }: TrainerOptions): SessionOptions {
  return {
    ...(provider === undefined ? {} : { provider }),
    ...(threads === undefined ? {} : { threads }),
    ...(base.directory === undefined ? {} : { directory: base.directory }),
  };
}

/**
 * An encoder's weights are few beside what else a step holds: copies that are packed make it 7 % faster. Weights that are inputs would
 * travel to a card with each run.
 */
const weightsOf = ({
  base: { config, directory },
  provider = 'cpu',
}: TrainerOptions): Pick<SessionOptions, 'weights'> =>
  config.family === 'decoder' && provider === 'cpu' && directory !== undefined
    ? { weights: new ResidentWeights(directory) }
    : {};

/** A run that has left the numbers never comes back. */
function checkFinite(loss: number, what: string): void {
  if (Number.isFinite(loss)) return;
  throw new ChimeraError('CHIMERA_DIVERGED', { what, loss: String(loss) });
}

/** How good the adapter is that a run ends with: by its best look where that decides, else by its last. */
export const lookOfResult = (looks: readonly Look[], { patience }: Pick<AdapterSpec, 'patience'>): Look =>
  (patience > 0 ? bestOf(looks) : looks.at(-1))!;

const bestOf = (looks: readonly Look[]): Look | undefined =>
  looks.reduce<Look | undefined>(
    (best, look) => (best === undefined || look.loss < best.loss ? look : best),
    undefined,
  );

function rightOnes(outputs: Values, { examples }: MicroBatch): number {
  const margins = outputs['margins']?.data as Float32Array | undefined;
  if (margins !== undefined) return examples.filter((_, i) => margins[i]! > 0).length;
  const logits = outputs['logits'];
  if (logits === undefined) return 0;
  const [, count] = logits.dims as [number, number];
  const scores = logits.data as Float32Array;
  return examples.filter(({ label }, i) => {
    const own = scores.subarray(i * count, (i + 1) * count);
    return own.indexOf(Math.max(...own)) === label;
  }).length;
}

/** What a run is: the same base, specification and examples. */
const runName = ({ sha256 }: BaseModel, spec: AdapterSpec, { labels, train, validation }: TrainingSet): string =>
  hashOf({ base: sha256, spec, data: { labels, train, validation } } as never);
