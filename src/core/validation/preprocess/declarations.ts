import { z } from 'zod';

/** A top-level field of the payload. */
const field = z
  .string()
  .regex(/^[a-zA-Z][a-zA-Z0-9_-]{0,63}$/, 'a field is a top-level name of letters, digits, _ and -');
const headerName = z.string().regex(/^[a-z0-9-]{1,76}$/, 'a header field in lower case');
const term = z.string().min(1).max(64);

/** One operator of the preprocessing pipeline. Steps run in the order in which the task type declares them. */
export const preprocessStep = z.discriminatedUnion('op', [
  /** A raw RFC 822 message becomes `from`, `replyTo`, `subject`, `type`, `text`, `html`, `attachments`, `present`. */
  z.strictObject({ op: z.literal('mime'), field, headers: z.array(headerName).max(64).default([]) }),
  /** Markup becomes the text a reader sees, appended to what `to` holds, or only where `to` is empty. */
  z.strictObject({
    op: z.literal('html-to-text'),
    field,
    to: field,
    mode: z.enum(['append', 'if-empty', 'replace']).default('append'),
  }),
  /** Unicode NFKC, one kind of white space, no invisible characters, a cap. */
  z.strictObject({
    op: z.literal('normalise'),
    fields: z.array(field).min(1).max(64),
    lower: z.boolean().default(false),
    maxLength: z.number().int().min(1).max(1_000_000).default(20_000),
  }),
  /** Addresses, phone and card numbers and long digit runs become placeholders, as in curated data: agents see what models learned from. */
  z.strictObject({ op: z.literal('redact'), fields: z.array(field).min(1).max(64) }),
  /** Joins fields to one text, for models that read one. A list becomes its items, `prefix` before each. */
  z.strictObject({
    op: z.literal('compose'),
    to: field,
    parts: z
      .array(z.strictObject({ field, prefix: z.string().max(32).default('') }))
      .min(1)
      .max(32),
  }),
  /** Fields that features may read and agents do not get. */
  z.strictObject({ op: z.literal('drop'), fields: z.array(field).min(1).max(64) }),
]);

const name = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, 'a feature name is lower case with digits and _');

/** One number that agents see for each task, in the order of declaration. There are no expressions from users in it. */
export const featureDeclaration = z.discriminatedUnion('kind', [
  /** UTF-16 code units of a text. */
  z.strictObject({ name, kind: z.literal('length'), field }),
  /** Words of a text. */
  z.strictObject({ name, kind: z.literal('words'), field }),
  /** The share of a class of characters: `upper` among letters, the others among all. 0 for an empty text. */
  z.strictObject({ name, kind: z.literal('ratio'), field, of: z.enum(['upper', 'digit', 'punctuation', 'non-ascii']) }),
  /** How many words of a text are in the list; case does not matter. */
  z.strictObject({ name, kind: z.literal('terms'), field, terms: z.array(term).min(1).max(2000) }),
  /** Occurrences of a piece of text that do not overlap. */
  z.strictObject({ name, kind: z.literal('substring'), field, substring: term }),
  /** 1 where a text equals `value` or a list holds it, else 0. */
  z.strictObject({ name, kind: z.literal('is'), field, value: z.string().max(256) }),
  /** A number, or a boolean as 0 or 1; 0 for anything else. */
  z.strictObject({ name, kind: z.literal('number'), field }),
]);

export type PreprocessStep = z.output<typeof preprocessStep>;
export type FeatureDeclaration = z.output<typeof featureDeclaration>;
