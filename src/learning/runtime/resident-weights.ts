import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Tensor as RuntimeTensor } from 'onnxruntime-node';
import { ChimeraError } from '../../contracts/errors.ts';
import { DataType, type ExternalData, type GraphModel, type Initializer } from '../onnx/types.ts';

/** Smaller ones stay constants, which the runtime can fold into what reads them. */
const LARGE = 1 << 18;
const PIECE = 1 << 30;

type Outside = Initializer & { readonly data: ExternalData };

/**
 * Weights of a model's files in memory that the process allocates, once for any number of sessions. The runtime maps files by itself, but
 * in pages of 4 KB: a step of SmolLM2 on two texts takes 1.3 times as long.
 */
export class ResidentWeights {
  readonly #directory: string;
  /** A file's bytes by its name: memory is taken only where it is read. */
  readonly #files = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();
  readonly #read = new Map<string, Promise<void>>();

  /** @param directory where the files lie that graphs refer to */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * A graph that takes its large weights as inputs, and those.
   * @throws ChimeraError `CHIMERA_SETUP` where a file is not as the graph says
   */
  async apart(model: GraphModel): Promise<{ rest: GraphModel; inputs: Record<string, RuntimeTensor> }> {
    const large = model.initializers.filter(isLarge);
    const inputs: Record<string, RuntimeTensor> = {};
    for (const { name, shape, data } of large)
      inputs[name] = new RuntimeTensor('float32', await this.#values(data), shape);
    const rest: GraphModel = {
      ...model,
      initializers: model.initializers.filter((initializer) => !isLarge(initializer)),
      inputs: [...model.inputs, ...large.map(({ name, type, shape }) => ({ name, type, shape }))],
    };
    return { rest, inputs };
  }

  async #values({ location, offset, length }: ExternalData): Promise<Float32Array> {
    const path = join(this.#directory, location);
    const file = this.#files.get(path) ?? sizeOf(path).then((size) => new Uint8Array(size));
    this.#files.set(path, file);
    const bytes = await file;
    const key = `${offset}+${length} ${path}`;
    const read = this.#read.get(key) ?? fill(bytes, path, offset, length);
    this.#read.set(key, read);
    await read;
    return new Float32Array(bytes.buffer, offset, length / Float32Array.BYTES_PER_ELEMENT);
  }
}

/** What is not as its shape says is left to the runtime, which refuses it. */
const isLarge = (initializer: Initializer): initializer is Outside => {
  const { type, shape, data } = initializer;
  if (data instanceof Uint8Array || type !== DataType.FLOAT) return false;
  const size = Float32Array.BYTES_PER_ELEMENT;
  const isWhole = data.offset % size === 0 && data.length === size * shape.reduce((product, n) => product * n, 1);
  return isWhole && data.length >= LARGE;
};

const broken = (path: string, why: string): ChimeraError => new ChimeraError('CHIMERA_SETUP', { what: path, why });

async function sizeOf(path: string): Promise<number> {
  const file = await open(path).catch((error: Error) => {
    throw broken(path, error.message);
  });
  try {
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}

/** Reads a part of a file to where it is in the whole. */
async function fill(bytes: Uint8Array, path: string, offset: number, length: number): Promise<void> {
  const end = offset + length;
  if (end > bytes.length) throw broken(path, `it has fewer than the ${end} bytes that the graph reads`);
  const file = await open(path);
  try {
    for (let at = offset; at < end;) {
      const { bytesRead } = await file.read(bytes, at, Math.min(PIECE, end - at), at);
      if (bytesRead === 0) throw broken(path, 'it was cut off while it was read');
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
}
