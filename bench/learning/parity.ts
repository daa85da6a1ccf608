import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportGguf } from '../../src/learning/adapters/export.ts';
import { fromPeft, readPeftFiles, toPeft } from '../../src/learning/adapters/peft.ts';
import { merged } from '../../src/learning/adapters/merge.ts';
import type { Adapter } from '../../src/learning/adapters/types.ts';
import { baseInMemory } from '../../src/learning/architecture/base.ts';
import { toVector } from '../../src/learning/training/trainables.ts';
import type { SafetensorsFile } from '../../src/learning/weights/safetensors.ts';
import type { Weights } from '../../src/learning/weights/types.ts';
import { llamaLogits } from '../peers/inference.ts';
import { runTorch, writeTorchRun, type TorchResult } from '../peers/pytorch.ts';
import { benchDirectory, type Loaded } from './bases.ts';
import {
  batchesOf,
  drawnAdapter,
  firstGradient,
  layout,
  outputs,
  relativeDistance,
  states,
  train,
  type Setting,
} from './ours.ts';

export interface Parity {
  /** Relative L2 distance of the whole gradients. */
  readonly gradient: number;
  /** Largest difference of a step's losses, and the losses of the first and the last step. */
  readonly loss: number;
  readonly first: number;
  readonly last: number;
  /** Relative L2 distance of outputs: of our adapter here and in PEFT, of PEFT's adapter there and here. */
  readonly exported: number;
  readonly imported: number;
}

/** Trains on both sides, from the same adapter on the same batches. `hub` is the base as transformers loads it. */
export async function compare(setting: Setting, hub: string, log: (line: string) => void): Promise<Parity> {
  const { spec, data } = setting;
  const initial = drawnAdapter(setting);
  const { gradient } = await firstGradient(setting, initial);
  const { losses, adapter } = await train(setting, initial, log);
  const answers = await outputs(setting, adapter);
  const folder = await mkdtemp(join(tmpdir(), 'chimera-parity-'));
  try {
    const batches = batchesOf(setting);
    const labels = data.labels.length;
    await writeTorchRun(folder, {
      hub,
      spec,
      labels,
      batches,
      steps: spec.steps,
      initial,
      adapters: { ours: adapter },
    });
    log('PyTorch …');
    const torch = await runTorch(benchDirectory(), folder);
    const theirs = readPeftFiles(torch.trained.config, torch.trained.weights, initial.base);
    return {
      gradient: relativeDistance(gradient, gradientOf(torch, setting, initial)),
      loss: Math.max(...losses.map((loss, step) => Math.abs(loss - torch.losses[step]!))),
      first: losses[0]!,
      last: losses.at(-1)!,
      exported: relativeDistance(answers, torch.logits.f32('ours')),
      imported: relativeDistance(await outputs(setting, theirs), torch.logits.f32('trained')),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** PyTorch's gradient as our vector: it has the shape of an adapter, and is read as one. */
export function gradientOf({ gradient }: TorchResult, setting: Setting, initial: Adapter): Float32Array {
  const { config, metadata } = toPeft(initial);
  return toVector(fromPeft(config, tensorsOf(gradient), initial.base, metadata), layout(setting));
}

const tensorsOf = (file: SafetensorsFile): Map<string, { shape: readonly number[]; data: Float32Array }> =>
  new Map(file.names.map((name) => [name, { shape: file.shape(name), data: file.f32(name) }]));

/** Relative L2 distance of what a base with a drawn adapter answers and what the base does that it was merged into. */
export async function mergeDistance(setting: Setting, weights: Weights): Promise<number> {
  const adapter = drawnAdapter(setting);
  const { name, config } = setting.base;
  const whole = { ...setting, base: baseInMemory(name, merged(weights, adapter), config, 'fp32') };
  const nothing = { ...adapter, targets: adapter.targets.map((target) => ({ ...target, b: target.b.map(() => 0) })) };
  return relativeDistance(await states(whole, nothing), await states(setting, adapter));
}

/**
 * Relative L2 distance of what a decoder with a drawn adapter answers here, and in llama.cpp from a GGUF export that it was merged
 * into. All of it is exported in single precision: llama.cpp rounds what meets weights in blocks to 8 bits.
 */
export async function llamaDistance(setting: Setting, { weights, metadata }: Loaded): Promise<number> {
  const adapter = drawnAdapter(setting);
  const { config } = setting.base;
  if (config.family !== 'decoder' || metadata === undefined) throw new RangeError(`${setting.base.name} is no GGUF`);
  const single: Weights = { ...weights, blocks4: () => undefined, blocks8: () => undefined };
  const folder = await mkdtemp(join(tmpdir(), 'chimera-parity-'));
  try {
    const file = join(folder, 'merged.gguf');
    await writeFile(file, exportGguf(single, config, metadata, adapter));
    const { tokens } = batchesOf(setting)[0]![0]!.rows[0]!;
    const theirs = await llamaLogits(benchDirectory(), file, tokens);
    return relativeDistance(theirs, (await states(setting, adapter)).slice(-theirs.length));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
