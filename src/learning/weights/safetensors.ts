import type { Problem } from '../../contracts/errors.ts';
import { readBfloat16, readFloat16, readFloat32 } from './float16.ts';
import { repeatedMembers } from './json-members.ts';
import { finite, noSuchTensor, place, refusal } from './problems.ts';
import type { Weights } from './types.ts';

/** Bytes of an element. */
const DTYPES = {
  ...{ BOOL: 1, U8: 1, I8: 1, F8_E4M3: 1, F8_E5M2: 1, U16: 2, I16: 2, F16: 2, BF16: 2 },
  ...{ U32: 4, I32: 4, F32: 4, U64: 8, I64: 8, F64: 8 },
} as const;
export type Dtype = keyof typeof DTYPES;

const PREFIX = 8;
/** A file of thirty thousand tensors has a header of 4 MB. */
const LONGEST_HEADER = 1 << 22;
const METADATA = '__metadata__';

interface Entry {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** In the part of the file behind the header. */
  readonly start: number;
  readonly end: number;
}

/** An open file of tensors (https://github.com/huggingface/safetensors, "Format"). It holds views of its bytes. */
export interface SafetensorsFile {
  readonly what: string;
  /** In the order of the header. */
  readonly names: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  has(name: string): boolean;
  /** All but `has` throw `CHIMERA_INVALID_INPUT` where there is no such tensor. */
  dtype(name: string): Dtype;
  shape(name: string): readonly number[];
  /** A view where the tensor is F32 and lies at a multiple of 4. Throws, too, where it is not of floats, or not finite. */
  f32(name: string): Float32Array;
}

/**
 * Reads the header of a file and checks that its tensors are what fills the rest, each byte once. The bytes must not change later.
 * @param what the file in errors
 * @throws `CHIMERA_INVALID_INPUT` that names everything that is wrong
 */
export function readSafetensors(bytes: Uint8Array, what: string): SafetensorsFile {
  const { header, repeated, body } = readHeader(bytes, what);
  const problems: Problem[] = repeated.map((name) => ({ path: place(name), message: 'it is there twice' }));
  const metadata = new Map<string, string>();
  const entries = new Map<string, Entry>();
  for (const [name, value] of Object.entries(header)) {
    const read = name === METADATA ? readMetadata(value, metadata) : readEntry(value);
    if (typeof read === 'string') problems.push({ path: place(name), message: read });
    else if (read !== undefined) entries.set(name, read);
  }
  if (problems.length === 0) problems.push(...gaps(entries, body.length));
  if (problems.length > 0) throw refusal(what, problems);

  const entry = (name: string): Entry => {
    const found = entries.get(name);
    if (found === undefined) throw noSuchTensor(name, what);
    return found;
  };
  return {
    what,
    names: [...entries.keys()],
    metadata: Object.fromEntries(metadata),
    has: (name) => entries.has(name),
    dtype: (name) => entry(name).dtype,
    shape: (name) => entry(name).shape,
    f32(name) {
      const { dtype, start, end } = entry(name);
      return finite(floats(body.subarray(start, end), dtype, name, what), name, what);
    },
  };
}

/** The weights of a model in such a file: its tensors but those of integers, which are tables that code has anyway (`position_ids`). */
export function safetensorsWeights(file: SafetensorsFile): Weights {
  const names = file.names.filter((name) => /^B?F/.test(file.dtype(name)));
  const known = new Set(names);
  return {
    names,
    has: (name) => known.has(name),
    shape: (name) => file.shape(name),
    f32: (name) => file.f32(name),
    blocks4: () => undefined,
    blocks8: () => undefined,
  };
}

function readHeader(
  bytes: Uint8Array,
  what: string,
): { header: Record<string, unknown>; repeated: readonly string[]; body: Uint8Array } {
  const refuse = (message: string): never => {
    throw refusal(what, [{ path: '', message }]);
  };
  if (bytes.length < PREFIX) refuse(`${bytes.length} bytes are too few to be one`);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (length > LONGEST_HEADER) refuse(`its header would have ${length} bytes, the limit is ${LONGEST_HEADER}`);
  if (PREFIX + length > bytes.length) refuse(`its header of ${length} bytes is cut off`);
  let text = '';
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(PREFIX, PREFIX + length));
    header = JSON.parse(text);
  } catch {
    refuse('its header is not JSON');
  }
  if (!isObject(header)) return refuse('its header is not a JSON object');
  return { header, repeated: repeatedMembers(text), body: bytes.subarray(PREFIX + length) };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Fills `metadata`; what is wrong, where something is. */
function readMetadata(value: unknown, metadata: Map<string, string>): string | undefined {
  if (!isObject(value)) return 'it is not an object';
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') return `${place(key)} is not a string`;
    metadata.set(key, text);
  }
  return undefined;
}

const isNatural = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** A tensor, or what is wrong with it. */
function readEntry(value: unknown): Entry | string {
  if (!isObject(value)) return 'it is not an object';
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string' || !Object.hasOwn(DTYPES, dtype)) {
    return `dtype is none of ${Object.keys(DTYPES).join(', ')}`;
  }
  if (!Array.isArray(shape) || !shape.every(isNatural)) return 'shape is not a list of sizes';
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isNatural)) {
    return 'data_offsets are not two places';
  }
  const [start, end] = offsets as [number, number];
  const size = shape.reduce((product, side) => product * side, DTYPES[dtype as Dtype]);
  if (end < start) return `it ends at ${end}, before its start at ${start}`;
  if (end - start !== size) return `its shape needs ${size} bytes, its offsets span ${end - start}`;
  return { dtype: dtype as Dtype, shape, start, end };
}

/** Where tensors overlap, leave bytes between them, or leave the file. */
function gaps(entries: ReadonlyMap<string, Entry>, length: number): Problem[] {
  const problems: Problem[] = [];
  let at = 0;
  for (const [name, { start, end }] of [...entries].sort(([, a], [, b]) => a.start - b.start || a.end - b.end)) {
    if (start !== at) {
      const message = `it starts at ${start}, ${start < at ? 'within' : 'not behind'} the tensor before it, which ends at ${at}`;
      problems.push({ path: place(name), message });
    }
    if (end > length)
      problems.push({ path: place(name), message: `it ends at ${end}, the file has ${length} bytes of tensors` });
    at = Math.max(at, end);
  }
  if (at < length) problems.push({ path: '', message: `${length - at} bytes follow its last tensor` });
  return problems;
}

function floats(bytes: Uint8Array, dtype: Dtype, name: string, what: string): Float32Array {
  switch (dtype) {
    case 'F32':
      return readFloat32(bytes);
    case 'F16':
      return readFloat16(bytes);
    case 'BF16':
      return readBfloat16(bytes);
    default:
      throw refusal(what, [{ path: place(name), message: `it is ${dtype}; F32, F16 and BF16 are read` }]);
  }
}

/**
 * The bytes of a file that Python's safetensors reads: single precision, in the order of `tensors`, the header padded with blanks so
 * that tensors begin at a multiple of 8. The same tensors and metadata in the same order are the same bytes.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const entries: [string, unknown][] = Object.keys(metadata).length === 0 ? [] : [[METADATA, metadata]];
  let at = 0;
  for (const [name, { shape, data }] of tensors) {
    entries.push([name, { dtype: 'F32', shape, data_offsets: [at, at + data.byteLength] }]);
    at += data.byteLength;
  }
  const json = `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
  const text = new TextEncoder().encode(json);
  const length = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(PREFIX + length + at).fill(0x20, PREFIX + text.length, PREFIX + length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(text, PREFIX);
  at = PREFIX + length;
  for (const { data } of tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}
