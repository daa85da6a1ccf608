import { stat } from 'node:fs/promises';
import type { Problem } from '../../contracts/errors.ts';
import { readBytes } from './bytes.ts';
import { unpack, unpackBlocks4, unpackBlocks8 } from './gguf-blocks.ts';
import {
  ALIGNMENT_KEY,
  DEFAULT_ALIGNMENT,
  MAGIC,
  nameOfTensorType,
  TENSOR_TYPES,
  type GgufFile,
  type GgufHead,
  type GgufMetadata,
  type GgufTensor,
  type GgufTensorType,
  type GgufValue,
} from './gguf-format.ts';
import { hubName, llamaCppRows, reorderBlocks4, reorderBlocks8, reorderRows, turnedHeads } from './gguf-names.ts';
import { CutOff, GgufReader } from './gguf-reader.ts';
import { finite, noSuchTensor, place, refusal } from './problems.ts';
import type { Weights } from './types.ts';

/** Bytes of the shortest entry: of metadata a name's length, a type and a byte; of tensors five numbers. */
const SHORTEST_VALUE = 8 + 4 + 1;
const SHORTEST_TENSOR = 8 + 4 + 8 + 4 + 8;
/** A vocabulary with its merges is a few megabytes. */
const USUAL_HEAD = 1 << 24;
/** The largest models have a few thousand tensors. */
const MOST_ENTRIES = 1 << 16;
const MOST_DIMENSIONS = 4;

interface Info {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: number;
  readonly offset: number;
}

/**
 * Reads the head of a GGUF file and checks that every tensor lies in the file, aligned, over no other. The bytes must not change later.
 * @param what the file in errors
 * @throws `CHIMERA_INVALID_INPUT` that says where the head breaks off, or names everything that is wrong with its tensors
 */
export const readGguf = (bytes: Uint8Array, what: string): GgufFile => readFrom(bytes, bytes.length, what);

/**
 * What the head of a GGUF file says, without reading the tensors behind it: they may be gigabytes. Throws as {@link readGguf} does.
 * @param first how many bytes are read at first; more where the head is longer
 */
export async function readGgufHead(path: string, what: string, first = USUAL_HEAD): Promise<GgufHead> {
  const { size } = await stat(path);
  for (let most = first; most < size;) {
    try {
      return readFrom(await readBytes(path, { most }), size, what);
    } catch (error) {
      if (!(error instanceof CutOff)) throw error;
      most = Math.max(2 * most, error.needed);
    }
  }
  return readGguf(await readBytes(path), what);
}

/** @param bytes of a file of `size`, or its first ones */
function readFrom(bytes: Uint8Array, size: number, what: string): GgufFile {
  const reader = new GgufReader(bytes, size, what);
  if (bytes.length < 4 || String.fromCharCode(...bytes.subarray(0, 4)) !== MAGIC) {
    throw refusal(what, [{ path: '', message: `it does not begin with ${MAGIC}` }]);
  }
  reader.uint32('the magic');
  const version = reader.uint32('the version');
  if (version !== 2 && version !== 3) reader.refuse(`version ${version} is not read; 2 and 3 are, little-endian`);
  const tensorCount = reader.count(SHORTEST_TENSOR, 'the number of tensors', MOST_ENTRIES);
  const valueCount = reader.count(SHORTEST_VALUE, 'the number of metadata', MOST_ENTRIES);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < valueCount; i++) {
    const name = reader.string(`the name of metadata ${i}`);
    if (metadata.has(name)) reader.refuse(`metadata ${place(name)} is there twice`);
    metadata.set(name, reader.value(`metadata ${place(name)}`));
  }
  const infos = Array.from({ length: tensorCount }, (_, i) => readInfo(reader, i));
  const alignment = alignmentOf(metadata, what);
  const start = Math.min(size, Math.ceil(reader.at / alignment) * alignment);
  return { what, metadata, tensors: placeTensors(infos, bytes.subarray(start), size - start, alignment, what) };
}

function readInfo(reader: GgufReader, index: number): Info {
  const name = reader.string(`the name of tensor ${index}`);
  const of = `tensor ${place(name)}`;
  const dimensions = reader.uint32(`the dimensions of ${of}`);
  if (dimensions < 1 || dimensions > MOST_DIMENSIONS) reader.refuse(`${of} has ${dimensions} dimensions`);
  // Sides and places beyond 2⁵³ are rounded: they are far beyond the file, too.
  const sides = Array.from({ length: dimensions }, () => Number(reader.uint64(`the shape of ${of}`)));
  const type = reader.uint32(`the type of ${of}`);
  return { name, shape: sides.reverse(), type, offset: Number(reader.uint64(`the offset of ${of}`)) };
}

function alignmentOf(metadata: GgufMetadata, what: string): number {
  const { type, value } = metadata.get(ALIGNMENT_KEY) ?? { type: 'uint32', value: DEFAULT_ALIGNMENT };
  if (type === 'uint32' && Number(value) >= 8 && Number.isInteger(Math.log2(Number(value)))) return Number(value);
  throw refusal(what, [{ path: place(ALIGNMENT_KEY), message: 'it is not a power of 2, 8 or more, of type uint32' }]);
}

