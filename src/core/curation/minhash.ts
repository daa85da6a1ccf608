import { stream } from '../random/random.ts';
import { pow } from '../stats/math.ts';
import { jaccard } from './shingles.ts';

/**
 * Near-duplicates by MinHash (Broder 1997) and banded locality-sensitive hashing (Leskovec, Rajaraman, Ullman: "Mining of
 * Massive Datasets", chapter 3). Two texts with Jaccard similarity s share a band, and so become a candidate pair, with
 * probability 1 − (1 − s^rows)^bands. Each candidate is then judged by its exact similarity: a look-up may miss a pair (see
 * the curve) but never makes one up. With 24 bands of 5 rows:
 *
 *     s      0.3    0.4    0.5    0.6    0.7    0.8      0.9
 *     P      0.057  0.219  0.533  0.857  0.988  0.99993  1 − 7e-10
 */
export interface LshPlan {
  readonly bands: number;
  readonly rows: number;
  /** Draws the hash functions; two plans with different seeds miss different pairs. */
  readonly seed: string;
}

export const DEFAULT_LSH: LshPlan = { bands: 24, rows: 5, seed: 'near-duplicates' };

/** The probability that a pair of this similarity becomes a candidate. */
export function candidateProbability(plan: LshPlan, similarity: number): number {
  return 1 - pow(1 - pow(similarity, plan.rows), plan.bands);
}

/** The band keys of a set under one plan: what it is filed under. */
export type Signature = Int32Array;

/** Computes signatures under a plan: one key a band, equal where all the band's minima are. */
export function signer(plan: LshPlan = DEFAULT_LSH): (set: Uint32Array) => Signature {
  const draws = stream(plan.seed, 0, 0, 'minhash');
  const size = plan.bands * plan.rows;
  const padded = Math.ceil(size / 4) * 4;
  const flips = Int32Array.from({ length: padded }, () => draws.u32() | 0);
  // Odd factors make x → (x ⊕ flip) · factor a permutation of the 32-bit words.
  const factors = Int32Array.from({ length: padded }, () => draws.u32() | 1);
  const minima = new Int32Array(padded);
  return (set) => {
    for (let k = 0; k < padded; k += 4) fourMinima(set, flips, factors, minima, k);
    const keys = new Int32Array(plan.bands);
    for (let band = 0; band < plan.bands; band++) {
      let key = band;
      for (let k = band * plan.rows; k < (band + 1) * plan.rows; k++) {
        key = Math.imul(key ^ minima[k]!, 0x9e3779b1) ^ (key >>> 15);
      }
      keys[band] = key;
    }
    return keys;
  };
}

/**
 * The least values of hash functions k to k + 3 over a set. Four in one pass, since this loop is where curation spends its
 * time; in signed order, since any order will do and this one needs no doubles.
 */
function fourMinima(set: Uint32Array, flips: Int32Array, factors: Int32Array, minima: Int32Array, k: number): void {
  const [flip0, flip1, flip2, flip3] = [flips[k]!, flips[k + 1]!, flips[k + 2]!, flips[k + 3]!];
  const [factor0, factor1, factor2, factor3] = [factors[k]!, factors[k + 1]!, factors[k + 2]!, factors[k + 3]!];
  let [least0, least1, least2, least3] = [0x7fffffff, 0x7fffffff, 0x7fffffff, 0x7fffffff];
  for (let i = 0; i < set.length; i++) {
    const shingle = set[i]! | 0;
    const hash0 = Math.imul(shingle ^ flip0, factor0);
    least0 = hash0 < least0 ? hash0 : least0;
    const hash1 = Math.imul(shingle ^ flip1, factor1);
    least1 = hash1 < least1 ? hash1 : least1;
    const hash2 = Math.imul(shingle ^ flip2, factor2);
    least2 = hash2 < least2 ? hash2 : least2;
    const hash3 = Math.imul(shingle ^ flip3, factor3);
    least3 = hash3 < least3 ? hash3 : least3;
  }
  minima[k] = least0;
  minima[k + 1] = least1;
  minima[k + 2] = least2;
  minima[k + 3] = least3;
}

/** A set in the index, and how alike. */
export interface Neighbour {
  readonly id: number;
  readonly similarity: number;
}

/** An index of shingle sets by band. */
export interface LshIndex {
  /** Those of at least this similarity among the sets added so far, by ascending id. */
  find(set: Uint32Array, signature: Signature, threshold: number): Neighbour[];
  /** Adds a set under an id; empty sets are left out, as they resemble nothing. */
  add(id: number, set: Uint32Array, signature: Signature): void;
  /** How many candidate pairs have been judged exactly. */
  readonly judged: number;
}

/** An empty index for signatures of `bands` keys. */
export function createLshIndex(bands: number = DEFAULT_LSH.bands): LshIndex {
  const tables = Array.from({ length: bands }, () => new Map<number, number[]>());
  const sets = new Map<number, Uint32Array>();
  let judged = 0;
  return {
    get judged() {
      return judged;
    },
    find: (set, signature, threshold) => {
      const candidates = new Set<number>();
      if (set.length > 0)
        signature.forEach((key, band) => {
          for (const id of tables[band]!.get(key) ?? []) candidates.add(id);
        });
      judged += candidates.size;
      return [...candidates]
        .map((id) => ({ id, similarity: jaccard(set, sets.get(id)!) }))
        .filter(({ similarity }) => similarity >= threshold)
        .sort((a, b) => a.id - b.id);
    },
    add: (id, set, signature) => {
      if (set.length === 0) return;
      sets.set(id, set);
      signature.forEach((key, band) => {
        const bucket = tables[band]!.get(key);
        if (bucket === undefined) tables[band]!.set(key, [id]);
        else bucket.push(id);
      });
    },
  };
}
