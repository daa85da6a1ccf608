import { ChimeraError, invalidInput } from '../../contracts/errors.ts';
import { canonicalJson, hashOf, sha256Hex } from '../canonical/canonical.ts';
import type { Sha256 } from '../canonical/canonical.ts';
import { balanceOf, downSample } from './balance.ts';
import type { BalanceReport } from './balance.ts';
import { deduplicate } from './dedupe.ts';
import { fingerprint } from './examples.ts';
import type { Example, Fingerprinted } from './examples.ts';
import { qualityProblem } from './quality.ts';
import type { QualityReason, QualitySettings } from './quality.ts';
import { addCounts, redactJson } from './redact.ts';
import type { RedactionCounts } from './redact.ts';
import { proveNoLeakage, splitExamples, SPLITS, withoutLeakage } from './split.ts';
import type { LeakageProof, Split, Splits, SplitSettings } from './split.ts';

export interface CurationSettings {
  readonly taskType: string;
  readonly seed: string;
  readonly split: Omit<SplitSettings, 'seed'>;
  readonly quality?: QualitySettings | undefined;
  /** Similarity from which an example is a near-duplicate. Default 0.8. */
  readonly nearDuplicate?: number | undefined;
  /** Redact before anything else looks at the text. Default true. */
  readonly redact?: boolean | undefined;
  /** Down-sample the training split until no label has more than this many times the rarest. Default: leave it. */
  readonly maxClassRatio?: number | undefined;
  /** Who may use the data for what; written into the datasheet as given. */
  readonly licence?: string | undefined;
  readonly consent?: string | undefined;
}

export type RejectReason =
  QualityReason | 'exact-duplicate' | 'near-duplicate' | 'look-alike-across-splits' | 'class-balance';

export interface SplitSheet {
  readonly examples: number;
  readonly fromOrdinal: number | null;
  readonly toOrdinal: number | null;
  readonly labels: Readonly<Record<string, number>>;
  /** SHA-256 of the split's JSON Lines. */
  readonly sha256: Sha256;
  readonly bytes: number;
}

/** What is known about a dataset version (after Gebru et al., "Datasheets for Datasets", CACM 2021). */
export interface Datasheet {
  readonly taskType: string;
  readonly settings: CurationSettings;
  readonly offered: number;
  readonly examples: number;
  readonly fromOrdinal: number | null;
  readonly toOrdinal: number | null;
  readonly sources: Readonly<Record<string, number>>;
  readonly rejected: Readonly<Partial<Record<RejectReason, number>>>;
  /** Duplicates whose labels disagree. */
  readonly conflicts: number;
  readonly redactions: RedactionCounts;
  readonly splits: Readonly<Record<Split, SplitSheet>>;
  /** Class balance and weights of the training split. */
  readonly balance: BalanceReport['labels'];
  readonly leakage: LeakageProof;
  readonly licence: string;
  readonly consent: string;
}

export interface DatasetVersion {
  /** The dataset's name: the hash of its datasheet, which holds the hash of every split. */
  readonly hash: Sha256;
  readonly datasheet: Datasheet;
  readonly splits: Splits<Example>;
  /** Canonical JSON Lines of each split, in ordinal order, each line ended by a line feed. */
  readonly files: Readonly<Record<Split, string>>;
  /** Every example that was left out, by ascending ordinal. */
  readonly rejected: readonly { readonly ordinal: number; readonly reason: RejectReason }[];
}

/**
 * Curates a dataset version: quality checks, redaction, exact and near-duplicates out, split, balance, proof. A pure
 * function of the set of examples (their order does not matter) and the settings. Throws CHIMERA_INVALID_INPUT where an
 * ordinal is there twice or a setting is wrong, CHIMERA_NO_DATA where nothing is left to train on.
 */
