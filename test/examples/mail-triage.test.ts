import assert from 'node:assert/strict';
import { keywordRule } from '../../examples/mail-triage/baseline.ts';
import { loadMailTriage, PARTS, type MailExample, type Part } from '../../examples/mail-triage/data.ts';
import { mailTriage } from '../../examples/mail-triage/task-type.ts';
import { loadLinearModel } from '../../src/core/training/linear/model.ts';
import { LINEAR_VARIANTS } from '../../src/core/training/linear/spec.ts';
import { createTrainer, type TrainingData } from '../../src/core/training/linear/trainer.ts';
import { admit } from '../../src/core/validation/admission.ts';
import { createPreprocessor } from '../../src/core/validation/preprocess/pipeline.ts';

interface Seen {
  readonly part: Part;
  readonly wave: 1 | 2;
  readonly label: 'ham' | 'spam';
  readonly text: string;
  readonly features: Float64Array;
}

function balanced(mails: readonly Seen[], isSpam: (mail: Seen) => boolean): number {
  const share = (label: string, right: (mail: Seen) => boolean): number => {
    const ofLabel = mails.filter((mail) => mail.label === label);
    return ofLabel.filter(right).length / ofLabel.length;
  };
  return (share('spam', isSpam) + share('ham', (mail) => !isSpam(mail))) / 2;
}

describe('mail triage', () => {
  let mails: MailExample[];
  let seen: Seen[];

  before(async function () {
    this.timeout(120_000);
    mails = await loadMailTriage();
    const preprocess = createPreprocessor(mailTriage.preprocess, mailTriage.features);
    seen = [];
    for (const { raw, part, wave, label } of mails) {
      const { payload, features } = await preprocess({ raw });
      seen.push({ part, wave, label, text: String(payload['text']), features });
    }
  });

  it('has the two waves in the parts of the plan', () => {
    const count = (of: (mail: MailExample) => boolean): number => mails.filter(of).length;
    const sizes = ([1, 2] as const).flatMap((wave) => [
      count((mail) => mail.wave === wave && mail.label === 'ham'),
      count((mail) => mail.wave === wave && mail.label === 'spam'),
    ]);
    assert.deepEqual(sizes, [2466, 479, 1630, 1292]);
    assert.deepEqual(
      PARTS.map((part) => count((mail) => mail.part === part)),
      [1964, 981, 1461, 487, 974],
    );
    const order = mails.map((mail) => PARTS.indexOf(mail.part));
    assert.deepEqual(order, [...order].sort(), 'parts follow one another');
  });

  it('holds no mail twice, and admits them all', () => {
    assert.equal(new Set(mails.map((mail) => mail.id)).size, mails.length);
    assert.equal(new Set(seen.map((mail) => mail.text)).size, seen.length);
    for (const { raw, id } of mails) assert.deepEqual(admit(mailTriage, { raw }), [], id);
  });

  it('thins out in proportion and in the same order', async () => {
    const few = await loadMailTriage({ limit: 300 });
    assert.ok(Math.abs(few.length - 300) <= 2, `${few.length}`);
    const spam = few.filter((mail) => mail.wave === 2 && mail.label === 'spam').length;
    assert.ok(Math.abs(spam - (300 * 1294) / 5867) <= 1, `${spam}`);
    const places = few.map(({ id }) => mails.findIndex((mail) => mail.id === id));
    assert.deepEqual(
      places,
      [...places].sort((a, b) => a - b),
    );
  });

  it('comes in another order for another seed', async () => {
    const other = await loadMailTriage({ seed: 'other' });
    assert.notDeepEqual(
      other.map((mail) => mail.id),
      mails.map((mail) => mail.id),
    );
    assert.deepEqual(await loadMailTriage(), mails);
  });

  it('shows agents neither label nor place of a mail', async () => {
    const { payload } = await createPreprocessor(mailTriage.preprocess, [])({ raw: mails[0]!.raw });
    assert.deepEqual(Object.keys(payload).sort(), [
      'attachments',
      'from',
      'present',
      'replyTo',
      'subject',
      'text',
      'type',
    ]);
  });

  it('has a keyword rule as good as its description says', () => {
    const at = mailTriage.features.findIndex((feature) => feature.name === keywordRule.feature);
    const wave2 = seen.filter((mail) => mail.wave === 2);
    const value = balanced(wave2, (mail) => mail.features[at]! >= keywordRule.threshold);
    assert.ok(Math.abs(value - 0.72) < 0.005, `${value}`);
  });

  it('is learned: a model trained before the judge third is right about it', function () {
    this.timeout(120_000);
    const known = seen.filter((mail) => ['wave-1', 'wave-1-rollout', 'wave-2'].includes(mail.part));
    const data: TrainingData = {
      labels: ['ham', 'spam'],
      train: known.filter((_, i) => i % 5 !== 3),
      validation: known.filter((_, i) => i % 5 === 3),
    };
    const trainer = createTrainer(
      LINEAR_VARIANTS.find((variant) => variant.name === 'words')!,
      data,
    );
    while (!trainer.step().done);
    const bytes = trainer.model();
    assert.ok(bytes.length < 3e6, `${bytes.length} bytes`);
    const model = loadLinearModel(bytes);
    const judge = seen.filter((mail) => mail.part === 'judge');
    const value = balanced(judge, (mail) => model.score(mail.text)[1]! >= 0.5);
    assert.ok(value >= 0.97, `balanced accuracy ${value}`);
  });
});