const TYPES_BY_NUMBER = new Map(
  Object.entries(TENSOR_TYPES).map(([type, { number }]) => [number as number, type as GgufTensorType]),
);

function placeTensors(
  infos: readonly Info[],
  data: Uint8Array,
  length: number,
  alignment: number,
  what: string,
): ReadonlyMap<string, GgufTensor> {
  const tensors = new Map<string, GgufTensor>();
  const problems: Problem[] = [];
  const spans: { name: string; start: number; end: number }[] = [];
  for (const { name, shape, type: number, offset } of infos) {
    const type = TYPES_BY_NUMBER.get(number);
    const problem = (message: string): void => void problems.push({ path: place(name), message });
    if (tensors.has(name)) problem('it is there twice');
    if (type === undefined) {
      problem(`it is ${nameOfTensorType(number)}; ${Object.keys(TENSOR_TYPES).join(', ')} are read`);
      continue;
    }
    const { block, size } = TENSOR_TYPES[type];
    if (shape.some((side) => side < 1)) problem(`its shape [${shape.join(', ')}] is empty`);
    if (shape.at(-1)! % block !== 0) problem(`its rows of ${shape.at(-1)} are not whole blocks of ${block}`);
    if (offset % alignment !== 0) problem(`its offset ${offset} is not a multiple of ${alignment}`);
    const end = offset + (shape.reduce((product, side) => product * side, 1) / block) * size;
    if (end > length) problem(`it ends at ${end}, the file has ${length} bytes of tensors`);
    tensors.set(name, { type, shape, bytes: data.subarray(offset, end) });
    spans.push({ name, start: offset, end });
  }
  spans.sort((a, b) => a.start - b.start);
  spans.forEach(({ name, start }, i) => {
    const before = spans[i - 1];
    if (before !== undefined && start < before.end) {
      problems.push({ path: place(name), message: `it lies over ${place(before.name)}` });
    }
  });
  if (problems.length > 0) throw refusal(what, problems);
  return tensors;
}

/** A tensor with the rows of the file that are its rows, where they are not in order. */
type Ordered = GgufTensor & { readonly order?: Uint32Array };

/**
 * The weights of a Llama in a GGUF file, by the names and in the row order of its checkpoint.
 * @throws `CHIMERA_INVALID_INPUT` where the file holds another architecture, or tensors that a Llama does not have
 */
export function ggufWeights(file: GgufFile): Weights {
  const { what } = file;
  const tensors = translate(file);
  const tensor = (name: string): Ordered => {
    const found = tensors.get(name);
    if (found === undefined) throw noSuchTensor(name, what);
    return found;
  };
  return {
    names: [...tensors.keys()],
    has: (name) => tensors.has(name),
    shape: (name) => tensor(name).shape,
    f32(name) {
      const values = finite(unpack(tensor(name)), name, what);
      const { order } = tensor(name);
      return order === undefined ? values : reorderRows(values, order);
    },
    blocks4(name) {
      const { type, shape, bytes, order } = tensor(name);
      if (type !== 'Q4_0' && type !== 'Q4_1') return undefined;
      const blocks = unpackBlocks4(bytes, type, shape);
      finite(blocks.scales, name, what);
      finite(blocks.minima, name, what);
      return order === undefined ? blocks : reorderBlocks4(blocks, order);
    },
    blocks8(name) {
      const { type, shape, bytes, order } = tensor(name);
      if (type !== 'Q8_0') return undefined;
      const blocks = unpackBlocks8(bytes, shape);
      finite(blocks.scales, name, what);
      return order === undefined ? blocks : reorderBlocks8(blocks, order);
    },
  };
}

/** The tensors of a file by their names in a checkpoint. */
function translate({ what, metadata, tensors }: GgufFile): Map<string, Ordered> {
  const value = (name: string): unknown => metadata.get(name)?.value;
  if (value('general.architecture') !== 'llama') {
    throw refusal(what, [{ path: place('general.architecture'), message: 'it is not llama, the one that is read' }]);
  }
  const heads = Number(value('llama.attention.head_count'));
  const keyHeads = Number(value('llama.attention.head_count_kv') ?? heads);
  const translated = new Map<string, Ordered>();
  const problems: Problem[] = [];
  for (const [name, tensor] of tensors) {
    const hub = hubName(name);
    const turned = turnedHeads(hub ?? '', { heads, keyHeads });
    const rows = tensor.shape[0]!;
    if (hub === undefined) problems.push({ path: place(name), message: 'a Llama has no such tensor' });
    else if (turned === undefined) translated.set(hub, tensor);
    else if (rows % (2 * turned) !== 0) {
      problems.push({ path: place(name), message: `its ${rows} rows are not those of ${turned} heads` });
    } else translated.set(hub, { ...tensor, order: llamaCppRows(rows, turned) });
  }
  if (problems.length > 0) throw refusal(what, problems);
  return translated;
}
