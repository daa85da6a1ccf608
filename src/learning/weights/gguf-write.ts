import type { Problem } from '../../contracts/errors.ts';
import { areFloat16, packBlocks4, packBlocks8, packFloat16 } from './gguf-blocks.ts';
import {
  ALIGNMENT_KEY,
  ARRAY,
  BLOCK,
  DEFAULT_ALIGNMENT,
  MAGIC,
  TENSOR_TYPES,
  VALUE_TYPES,
  VERSION,
  type GgufMetadata,
  type GgufScalar,
  type GgufScalarType,
  type GgufValue,
} from './gguf-format.ts';
import {
  inverse,
  llamaCppName,
  llamaCppRows,
  reorderBlocks4,
  reorderBlocks8,
  reorderRows,
  turnedHeads,
  type AttentionHeads,
} from './gguf-names.ts';
import { place, refusal } from './problems.ts';
import type { Blocks4, Blocks8 } from './types.ts';

/** A tensor to be written: `shape` is [outputs, inputs], blocks have their own. */
export type GgufOutput =
  | { readonly type: 'F32' | 'F16'; readonly shape: readonly number[]; readonly data: Float32Array }
  | { readonly type: 'Q4_1'; readonly blocks: Blocks4 }
  | { readonly type: 'Q8_0'; readonly blocks: Blocks8 };

const WHAT = 'the GGUF export';

/**
 * The bytes of a GGUF file; metadata and tensors in the order given, so that the same content is the same bytes.
 * @param tensors by llama.cpp's names: see {@link llamaCppTensors}
 * @throws `CHIMERA_INVALID_INPUT` where scales or minima of blocks, or values of F16, are beyond what half precision holds
 */
export function encodeGguf({
  metadata,
  tensors,
}: {
  readonly metadata: GgufMetadata;
  readonly tensors: ReadonlyMap<string, GgufOutput>;
}): Uint8Array {
  const problems = [...tensors].flatMap(([name, tensor]) =>
    lossy(tensor).map((message) => ({ path: place(name), message })),
  );
  if (problems.length > 0) throw refusal(WHAT, problems);
  const head = new Head();
  head.text(MAGIC);
  head.uint32(VERSION);
  const values = [...metadata].filter(([name]) => name !== ALIGNMENT_KEY);
  head.uint64(tensors.size);
  head.uint64(values.length);
  for (const [name, value] of values) {
    head.string(name);
    head.value(value);
  }
  let offset = 0;
  for (const [name, tensor] of tensors) {
    const shape = shapeOf(tensor);
    head.string(name);
    head.uint32(shape.length);
    for (const side of shape.toReversed()) head.uint64(side);
    head.uint32(TENSOR_TYPES[tensor.type].number);
    head.uint64(offset);
    offset += aligned(sizeOf(tensor));
  }
  const start = aligned(head.length);
  const bytes = new Uint8Array(start + offset);
  head.copyTo(bytes);
  let at = start;
  for (const tensor of tensors.values()) {
    bytes.set(pack(tensor), at);
    at += aligned(sizeOf(tensor));
  }
  return bytes;
}

/**
 * The tensors of a Llama's checkpoint as llama.cpp has them: its names, its order of rows.
 * @throws `CHIMERA_INVALID_INPUT` that names the tensors that a Llama does not have
 */
export function llamaCppTensors(
  tensors: ReadonlyMap<string, GgufOutput>,
  heads: AttentionHeads,
): ReadonlyMap<string, GgufOutput> {
  const translated = new Map<string, GgufOutput>();
  const problems: Problem[] = [];
  for (const [name, tensor] of tensors) {
    const turned = turnedHeads(name, heads);
    const own = llamaCppName(name);
    if (own === undefined) problems.push({ path: place(name), message: 'a Llama has no such tensor' });
    else translated.set(own, turned === undefined ? tensor : turn(tensor, turned));
  }
  if (problems.length > 0) throw refusal(WHAT, problems);
  return translated;
}

