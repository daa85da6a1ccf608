import { loadMailTriage } from '../../examples/mail-triage/data.ts';
import { mailTriage } from '../../examples/mail-triage/task-type.ts';
import type { Json } from '../../src/core/canonical/canonical.ts';
import { curate } from '../../src/core/curation/dataset.ts';
import type { Example } from '../../src/core/curation/examples.ts';
import { stream } from '../../src/core/random/random.ts';
import { createPreprocessor } from '../../src/core/validation/preprocess/pipeline.ts';
import type { TextExample } from '../../src/learning/training/examples.ts';

export const LABELS = ['ham', 'spam'];

/** What is left of a mail for one who has to find its subject. */
const LONGEST_BODY = 240;

type Labelled = Extract<TextExample, { text: string }>;
type Prompted = Extract<TextExample, { completion: string }>;

/** Real mail to tune models on. */
export interface TuningMails {
  /** What curation leaves to train on: no look-alikes, nothing unreadable, nobody's address, as much spam as ham. */
  readonly curated: readonly Labelled[];
  /** Every mail that is not held out, as it came in: with look-alikes, addresses, and more ham than spam. */
  readonly uncurated: readonly Labelled[];
  /** Mails that neither of them holds, nor a look-alike of which is among the curated ones. */
  readonly heldOut: readonly Labelled[];
  /** From a mail's text to its subject line, of curated mails and of held-out ones. */
  readonly subjects: { readonly train: readonly Prompted[]; readonly heldOut: readonly Prompted[] };
}

/** The mails of the example, read as agents read them, curated and split as the platform does it. */
export async function loadTuningMails(seed: string): Promise<TuningMails> {
  const mails = await loadMailTriage({ seed });
  const read = createPreprocessor(mailTriage.preprocess, []);
  const asItCame = createPreprocessor(
    mailTriage.preprocess.filter(({ op }) => op !== 'redact'),
    [],
  );
  const parts = createPreprocessor(
    mailTriage.preprocess.filter(({ op }) => op !== 'compose'),
    [],
  );
  const offered: Example[] = [];
  const raw: Labelled[] = [];
  const prompts: Prompted[] = [];
  for (const [ordinal, { raw: mail, label }] of mails.entries()) {
    const text = textOf((await read({ raw: mail })).payload['text']);
    offered.push({ ordinal, source: 'mail', input: { text }, expected: { label }, label });
    raw.push({ text: textOf((await asItCame({ raw: mail })).payload['text']), label });
    const { subject, text: body } = (await parts({ raw: mail })).payload;
    prompts.push(subjectExample(textOf(subject), textOf(body)));
  }
  const { splits, rejected } = curate(offered, {
    ...{ taskType: mailTriage.name, seed, maxClassRatio: 1 },
    quality: { labels: LABELS },
    split: { by: 'hash', shares: { train: 0.7, validation: 0, test: 0.3 } },
  });
  const apart = new Set(splits.test.map(({ ordinal }) => ordinal));
  for (const { ordinal, reason } of rejected) if (reason === 'look-alike-across-splits') apart.add(ordinal);
  const labelled = ({ input, label }: Example): Labelled => ({
    text: textOf((input as { text?: Json }).text),
    label: label!,
  });
  const promptsOf = (examples: readonly Example[]): Prompted[] =>
    examples.map(({ ordinal }) => prompts[ordinal]!).filter(({ prompt, completion }) => prompt && completion);
  return {
    curated: splits.train.map(labelled),
    uncurated: raw.filter((_, ordinal) => !apart.has(ordinal)),
    heldOut: splits.test.map(labelled),
    subjects: { train: promptsOf(splits.train), heldOut: promptsOf(splits.test) },
  };
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function subjectExample(subject: string, body: string): Prompted {
  const beginning = body.replaceAll(/\s+/g, ' ').trim().slice(0, LONGEST_BODY);
  return {
    prompt: beginning === '' ? '' : `Mail: ${beginning}\nSubject:`,
    completion: subject.trim() === '' ? '' : ` ${subject.trim()}`,
  };
}

/** So many of a list, drawn without putting back. */
export const draw = <T>(items: readonly T[], count: number, seed: string): T[] =>
  stream(seed, 0, 0, 'bench/tuning').shuffle(items).slice(0, count);
