import { sha256Hex } from '../canonical/canonical.ts';

/**
 * Counter-based randomness: a draw is a pure function of (seed, generation, index, purpose, k), so that nothing depends
 * on who drew before. The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011); its key is the hash of (seed, purpose), its counter is (k, index, generation, 0).
 */
export interface Stream {
  /** The next 32 random bits as an unsigned integer. */
  u32(): number;
  /** Uniform on [0, 1) with 53 bits. */
  uniform(): number;
  /** Uniform on {0, …, n − 1}, without modulo bias. `n` is an integer in [1, 2^32]. */
  integer(n: number): number;
  /** True with probability `p`. */
  chance(p: number): boolean;
  /** One element, each with the same probability. Throws RangeError on an empty list. */
  pick<T>(items: readonly T[]): T;
  /** A shuffled copy (Fisher-Yates). */
  shuffle<T>(items: readonly T[]): T[];
}

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** High and low word of the 64-bit product of two unsigned 32-bit integers, in exact integer steps. */
function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + (middle >>> 16) + (carry >>> 16)) >>> 0;
}

/** Philox4x32-10: four words of counter and two of key to four random words. */
export function philox4x32(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = mulHigh(M0, c0);
    const low0 = Math.imul(M0, c0) >>> 0;
    const high1 = mulHigh(M1, c2);
    const low1 = Math.imul(M1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** The stream of draws for one use. Two streams with the same four arguments give the same draws. */
export function stream(seed: string, generation: number, index: number, purpose: string): Stream {
  const digest = sha256Hex(JSON.stringify([seed, purpose]));
  const key = [Number.parseInt(digest.slice(0, 8), 16), Number.parseInt(digest.slice(8, 16), 16)] as const;
  let block = 0;
  let words: number[] = [];
  const u32 = (): number => {
    if (words.length === 0) words = philox4x32([block++ >>> 0, index >>> 0, generation >>> 0, 0], key).reverse();
    return words.pop()!;
  };
  const uniform = (): number => ((u32() >>> 5) * 0x4000000 + (u32() >>> 6)) / 0x20000000000000;
  const integer = (n: number): number => {
    const bound = 0x100000000 - (0x100000000 % n);
    let word = u32();
    while (word >= bound) word = u32();
    return word % n;
  };
  return {
    u32,
    uniform,
    integer,
    chance: (p) => uniform() < p,
    pick: (items) => {
      if (items.length === 0) throw new RangeError('nothing to pick from');
      return items[integer(items.length)]!;
    },
    shuffle: (items) => {
      const copy = [...items];
      for (let i = copy.length - 1; i > 0; i--) {
        const j = integer(i + 1);
        [copy[i], copy[j]] = [copy[j]!, copy[i]!];
      }
      return copy;
    },
  };
}

/** `count` random bytes: the words of the stream of the same arguments, in order, little-endian. */
export function philoxBytes(
  seed: string,
  generation: number,
  index: number,
  purpose: string,
  count: number,
): Uint8Array<ArrayBuffer> {
  const { u32 } = stream(seed, generation, index, purpose);
  const words = new Uint32Array(Math.ceil(count / 4));
  for (let i = 0; i < words.length; i++) words[i] = u32();
  return new Uint8Array(words.buffer, 0, count);
}
