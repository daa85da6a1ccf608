/**
 * A growing byte buffer with the number formats of the WebAssembly binary format (core specification, section 5.2):
 * LEB128 integers, little-endian floats, length-prefixed vectors.
 */
export class ByteWriter {
  #bytes: Uint8Array;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** One byte; only the low eight bits of `value` count. */
  byte(value: number): this {
    if (this.#length === this.#bytes.length) this.#reserve(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  /** Raw bytes, without a length. */
  raw(bytes: ArrayLike<number>): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** Unsigned LEB128 of an integer in [0, 2^53). */
  unsigned(value: number): this {
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    return this.byte(rest);
  }

  /** Signed LEB128 of a safe integer or a bigint in the i64 range. */
  signed(value: number | bigint): this {
    if (typeof value === 'number' && value >= -0x80000000 && value < 0x80000000) {
      let rest = value | 0;
      for (;;) {
        const low = rest & 0x7f;
        rest >>= 7;
        if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) return this.byte(low);
        this.byte(low | 0x80);
      }
    }
    let rest = BigInt(value);
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0)) return this.byte(low);
      this.byte(low | 0x80);
    }
  }

  /** A little-endian IEEE 754 double, bit for bit (NaN payloads included where the engine keeps them). */
  float64(value: number): this {
    this.#reserve(8);
    new DataView(this.#bytes.buffer).setFloat64(this.#length, value, true);
    this.#length += 8;
    return this;
  }

  /** A length-prefixed vector of bytes. */
  vector(bytes: ArrayLike<number>): this {
    return this.unsigned(bytes.length).raw(bytes);
  }

  /** A length-prefixed ASCII name. Throws RangeError on other characters: module names here are our own. */
  name(text: string): this {
    const bytes = Array.from(text, (character) => character.charCodeAt(0));
    if (bytes.some((code) => code > 0x7f)) throw new RangeError(`name ${JSON.stringify(text)} is not ASCII`);
    return this.vector(bytes);
  }

  /** Forget the content, keep the room. */
  clear(): this {
    this.#length = 0;
    return this;
  }

  /** A view of what was written; the next write may change it. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** A copy of what was written. */
  finish(): Uint8Array<ArrayBuffer> {
    const copy = new Uint8Array(this.#length);
    copy.set(this.view());
    return copy;
  }

  #reserve(count: number): void {
    const wanted = this.#length + count;
    if (wanted <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(wanted, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
