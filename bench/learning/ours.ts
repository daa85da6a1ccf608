import type { AdapterSpec } from '../../src/contracts/adapters.ts';
import type { Adapter } from '../../src/learning/adapters/types.ts';
import { linearShape, type BaseModel } from '../../src/learning/architecture/base.ts';
import { decode, outputHead } from '../../src/learning/architecture/decoder.ts';
import { stream } from '../../src/core/random/random.ts';
import { Graph, type Tensor } from '../../src/learning/graph/graph.ts';
import { encode, meanPool } from '../../src/learning/architecture/encoder.ts';
import { matmul } from '../../src/learning/graph/ops/matmul.ts';
import { asMatrix } from '../../src/learning/graph/ops/shape.ts';
import { DataType } from '../../src/learning/onnx/types.ts';
import type { Provider } from '../../src/learning/runtime/provider.ts';
import { openSession, tensor, type Values } from '../../src/learning/runtime/session.ts';
import { examplesAt, microBatch } from '../../src/learning/training/batches.ts';
import type { TokenExample } from '../../src/learning/training/examples.ts';
import { trainingGraph } from '../../src/learning/training/graphs.ts';
import {
  bind,
  initialValues,
  layoutOf,
  toAdapter,
  toVector,
  updatesOf,
  type Layout,
} from '../../src/learning/training/trainables.ts';
import { AdapterTrainer } from '../../src/learning/training/trainer.ts';
import type { TrainingSet } from '../../src/learning/training/types.ts';
import type { GraphModel } from '../../src/learning/onnx/types.ts';

/** What is trained on what. */
export interface Setting {
  readonly base: BaseModel;
  readonly spec: AdapterSpec;
  readonly data: TrainingSet;
}

export const layout = ({ base, spec, data }: Setting): Layout => layoutOf(base.config, spec, data.labels.length);

/** The examples of each step, in the order in which the trainer takes them. */
export const batchesOf = ({ spec, data }: Setting): TokenExample[][] =>
  Array.from({ length: spec.steps }, (_, step) => examplesAt(data.train, spec, step, 0));

/** An adapter to begin with whose updates are not zero: else half of all gradients would be. */
export function drawnAdapter(setting: Setting): Adapter {
  const { base, spec, data } = setting;
  const adapter = toAdapter(base, spec, layout(setting), initialValues(layout(setting), spec.seed), data.labels);
  adapter.targets.forEach(({ module, b }, index) => {
    const bound = 0.1 / Math.sqrt(linearShape(base.config, module).inputs);
    const draws = stream(spec.seed, 0, index, 'bench/updates');
    for (let i = 0; i < b.length; i++) b[i] = (2 * draws.uniform() - 1) * bound;
  });
  return adapter;
}

async function runOnce(
  base: BaseModel,
  model: GraphModel,
  inputs: Values,
  provider: Provider = 'cpu',
): Promise<Values> {
  const directory = base.directory === undefined ? {} : { directory: base.directory };
  const session = await openSession(model, { provider, ...directory });
  try {
    return await session.run(inputs);
  } finally {
    await session.release();
  }
}

const vectorInput = (values: Float32Array): Values => ({ parameters: tensor(values, [values.length]) });

/** Mean loss of the first batch and its gradient with respect to an adapter, as the vector of its layout. */
export async function firstGradient(
  setting: Setting,
  adapter: Adapter,
  provider: Provider = 'cpu',
): Promise<{ loss: number; gradient: Float64Array }> {
  const { base, spec, data } = setting;
  const own = layout(setting);
  const { bucket, inputs, weight } = microBatch(batchesOf(setting)[0]!, spec, spec.batch);
  const graph = (training: boolean): GraphModel =>
    trainingGraph({ base, spec, layout: own, labels: data.labels.length, bucket, training, provider });
  const extra: Record<string, Values[string]> = {};
  if (spec.task === 'preference') {
    const rows = 2 * bucket.batch;
    const nothing = { reference: tensor(new Float32Array(rows), [rows]) };
    const said = await runOnce(base, graph(false), {
      ...inputs,
      ...nothing,
      ...vectorInput(new Float32Array(own.size)),
    });
    extra['reference'] = said['answers']!;
  }
  const given = { ...inputs, ...extra, ...vectorInput(toVector(adapter, own)) };
  const { loss, gradient } = await runOnce(base, graph(true), given, provider);
  return {
    loss: (loss!.data[0] as number) / weight,
    gradient: Float64Array.from(gradient!.data as Float32Array, (value) => value / weight),
  };
}

/** Every step's loss, and the adapter that comes out. */
export async function train(
  setting: Setting,
  initial: Adapter,
  log: (line: string) => void,
): Promise<{ losses: number[]; adapter: Adapter }> {
  const trainer = AdapterTrainer.create({ ...setting, from: initial });
  const losses: number[] = [];
  while (losses.length < setting.spec.steps) {
    const { step, loss } = await trainer.step();
    losses.push(loss);
    if (step % 50 === 0) log(`step ${step}: loss ${loss.toFixed(4)}`);
  }
  const adapter = trainer.adapter();
  await trainer.release();
  return { losses, adapter };
}

/** What an adapter answers to the first batch: logits of its labels, or of the tokens after each one of its first row. */
export async function outputs(setting: Setting, adapter: Adapter): Promise<Float32Array> {
  const { base, spec, data } = setting;
  if (spec.task !== 'classification') return states(setting, adapter);
  const own = layout(setting);
  const { bucket, inputs } = microBatch(batchesOf(setting)[0]!, spec, spec.batch);
  const model = trainingGraph({ base, spec, layout: own, labels: data.labels.length, bucket, training: false });
  const { logits } = await runOnce(base, model, { ...inputs, ...vectorInput(toVector(adapter, own)) });
  return logits!.data as Float32Array;
}

/** What a base with an adapter gives for the first row, without a head: an encoder's mean state, a decoder's logits. */
export async function states(setting: Setting, adapter: Adapter): Promise<Float32Array> {
  const { base, spec } = setting;
  const own = layout(setting);
  const [{ rows }] = batchesOf(setting)[0]! as [TokenExample];
  const { tokens } = rows[0]!;
  const graph = new Graph();
  const pieces = bind(graph, graph.input('parameters', DataType.FLOAT, [own.size]), own);
  const updates = updatesOf(pieces, own, spec, () => undefined);
  const row = (name: string, values: readonly number[]): Tensor =>
    graph.initializer(
      name,
      DataType.INT64,
      [1, tokens.length],
      new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
    );
  const read = row('tokens', tokens);
  if (base.config.family === 'encoder') {
    const mask = graph.floats(
      tokens.map(() => 1),
      [1, tokens.length],
    );
    graph.output('states', meanPool(graph, encode(graph, base, read, mask, updates), mask));
  } else {
    const segments = row(
      'segments',
      tokens.map(() => 0),
    );
    const inputs = {
      tokens: read,
      positions: row(
        'positions',
        tokens.map((_, at) => at),
      ),
      segments,
    };
    const hidden = asMatrix(graph, decode(graph, base, inputs, updates));
    graph.output('states', matmul(graph, hidden, outputHead(graph, base), { b: true }));
  }
  const { states: given } = await runOnce(base, graph.toModel(), vectorInput(toVector(adapter, own)));
  return given!.data as Float32Array;
}

/** ‖a − b‖ / ‖b‖ */
export function relativeDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new RangeError(`${a.length} values are compared with ${b.length}`);
  let difference = 0;
  let length = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    length += b[i]! ** 2;
  }
  return Math.sqrt(difference / length);
}
