import { refusal } from './problems.ts';
import { ARRAY, VALUE_TYPES, type GgufScalar, type GgufScalarType, type GgufValue } from './gguf-format.ts';

const TYPES_BY_NUMBER = new Map(
  Object.entries(VALUE_TYPES).map(([type, { number }]) => [number as number, type as GgufScalarType]),
);
/** Elements of all arrays together: a vocabulary of 256,000 tokens with types, scores and merges is a quarter of it. */
const MOST_ELEMENTS = 1 << 22;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The head goes on behind the bytes that were read of the file. */
export class CutOff extends Error {
  /** How many of its bytes have what was to be taken. */
  readonly needed: number;

  constructor(needed: number) {
    super(`the head has ${needed} bytes or more`);
    this.needed = needed;
  }
}

/**
 * Takes one value after another from the head of a GGUF file. A length or a count is believed only where the rest of the file could
 * hold so much: nothing is allocated, and no loop is entered, for what cannot be there.
 */
export class GgufReader {
  readonly #bytes: Uint8Array;
  readonly #size: number;
  readonly #view: DataView;
  readonly #what: string;
  #at = 0;
  #elements = 0;

  /** @param bytes of a file of `size`, or its first ones: then all throw {@link CutOff} where they need more */
  constructor(bytes: Uint8Array, size: number, what: string) {
    this.#bytes = bytes;
    this.#size = size;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  /** Bytes that were taken. */
  get at(): number {
    return this.#at;
  }

  refuse(message: string): never {
    throw refusal(this.#what, [{ path: '', message: `at byte ${this.#at}: ${message}` }]);
  }

  /** The place of the next `size` bytes, which are taken. */
  #take(size: number, of: string): number {
    const at = this.#at;
    if (size > this.#size - at) this.refuse(`the file ends within ${of}`);
    if (size > this.#bytes.length - at) throw new CutOff(at + size);
    this.#at += size;
    return at;
  }

  text(size: number, of: string): string {
    const at = this.#take(size, of);
    try {
      return utf8.decode(this.#bytes.subarray(at, at + size));
    } catch {
      return this.refuse(`${of} is not UTF-8`);
    }
  }

  uint32(of: string): number {
    return this.#view.getUint32(this.#take(4, of), true);
  }

  uint64(of: string): bigint {
    return this.#view.getBigUint64(this.#take(8, of), true);
  }

  /** A count of things that have at least `size` bytes each; `most` where so many would be absurd, whatever the file can hold. */
  count(size: number, of: string, most = Infinity): number {
    const count = this.uint64(of);
    if (count > most) this.refuse(`${of} is ${count}, the limit is ${most}`);
    if (count * BigInt(size) > BigInt(this.#size - this.#at)) {
      this.refuse(`${of} is ${count}, which is more than the rest of the file can hold`);
    }
    return Number(count);
  }

  string(of: string): string {
    return this.text(this.count(1, `the length of ${of}`), of);
  }

  value(of: string): GgufValue {
    const number = this.uint32(`the type of ${of}`);
    if (number !== ARRAY) {
      const type = this.#type(number, of);
      return { type, value: this.#scalar(type, of) };
    }
    // Arrays of arrays, which the format knows, are in no model: llama.cpp does not read them either.
    const type = this.#type(this.uint32(`the type of ${of}`), `the elements of ${of}`);
    const count = this.count(VALUE_TYPES[type].size, `the length of ${of}`);
    this.#elements += count;
    if (this.#elements > MOST_ELEMENTS) this.refuse(`with ${of}, arrays have more than ${MOST_ELEMENTS} elements`);
    return { type: 'array', of: type, value: Array.from({ length: count }, () => this.#scalar(type, of)) };
  }

  #type(number: number, of: string): GgufScalarType {
    return TYPES_BY_NUMBER.get(number) ?? this.refuse(`${of} cannot be of type ${number}`);
  }

  #scalar(type: GgufScalarType, of: string): GgufScalar {
    if (type === 'string') return this.string(of);
    const view = this.#view;
    const at = this.#take(VALUE_TYPES[type].size, of);
    switch (type) {
      case 'uint8':
        return view.getUint8(at);
      case 'int8':
        return view.getInt8(at);
      case 'uint16':
        return view.getUint16(at, true);
      case 'int16':
        return view.getInt16(at, true);
      case 'uint32':
        return view.getUint32(at, true);
      case 'int32':
        return view.getInt32(at, true);
      case 'float32':
        return view.getFloat32(at, true);
      case 'bool':
        return view.getUint8(at) !== 0;
      case 'uint64':
        return view.getBigUint64(at, true);
      case 'int64':
        return view.getBigInt64(at, true);
      case 'float64':
        return view.getFloat64(at, true);
    }
  }
}
