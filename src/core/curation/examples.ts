import type { Json } from '../canonical/canonical.ts';
import { hashOf } from '../canonical/canonical.ts';
import { signer } from './minhash.ts';
import type { Signature } from './minhash.ts';
import { shinglesOf, textOf } from './shingles.ts';

/** One thing to learn from: a task's input and the right output. */
export interface Example {
  /** Its task's place in the stream; unique in a dataset. */
  readonly ordinal: number;
  /** Where it came from (a source's name, `feedback`, an upload). */
  readonly source: string;
  readonly input: Json;
  readonly expected: Json;
  /** The class it counts for in balance; absent for task types without classes. */
  readonly label?: string | undefined;
}

/** An example with what curation computes of it once. */
export interface Fingerprinted {
  readonly example: Example;
  /** SHA-256 of the canonical input. */
  readonly contentHash: string;
  readonly shingles: Uint32Array;
  /** Of the shingles, under the default plan of minhash.ts. */
  readonly signature: Signature;
}

const sign = signer();

/** Computes the content hash, and the shingles of the input's text with their signature. */
export function fingerprint(example: Example): Fingerprinted {
  const shingles = shinglesOf(textOf(example.input));
  return { example, contentHash: hashOf(example.input), shingles, signature: sign(shingles) };
}