export function curate(examples: readonly Example[], settings: CurationSettings): DatasetVersion {
  const ordered = [...examples].sort((a, b) => a.ordinal - b.ordinal);
  checkOrdinals(ordered);
  const rejected: { ordinal: number; reason: RejectReason }[] = [];
  let redactions = redactJson(null).counts;
  const fit: Fingerprinted[] = [];
  for (const example of ordered) {
    const reason = qualityProblem(example, settings.quality);
    if (reason !== null) {
      rejected.push({ ordinal: example.ordinal, reason });
      continue;
    }
    if (settings.redact === false) {
      fit.push(fingerprint(example));
      continue;
    }
    const input = redactJson(example.input);
    const expected = redactJson(example.expected);
    redactions = addCounts(redactions, addCounts(input.counts, expected.counts));
    fit.push(fingerprint({ ...example, input: input.value, expected: expected.value }));
  }
  const nearDuplicate = settings.nearDuplicate ?? 0.8;
  const { kept, removed } = deduplicate(fit, nearDuplicate);
  for (const { ordinal, kind } of removed) rejected.push({ ordinal, reason: `${kind}-duplicate` });
  const { splits: whole, crossing } = splitExamples(kept, { ...settings.split, seed: settings.seed });
  const { splits: apart, proof, removed: leaking } = withoutLeakage(whole, nearDuplicate);
  for (const ordinal of [...crossing, ...leaking]) rejected.push({ ordinal, reason: 'look-alike-across-splits' });
  const splits = balanceTraining(apart, settings, rejected);
  if (splits.train.length === 0)
    throw new ChimeraError('CHIMERA_NO_DATA', { why: `none of ${examples.length} examples is left to train on` });
  // Down-sampling only takes examples away, but the proof names the contents it is about.
  const leakage = splits === apart ? proof : proveNoLeakage(splits, nearDuplicate);
  rejected.sort((a, b) => a.ordinal - b.ordinal);

  const plain = mapSplits(splits, (list) => list.map(({ example }) => example));
  const files = mapSplits(plain, toJsonLines);
  const used = SPLITS.flatMap((split) => plain[split]);
  const datasheet: Datasheet = {
    taskType: settings.taskType,
    settings,
    offered: examples.length,
    examples: used.length,
    ...ordinalsOf(used),
    sources: countBy(used, (example) => example.source),
    rejected: countBy(rejected, ({ reason }) => reason),
    conflicts: removed.filter(({ conflict }) => conflict).length,
    redactions,
    splits: mapSplits(plain, (list, split) => ({
      examples: list.length,
      ...ordinalsOf(list),
      labels: countBy(list, (example) => example.label ?? ''),
      sha256: sha256Hex(files[split]),
      bytes: utf8Length(files[split]),
    })),
    balance: balanceOf(plain.train).labels,
    leakage,
    licence: settings.licence ?? 'not stated',
    consent: settings.consent ?? 'not stated',
  };
  return { hash: hashOf(datasheet), datasheet, splits: plain, files, rejected };
}

function checkOrdinals(ordered: readonly Example[]): void {
  const twice = ordered.filter((example, i) => i > 0 && ordered[i - 1]!.ordinal === example.ordinal);
  if (twice.length > 0)
    throw invalidInput(
      'the examples',
      twice.slice(0, 20).map(({ ordinal }) => ({ path: '/ordinal', message: `${ordinal} is there twice` })),
    );
}

/** Down-samples the training split only: the others must show the classes as they come. */
function balanceTraining(
  splits: Splits<Fingerprinted>,
  settings: CurationSettings,
  rejected: { ordinal: number; reason: RejectReason }[],
): Splits<Fingerprinted> {
  if (settings.maxClassRatio === undefined) return splits;
  const stay = downSample(
    splits.train.map(({ example }) => example),
    settings.maxClassRatio,
    settings.seed,
  );
  const ordinals = new Set(stay.map(({ ordinal }) => ordinal));
  for (const { example } of splits.train)
    if (!ordinals.has(example.ordinal)) rejected.push({ ordinal: example.ordinal, reason: 'class-balance' });
  return { ...splits, train: splits.train.filter(({ example }) => ordinals.has(example.ordinal)) };
}

/** One canonical JSON document a line. */
export function toJsonLines(examples: readonly Example[]): string {
  return examples.map((example) => `${canonicalJson(example)}\n`).join('');
}

/** The examples of {@link toJsonLines}. */
export function fromJsonLines(text: string): Example[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Example);
}

function mapSplits<T, U>(splits: Readonly<Record<Split, T>>, map: (value: T, split: Split) => U): Record<Split, U> {
  return {
    train: map(splits.train, 'train'),
    validation: map(splits.validation, 'validation'),
    test: map(splits.test, 'test'),
  };
}

function ordinalsOf(examples: readonly Example[]): { fromOrdinal: number | null; toOrdinal: number | null } {
  let from: number | null = null;
  let to: number | null = null;
  for (const { ordinal } of examples) {
    from = from === null ? ordinal : Math.min(from, ordinal);
    to = to === null ? ordinal : Math.max(to, ordinal);
  }
  return { fromOrdinal: from, toOrdinal: to };
}

function countBy<T, K extends string>(items: readonly T[], key: (item: T) => K): Record<K, number> {
  const counts = {} as Record<K, number>;
  for (const item of items) counts[key(item)] = (counts[key(item)] ?? 0) + 1;
  return counts;
}

/** Bytes of a well-formed text in UTF-8. */
function utf8Length(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    // Each half of a surrogate pair stands for two of its four bytes.
    bytes += code < 0x80 ? 1 : code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? 2 : 3;
  }
  return bytes;
}
