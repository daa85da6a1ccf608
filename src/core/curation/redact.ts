import type { Json } from '../canonical/canonical.ts';

/** What is taken out of texts before anything is learned from them, each replaced by its name in brackets. */
export const REDACTION_KINDS = ['email', 'ip', 'card', 'phone', 'number'] as const;
export type RedactionKind = (typeof REDACTION_KINDS)[number];
export type RedactionCounts = Readonly<Record<RedactionKind, number>>;

/** The stand-in of each kind, for example `[EMAIL]`. None of them holds anything that would be redacted again. */
export function placeholderOf(kind: RedactionKind): string {
  return `[${kind.toUpperCase()}]`;
}

interface Rule {
  readonly kind: RedactionKind;
  /** Every quantifier is bounded or unambiguous, so that no text takes more than linear time. */
  readonly pattern: RegExp;
  /** Cheaper than the pattern, and true wherever it could match. */
  readonly when?: RegExp;
  readonly accept?: (match: string) => boolean;
}

const RULES: readonly Rule[] = [
  {
    kind: 'ip',
    pattern: /(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\.?\d)/g,
    accept: (match) => match.split('.').every((part) => Number(part) <= 255),
  },
  {
    kind: 'ip',
    pattern: /(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])/gi,
    when: /::|(?::[0-9a-f]{1,4}){6}:/i,
    // Either a full address or one with a gap; 12:30:45 is a time and a bare :: is punctuation.
    accept: (match) => /\d/.test(match) && (match.includes('::') || match.split(':').length === 8),
  },
];

/** Those of seven digits or more, which most texts have nowhere so close together. */
const LONG_RULES: readonly Rule[] = [
  { kind: 'card', pattern: /(?<!\d[ -]?)\d(?:[ -]?\d){12,18}(?![ -]?\d)/g, accept: passesLuhn },
  { kind: 'phone', pattern: /(?<![\w+])\+\d{1,3}(?:[ .()/-]{0,3}\d){6,13}(?!\d)/g },
  { kind: 'phone', pattern: /(?<!\d)(?:1[ .-]?)?(?:\(\d{3}\)[ .-]?|\d{3}[ .-])\d{3}[ .-]\d{4}(?!\d)/g },
  { kind: 'phone', pattern: /(?<![\d.])\(?0\d{1,4}\)?[ /-]\d{3,4}[ -]?\d{3,5}(?!\d)/g },
  { kind: 'number', pattern: /\d{7,}/g },
];
/** True wherever one of {@link LONG_RULES} could match. */
const LONG = /\d(?:[ .()/-]{0,3}\d){6}/;

/** The check digit that payment cards carry (ISO/IEC 7812-1). */
function passesLuhn(text: string): boolean {
  let sum = 0;
  let double = false;
  for (let i = text.length - 1; i >= 0; i--) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) continue;
    const value = double ? digit * 2 : digit;
    sum += value > 9 ? value - 9 : value;
    double = !double;
  }
  return sum % 10 === 0;
}

export interface Redacted<T> {
  readonly value: T;
  readonly counts: RedactionCounts;
}

const zero = (): Record<RedactionKind, number> => ({ email: 0, ip: 0, card: 0, phone: 0, number: 0 });

/**
 * Replaces e-mail addresses, IP addresses, card-like numbers (13 to 19 digits with a right check digit), phone numbers
 * (international, North American, or national with a leading 0) and any other run of seven or more digits by typed
 * placeholders. Idempotent: rules are applied until nothing is left for them to find.
 */
export function redactText(text: string): Redacted<string> {
  const counts = zero();
  return { value: redactInto(text, counts), counts };
}

/** {@link redactText} for every string inside a JSON value; keys and numbers stay. */
export function redactJson(value: Json): Redacted<Json> {
  const counts = zero();
  return { value: visit(value, counts), counts };
}

function visit(value: Json, counts: Record<RedactionKind, number>): Json {
  if (typeof value === 'string') return redactInto(value, counts);
  if (Array.isArray(value)) return value.map((one: Json) => visit(one, counts));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value as { readonly [key: string]: Json | undefined });
  return Object.fromEntries(entries.map(([key, one]) => [key, one === undefined ? undefined : visit(one, counts)]));
}

function redactInto(text: string, counts: Record<RedactionKind, number>): string {
  let current = text;
  for (;;) {
    // Each round takes an @ or a digit away, so this ends; the second round is nearly always the last.
    const next = oneRound(current, counts);
    if (next === current) return current;
    current = next;
  }
}

function oneRound(text: string, counts: Record<RedactionKind, number>): string {
  let out = text.includes('@') ? redactEmails(text, counts) : text;
  const rules = LONG.test(out) ? [...RULES, ...LONG_RULES] : RULES;
  for (const { kind, pattern, when, accept } of rules) {
    if (when !== undefined && !when.test(out)) continue;
    out = out.replace(pattern, (match: string) => {
      if (accept !== undefined && !accept(match)) return match;
      counts[kind]++;
      return placeholderOf(kind);
    });
  }
  return out;
}

const DOMAIN = /@[^\s<>()[\],;:"'@/?&=|]+/g;
const LOCAL_END = /[\s<>()[\],;:"'@/?&=|]/;

/** From each @ outwards: a pattern that began at the local part would be quadratic on long runs without one. */
function redactEmails(text: string, counts: Record<RedactionKind, number>): string {
  let out = '';
  let done = 0;
  for (const match of text.matchAll(DOMAIN)) {
    let start = match.index;
    while (start > done && !LOCAL_END.test(text[start - 1]!)) start--;
    if (start === match.index) continue;
    // A full stop after an address ends the sentence.
    const domain = match[0].replace(/[.!]{1,64}$/, '');
    if (domain.length < 2) continue;
    out += text.slice(done, start) + placeholderOf('email');
    counts.email++;
    done = match.index + domain.length;
  }
  return out + text.slice(done);
}

/** The sums of two counts. */
export function addCounts(a: RedactionCounts, b: RedactionCounts): RedactionCounts {
  const sum = zero();
  for (const kind of REDACTION_KINDS) sum[kind] = a[kind] + b[kind];
  return sum;
}
