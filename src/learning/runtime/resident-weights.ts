import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ChimeraError } from '../../contracts/errors.ts';
import { DataType, type ExternalData, type GraphModel, type Initializer } from '../onnx/types.ts';
import { fillBytes } from '../weights/bytes.ts';
import { tensor, type Values } from './session.ts';

/** Smaller ones stay constants, which the runtime can fold into what reads them. */
const LARGE = 1 << 18;

type Outside = Initializer & { readonly data: ExternalData };

/**
 * Weights of a model's files in memory that the process allocates, once for any number of sessions. The runtime maps files by itself, but
 * in pages of 4 KB, which products are slower with.
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
  async apart(model: GraphModel): Promise<{ rest: GraphModel; inputs: Values }> {
    const large = model.initializers.filter(isLarge);
    const inputs: Record<string, Values[string]> = {};
    for (const { name, shape, data } of large) inputs[name] = tensor(await this.#values(data), shape);
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

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    (error: Error) => Promise.reject(broken(path, error.message)),
  );

/** Reads a part of a file to where it is in the whole. */
async function fill(bytes: Uint8Array, path: string, from: number, length: number): Promise<void> {
  const to = from + length;
  if (to > bytes.length) throw broken(path, `it has fewer than the ${to} bytes that the graph reads`);
  const file = await open(path);
  try {
    if ((await fillBytes(file, bytes, { from, to })) < to) throw broken(path, 'it was cut off while it was read');
  } finally {
    await file.close();
  }
}
