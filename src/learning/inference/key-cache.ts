import type { DecoderConfig } from '../architecture/config.ts';
import type { CacheNames } from '../architecture/decoder-serving.ts';
import { rotaryTables } from '../architecture/rotary.ts';
import { tensor, type Values } from '../runtime/session.ts';

/** Room for so many tokens at first; it doubles when it is full. */
const FIRST = 256;

/** Keys and values of the tokens that a generation has seen, and the angles of as many places. */
export class KeyCache {
  readonly #names: readonly CacheNames[];
  readonly #config: DecoderConfig;
  readonly #most: number;
  #capacity = 0;
  #tensors: Float32Array[];
  #angles: ReturnType<typeof rotaryTables>;

  /** @param most tokens that there will ever be */
  constructor(config: DecoderConfig, names: readonly CacheNames[], most = config.positions) {
    this.#config = config;
    this.#most = most;
    this.#names = names;
    this.#tensors = names.map(() => new Float32Array(0));
    this.#angles = rotaryTables(config, 0);
  }

  /** Makes room for `tokens` in all. */
  reserve(tokens: number): void {
    if (tokens <= this.#capacity) return;
    const { keyHeads, headSize } = this.#config;
    const before = this.#capacity * headSize;
    this.#capacity = Math.min(this.#most, Math.max(FIRST, 2 * this.#capacity, tokens));
    const after = this.#capacity * headSize;
    this.#tensors = this.#tensors.map((old) => {
      const grown = new Float32Array(keyHeads * after);
      for (let head = 0; head < keyHeads; head++) {
        grown.set(old.subarray(head * before, (head + 1) * before), head * after);
      }
      return grown;
    });
    this.#angles = rotaryTables(this.#config, this.#capacity);
  }

  /** As inputs of a run. */
  inputs(): Values {
    const { keyHeads, headSize } = this.#config;
    const shape = [1, keyHeads, this.#capacity, headSize];
    const kept = this.#tensors.map((values, i) => [this.#names[i]!.past, tensor(values, shape)] as const);
    const { cosines, sines } = this.#angles;
    const ofPlaces = [this.#capacity, headSize / 2];
    return { ...Object.fromEntries(kept), cosines: tensor(cosines, ofPlaces), sines: tensor(sines, ofPlaces) };
  }

  /** Puts in what a run gave for new tokens, the first of them at the place `from`. */
  add(outputs: Values, from: number): void {
    const { keyHeads, headSize } = this.#config;
    this.#names.forEach(({ added }, i) => {
      const rows = outputs[added]!.data as Float32Array;
      const size = rows.length / keyHeads;
      for (let head = 0; head < keyHeads; head++) {
        const place = (head * this.#capacity + from) * headSize;
        this.#tensors[i]!.set(rows.subarray(head * size, (head + 1) * size), place);
      }
    });
  }
}

/** What a {@link KeyCache} of so many tokens takes. */
export const keyBytes = ({ layers, keyHeads, headSize }: DecoderConfig, tokens: number): number =>
  // Keys and values of each layer, cosines and sines of half as many angles.
  Float32Array.BYTES_PER_ELEMENT * tokens * headSize * (2 * layers * keyHeads + 1);
