import { ChimeraError } from '../../contracts/errors.ts';
import { canonicalBytes } from '../canonical/canonical.ts';

/*
 * One container for models and checkpoints: magic, length of the header, header (canonical JSON), then the tensors
 * one after another, little-endian. The same content is always the same bytes.
 */

const ARRAYS = { f64: Float64Array, f32: Float32Array, u32: Uint32Array } as const;
export type TensorType = keyof typeof ARRAYS;
export type TensorData = Float64Array | Float32Array | Uint32Array;

export interface TensorFile {
  readonly header: { readonly [key: string]: unknown };
  readonly tensors: ReadonlyMap<string, TensorData>;
}

const PREFIX = 8;
const MAX_HEADER = 1 << 20;

const typeOf = (data: TensorData): TensorType =>
  data instanceof Float64Array ? 'f64' : data instanceof Float32Array ? 'f32' : 'u32';

function accessors(
  view: DataView,
  type: TensorType,
): { get: (at: number) => number; set: (at: number, x: number) => void } {
  switch (type) {
    case 'f64':
      return { get: (at) => view.getFloat64(at, true), set: (at, x) => view.setFloat64(at, x, true) };
    case 'f32':
      return { get: (at) => view.getFloat32(at, true), set: (at, x) => view.setFloat32(at, x, true) };
    case 'u32':
      return { get: (at) => view.getUint32(at, true), set: (at, x) => view.setUint32(at, x, true) };
  }
}

/** Writes a file. `magic` is four ASCII characters; the order of `tensors` is kept. */
export function encodeTensorFile(
  magic: string,
  header: { readonly [key: string]: unknown },
  tensors: Readonly<Record<string, TensorData>>,
): Uint8Array {
  const list = Object.entries(tensors).map(([name, data]) => ({ name, type: typeOf(data), length: data.length }));
  const head = canonicalBytes({ ...header, tensors: list });
  const body = Object.values(tensors).reduce((sum, data) => sum + data.byteLength, 0);
  const bytes = new Uint8Array(PREFIX + head.length + body);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 4; i++) bytes[i] = magic.charCodeAt(i);
  view.setUint32(4, head.length, true);
  bytes.set(head, PREFIX);
  let at = PREFIX + head.length;
  for (const data of Object.values(tensors)) {
    const { set } = accessors(view, typeOf(data));
    for (let i = 0; i < data.length; i++) set(at + i * data.BYTES_PER_ELEMENT, data[i]!);
    at += data.byteLength;
  }
  return bytes;
}

/** Reads a file back, or throws `CHIMERA_INVALID_INPUT` that says what is wrong with its bytes. */
export function decodeTensorFile(magic: string, bytes: Uint8Array, what: string): TensorFile {
  const refuse = (message: string): never => {
    throw new ChimeraError('CHIMERA_INVALID_INPUT', { what, problems: [{ path: '', message }] });
  };
  if (bytes.length < PREFIX) refuse(`${bytes.length} bytes are too few to be one`);
  if (String.fromCharCode(...bytes.subarray(0, 4)) !== magic) refuse(`it does not begin with ${magic}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headLength = view.getUint32(4, true);
  if (headLength > MAX_HEADER || PREFIX + headLength > bytes.length) refuse('its header is cut off');
  const { tensors: list, ...header } = parseHeader(bytes.subarray(PREFIX, PREFIX + headLength), refuse);
  const tensors = new Map<string, TensorData>();
  let at = PREFIX + headLength;
  for (const { name, type, length } of readList(list, refuse)) {
    const size = ARRAYS[type].BYTES_PER_ELEMENT;
    if (at + length * size > bytes.length) refuse(`tensor ${name} is cut off`);
    const data = new ARRAYS[type](length);
    const { get } = accessors(view, type);
    for (let i = 0; i < length; i++) {
      const value = get(at + i * size);
      if (!Number.isFinite(value)) refuse(`tensor ${name} holds ${value} at ${i}`);
      data[i] = value;
    }
    tensors.set(name, data);
    at += length * size;
  }
  if (at !== bytes.length) refuse(`${bytes.length - at} bytes follow its last tensor`);
  return { header, tensors };
}

type Refuse = (message: string) => never;

function parseHeader(bytes: Uint8Array, refuse: Refuse): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return refuse('its header is not JSON');
  }
  return typeof header === 'object' && header !== null && !Array.isArray(header)
    ? (header as Record<string, unknown>)
    : refuse('its header is not a JSON object');
}

function readList(list: unknown, refuse: Refuse): { name: string; type: TensorType; length: number }[] {
  if (!Array.isArray(list)) return refuse('its header lists no tensors');
  return list.map((item: { name?: unknown; type?: unknown; length?: unknown } | null) => {
    const { name, type, length } = item ?? {};
    return typeof name === 'string' &&
      typeof type === 'string' &&
      Object.hasOwn(ARRAYS, type) &&
      typeof length === 'number' &&
      Number.isSafeInteger(length) &&
      length >= 0
      ? { name, type: type as TensorType, length }
      : refuse('its header lists a tensor without name, type or length');
  });
}