function turn(tensor: GgufOutput, heads: number): GgufOutput {
  const order = inverse(llamaCppRows(shapeOf(tensor)[0]!, heads));
  switch (tensor.type) {
    case 'F32':
    case 'F16':
      return { ...tensor, data: reorderRows(tensor.data, order) };
    case 'Q4_1':
      return { ...tensor, blocks: reorderBlocks4(tensor.blocks, order) };
    case 'Q8_0':
      return { ...tensor, blocks: reorderBlocks8(tensor.blocks, order) };
  }
}

const aligned = (size: number): number => Math.ceil(size / DEFAULT_ALIGNMENT) * DEFAULT_ALIGNMENT;

const shapeOf = (tensor: GgufOutput): readonly number[] =>
  'shape' in tensor ? tensor.shape : [tensor.blocks.rows, tensor.blocks.columns];

function sizeOf(tensor: GgufOutput): number {
  const { block, size } = TENSOR_TYPES[tensor.type];
  return (shapeOf(tensor).reduce((product, side) => product * side, 1) / block) * size;
}

/** What the type of a tensor cannot hold. */
function lossy(tensor: GgufOutput): string[] {
  switch (tensor.type) {
    case 'F32':
      return [];
    case 'F16':
      return tensor.data.every((value) => Math.abs(value) < 65520) ? [] : ['a value is beyond half precision'];
    case 'Q4_1':
    case 'Q8_0': {
      const { blockSize, scales } = tensor.blocks;
      const minima = 'minima' in tensor.blocks ? tensor.blocks.minima : scales;
      return [
        ...(blockSize === BLOCK ? [] : [`its blocks have ${blockSize} columns, not ${BLOCK}`]),
        ...(areFloat16(scales) && areFloat16(minima) ? [] : ['its scales or minima are not of half precision']),
      ];
    }
  }
}

function pack(tensor: GgufOutput): Uint8Array {
  switch (tensor.type) {
    case 'F32':
      return new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
    case 'F16':
      return packFloat16(tensor.data);
    case 'Q4_1':
      return packBlocks4(tensor.blocks);
    case 'Q8_0':
      return packBlocks8(tensor.blocks);
  }
}

/** The part of a file before its tensors. */
class Head {
  readonly #parts: Uint8Array[] = [];
  length = 0;

  #add(part: Uint8Array): void {
    this.#parts.push(part);
    this.length += part.length;
  }

  #number(size: number, set: (view: DataView) => void): void {
    const part = new Uint8Array(size);
    set(new DataView(part.buffer));
    this.#add(part);
  }

  text(text: string): void {
    this.#add(new TextEncoder().encode(text));
  }

  uint32(value: number): void {
    this.#number(4, (view) => view.setUint32(0, value, true));
  }

  uint64(value: number): void {
    this.#number(8, (view) => view.setBigUint64(0, BigInt(value), true));
  }

  string(text: string): void {
    this.uint64(Buffer.byteLength(text));
    this.text(text);
  }

  value(value: GgufValue): void {
    if (value.type !== 'array') {
      this.uint32(VALUE_TYPES[value.type].number);
      this.#scalar(value.type, value.value);
      return;
    }
    this.uint32(ARRAY);
    this.uint32(VALUE_TYPES[value.of].number);
    this.uint64(value.value.length);
    for (const element of value.value) this.#scalar(value.of, element);
  }

  #scalar(type: GgufScalarType, value: GgufScalar): void {
    if (type === 'string') return this.string(String(value));
    this.#number(VALUE_TYPES[type].size, (view) => {
      switch (type) {
        case 'uint8':
          return view.setUint8(0, Number(value));
        case 'int8':
          return view.setInt8(0, Number(value));
        case 'uint16':
          return view.setUint16(0, Number(value), true);
        case 'int16':
          return view.setInt16(0, Number(value), true);
        case 'uint32':
          return view.setUint32(0, Number(value), true);
        case 'int32':
          return view.setInt32(0, Number(value), true);
        case 'float32':
          return view.setFloat32(0, Number(value), true);
        case 'bool':
          return view.setUint8(0, value === true ? 1 : 0);
        case 'uint64':
          return view.setBigUint64(0, BigInt(value), true);
        case 'int64':
          return view.setBigInt64(0, BigInt(value), true);
        case 'float64':
          return view.setFloat64(0, Number(value), true);
      }
    });
  }

  copyTo(bytes: Uint8Array): void {
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
  }
}
