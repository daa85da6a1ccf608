import { isChimeraError } from '../contracts/errors.ts';
import { canonicalJson } from '../core/canonical/canonical.ts';
import type { ActivityDeps } from '../activities/deps.ts';

/** What a verification works with. */
export interface VerifyDeps extends Pick<ActivityDeps, 'stores' | 'fabric' | 'lendBlobs' | 'learning'> {
  readonly project: string;
  readonly signal: AbortSignal;
}

/** A thing whose stored form is not what its inputs give. */
export interface Difference {
  readonly subject: string;
  readonly stored: string;
  readonly derived: string;
}

/** One kind of thing, derived again. */
export interface Check {
  readonly what: string;
  /** How many were derived and compared. */
  readonly count: number;
  /** What was left out and why. */
  readonly note?: string;
  /** In the order in which they were met; {@link KEPT} at most. */
  readonly differences: readonly Difference[];
  /** All of them. */
  readonly differing: number;
}

/** Differences that are spelled out; one is enough to distrust, thousands tell no more. */
const KEPT = 20;
const SHOWN = 160;

/** Collects the comparisons of one check. */
export class Comparison {
  readonly #what: string;
  readonly #differences: Difference[] = [];
  #count = 0;
  #differing = 0;

  constructor(what: string) {
    this.#what = what;
  }

  /** Counts one thing and compares its stored form with the derived one, as canonical JSON. */
  same(subject: string, stored: unknown, derived: unknown): void {
    this.#count++;
    this.also(subject, stored, derived);
  }

  /** Compares a further part of a thing that was counted already. */
  also(subject: string, stored: unknown, derived: unknown): void {
    const [a, b] = [textOf(stored), textOf(derived)];
    if (a === b) return;
    this.#differing++;
    const from = firstDifference(a, b);
    if (this.#differences.length < KEPT)
      this.#differences.push({ subject, stored: excerpt(a, from), derived: excerpt(b, from) });
  }

  /** Derives and compares one thing; what cannot be read or derived differs, too. */
  async derive(subject: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isChimeraError(error)) throw error;
      this.same(subject, 'can be derived', error.message);
    }
  }

  done(note?: string): Check {
    return {
      what: this.#what,
      count: this.#count,
      ...(note === undefined ? {} : { note }),
      differences: this.#differences,
      differing: this.#differing,
    };
  }
}

const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : value === undefined ? 'nothing' : canonicalJson(value);

function firstDifference(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
}

/** The part around the first difference: rows may be long. */
function excerpt(text: string, around: number): string {
  if (text.length <= SHOWN) return text;
  const from = Math.max(0, Math.min(around - SHOWN / 4, text.length - SHOWN));
  return `${from > 0 ? '…' : ''}${text.slice(from, from + SHOWN)}${from + SHOWN < text.length ? '…' : ''}`;
}
