import { refuse } from './refusal.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A bounds-checked cursor over module bytes. Every read past `end` refuses the module as malformed. */
export class Reader {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  byte(): number {
    if (this.at >= this.end) refuse('malformed', `unexpected end at byte ${this.at}`);
    return this.bytes[this.at++]!;
  }

  /** Unsigned LEB128 of 32 bits. */
  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      if (shift === 28 && byte > 0x0f) refuse('malformed', `integer too large at byte ${this.at - 1}`);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return refuse('malformed', `integer too long at byte ${this.at}`);
  }

  /** Passes over a LEB128 of at most `maximum` bytes. */
  skipLeb(maximum: number): void {
    for (let count = 0; count < maximum; count++) if (this.byte() < 0x80) return;
    refuse('malformed', `integer too long at byte ${this.at}`);
  }

  skip(count: number): void {
    if (this.at + count > this.end) refuse('malformed', `unexpected end at byte ${this.end}`);
    this.at += count;
  }

  /** A cursor over the next `count` bytes, which this one passes over. */
  slice(count: number): Reader {
    const start = this.at;
    this.skip(count);
    return new Reader(this.bytes, start, start + count);
  }

  name(): string {
    const length = this.u32();
    const start = this.at;
    this.skip(length);
    try {
      return utf8.decode(this.bytes.subarray(start, start + length));
    } catch {
      return refuse('malformed', `a name at byte ${start} is not UTF-8`);
    }
  }

  /** A vector's element count, refused above `limit` before anything is done for its elements. */
  count(what: string, limit: number): number {
    const count = this.u32();
    if (count > limit) refuse('limit', `${count} ${what}, the limit is ${limit}`);
    return count;
  }

  expectEnd(what: string): void {
    if (this.at !== this.end) refuse('malformed', `${what} ends at byte ${this.at}, not ${this.end}`);
  }
}
