import { invalidInput } from '../../contracts/errors.ts';
import type { AdapterSpec } from '../../contracts/adapters.ts';
import { stream } from '../../core/random/random.ts';
import { scalingOf, type Adapter, type ClassifierHead } from '../adapters/types.ts';
import { linearModules, linearShape, type BaseModel } from '../architecture/base.ts';
import type { ModelConfig } from '../architecture/config.ts';
import type { LowRank, Updates } from '../architecture/linear.ts';
import type { Graph, Tensor } from '../graph/graph.ts';
import { reshape, split } from '../graph/ops/shape.ts';

/** A piece of the one vector that holds everything that is trained. */
export interface Slot {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly size: number;
}

/** What is trained, and where it lies in the vector: A and B of each layer, then the head. */
export interface Layout {
  readonly modules: readonly string[];
  readonly slots: readonly Slot[];
  readonly size: number;
}

/** @throws `CHIMERA_INVALID_INPUT` where a target names no layer of the base, or nothing would be trained */
export function layoutOf(
  config: ModelConfig,
  { targets, rank }: Pick<AdapterSpec, 'targets' | 'rank'>,
  labels: number,
): Layout {
  const all = linearModules(config);
  const isOf = (module: string, target: string): boolean => module === target || module.endsWith(`.${target}`);
  const problems = targets
    .filter((target) => !all.some((module) => isOf(module, target)))
    .map((target) => ({ path: '/targets', message: `the base model has no layer named ${target}` }));
  if (targets.length === 0 && labels === 0) problems.push({ path: '/targets', message: 'nothing would be trained' });
  if (problems.length > 0) throw invalidInput('the adapter specification', problems);
  const modules = all.filter((module) => targets.some((target) => isOf(module, target))).sort();
  const shapes = modules.flatMap((module): [string, number[]][] => {
    const { inputs, outputs } = linearShape(config, module);
    return [
      [`${module}.lora_A`, [rank, inputs]],
      [`${module}.lora_B`, [outputs, rank]],
    ];
  });
  if (labels > 0) shapes.push(['head.weight', [labels, config.hidden]], ['head.bias', [labels]]);
  let size = 0;
  const slots = shapes.map(([name, shape]) => {
    const slot = { name, shape, offset: size, size: shape.reduce((a, b) => a * b, 1) };
    size += slot.size;
    return slot;
  });
  return { modules, slots, size };
}

/**
 * Values to begin with, as PEFT draws them: A uniform on ±1/√inputs (Kaiming with a = √5), B zero, so that the update is; the
 * head as PyTorch's linear layers.
 */
export function initialValues({ slots, size }: Layout, seed: string): Float32Array {
  const values = new Float32Array(size);
  slots.forEach(({ name, shape, offset, size: count }, index) => {
    if (name.endsWith('.lora_B')) return;
    const inputs = name === 'head.bias' ? slots.find((slot) => slot.name === 'head.weight')!.shape[1]! : shape[1]!;
    const bound = 1 / Math.sqrt(inputs);
    const draws = stream(seed, 0, index, 'adapter/initial');
    for (let i = 0; i < count; i++) values[offset + i] = (2 * draws.uniform() - 1) * bound;
  });
  return values;
}

/** The pieces of the vector as tensors of a graph. */
export function bind(graph: Graph, vector: Tensor, { slots }: Layout): ReadonlyMap<string, Tensor> {
  const sizes = slots.map(({ size }) => size);
  const parts = split(graph, vector, 0, sizes);
  return new Map(slots.map(({ name, shape }, i) => [name, reshape(graph, parts[i]!, shape)]));
}

/** The updates among the pieces; `keep`: what dropout leaves of a layer's inputs. */
export function updatesOf(
  pieces: ReadonlyMap<string, Tensor>,
  { modules }: Layout,
  spec: Pick<AdapterSpec, 'rank' | 'alpha' | 'rankStabilised'>,
  keep: (module: string) => Tensor | undefined,
): Updates {
  const scaling = scalingOf(spec);
  return new Map(
    modules.map((module): [string, LowRank] => {
      const kept = keep(module);
      const [a, b] = [pieces.get(`${module}.lora_A`)!, pieces.get(`${module}.lora_B`)!];
      return [module, { a, b, scaling, ...(kept === undefined ? {} : { keep: kept }) }];
    }),
  );
}

/** The vector as an adapter. */
export function toAdapter(
  base: Pick<BaseModel, 'name' | 'sha256' | 'config'>,
  spec: AdapterSpec,
  layout: Layout,
  values: Float32Array,
  labels: readonly string[],
): Adapter {
  const piece = (name: string): Float32Array => {
    const { offset, size } = layout.slots.find((slot) => slot.name === name)!;
    return values.slice(offset, offset + size);
  };
  const head: { head?: ClassifierHead } =
    labels.length === 0 ? {} : { head: { labels, weight: piece('head.weight'), bias: piece('head.bias') } };
  const { rank, alpha, rankStabilised, task, maxTokens } = spec;
  return {
    ...{ rank, alpha, rankStabilised, task, maxTokens },
    base: { name: base.name, sha256: base.sha256 },
    targets: layout.modules.map((module) => ({
      module,
      ...linearShape(base.config, module),
      a: piece(`${module}.lora_A`),
      b: piece(`${module}.lora_B`),
    })),
    ...head,
  };
}

/** An adapter as the vector that graphs read. The inverse of {@link toAdapter}. */
export function toVector(adapter: Adapter, { slots, size }: Layout): Float32Array {
  const values = new Float32Array(size);
  const targets = new Map(adapter.targets.map((target) => [target.module, target]));
  for (const { name, offset } of slots) {
    const [, module, part] = /^(.+)\.(lora_A|lora_B|weight|bias)$/.exec(name)!;
    if (module === 'head') values.set(part === 'weight' ? adapter.head!.weight : adapter.head!.bias, offset);
    else values.set(part === 'lora_A' ? targets.get(module!)!.a : targets.get(module!)!.b, offset);
  }
  return values;
}
