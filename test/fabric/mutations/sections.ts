import { ByteWriter } from '../../../src/core/wasm/bytes.ts';

const HEADER_BYTES = 8;

/** A section as it is written: its length may be a lie. */
export interface Section {
  readonly id: number;
  readonly body: Uint8Array;
  /** The length field, where it is not simply the length of the body. */
  readonly length?: Uint8Array;
}

/** A module or a component, cut into its sections. */
export interface Cut {
  readonly header: Uint8Array;
  readonly sections: readonly Section[];
}

/** An unsigned LEB128 as it is, however long or large, and where it ends. */
export function lebAt(bytes: Uint8Array, at: number): { value: number; end: number } {
  let value = 0;
  for (let i = 0; ; i++) {
    const byte = bytes[at + i] ?? 0;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80 || i === 9) return { value, end: at + i + 1 };
  }
}

export const leb = (value: number): Uint8Array => new ByteWriter().unsigned(value).finish();

/** The bytes must be well-formed, as every agent before its mutation is. */
export function cut(bytes: Uint8Array): Cut {
  const sections: Section[] = [];
  for (let at = HEADER_BYTES; at < bytes.length;) {
    const { value, end } = lebAt(bytes, at + 1);
    sections.push({ id: bytes[at]!, body: bytes.subarray(end, end + value) });
    at = end + value;
  }
  return { header: bytes.subarray(0, HEADER_BYTES), sections };
}

export function join({ header, sections }: Cut): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter(1024).raw(header);
  for (const { id, body, length } of sections) {
    out
      .byte(id)
      .raw(length ?? leb(body.length))
      .raw(body);
  }
  return out.finish();
}

/** `bytes` with `size` of them at `at` replaced. */
export function splice(bytes: Uint8Array, at: number, size: number, by: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  return new ByteWriter(bytes.length + by.length)
    .raw(bytes.subarray(0, at))
    .raw(by)
    .raw(bytes.subarray(at + size))
    .finish();
}
