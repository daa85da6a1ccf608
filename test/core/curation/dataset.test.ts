import assert from 'node:assert/strict';
import fc from 'fast-check';
import { balanceOf, downSample } from '../../../src/core/curation/balance.ts';
import { curate, fromJsonLines } from '../../../src/core/curation/dataset.ts';
import type { CurationSettings } from '../../../src/core/curation/dataset.ts';
import { fingerprint } from '../../../src/core/curation/examples.ts';
import { qualityProblem } from '../../../src/core/curation/quality.ts';
import { proveNoLeakage, splitExamples, SPLITS, withoutLeakage } from '../../../src/core/curation/split.ts';
import { sha256Hex } from '../../../src/core/canonical/canonical.ts';
import { edited, example, randomText } from './texts.ts';

const shares = { train: 0.6, validation: 0.2, test: 0.2 };
const settings: CurationSettings = { taskType: 'mail', seed: 's', split: { by: 'ordinal', shares }, licence: 'CC0' };

/** 120 texts: every fifth a look-alike of the one 40 before it, every thirteenth a copy of ordinal 0. */
const corpus = Array.from({ length: 120 }, (_, i) => {
  const base = randomText('corpus', i % 5 === 4 && i >= 40 ? i - 40 : i, 70);
  const text =
    i % 13 === 12 ? randomText('corpus', 0, 70) : i % 5 === 4 && i >= 40 ? edited(base, 0.03, `c/${i}`) : base;
  return example(i, `${text} contact joe@corp.example`, i % 4 === 0 ? 'spam' : 'ham', i < 60 ? 'one' : 'two');
});

describe('curation/split', () => {
  it('keeps look-alikes on one side, whatever the method, seed and shares, and the proof agrees', () => {
    const prints = corpus.map(fingerprint);
    const seeds = fc.record({
      by: fc.constantFrom('ordinal', 'hash'),
      seed: fc.string(),
      train: fc.double({ min: 0.2, max: 0.8, noNaN: true }),
    });
    fc.assert(
      fc.property(seeds, ({ by, seed, train }) => {
        const rest = 1 - train;
        const result = splitExamples(prints, { by, seed, shares: { train, validation: rest / 2, test: rest / 2 } });
        const proof = proveNoLeakage(result.splits, 0.75);
        assert.ok(proof.holds, JSON.stringify([proof.shared, proof.near]));
        const placed = SPLITS.reduce((sum, split) => sum + result.splits[split].length, 0);
        assert.equal(placed + result.crossing.length, prints.length);
        if (by === 'ordinal') assert.ok(proof.timeOrdered);
        else assert.deepEqual(result.crossing, []);
      }),
      { numRuns: 25 },
    );
  });

  it('proves the contrary where a copy or a look-alike is on both sides', () => {
    const [a, b] = [corpus[0]!, corpus[1]!].map(fingerprint);
    const copy = fingerprint({ ...corpus[0]!, ordinal: 500 });
    const exact = proveNoLeakage({ train: [a!, b!], validation: [], test: [copy] });
    assert.equal(exact.holds, false);
    assert.deepEqual(exact.shared[0]!.ordinals, [0, 500]);
    const alike = fingerprint(example(600, edited(randomText('corpus', 1, 70), 0.01, 'x')));
    const near = proveNoLeakage({ train: [a!], validation: [b!], test: [alike] });
    assert.deepEqual([near.holds, near.shared.length, near.near[0]!.ordinals], [false, 0, [1, 600]]);
    assert.equal(proveNoLeakage({ train: [copy], validation: [], test: [b!] }).timeOrdered, false);
    assert.ok(near.detection > 0.999);
  });

  it('refuses shares that do not add up', () => {
    const bad = { train: 0.9, validation: 0.5, test: -0.1 };
    assert.throws(
      () => splitExamples([], { by: 'hash', seed: '', shares: bad }),
      /must be at least 0[^]*must add to 1/,
    );
  });
});

describe('curation/quality', () => {
  it('names the first thing that is wrong', () => {
    const at = (text: string, label = 'ham'): string | null =>
      qualityProblem(example(0, text, label), { minLength: 5, maxLength: 100, labels: ['ham'] });
    assert.equal(at('a fine text\n'), null);
    assert.equal(at('  \n'), 'empty');
    assert.equal(at('abc'), 'too-short');
    assert.equal(at('a'.repeat(101)), 'too-long');
    assert.equal(at('b\ufffdd enc\ufffdding'), 'bad-encoding');
    assert.equal(at('nul\u0000 bytes'), 'bad-encoding');
    assert.equal(at('half a \ud83d face'), 'bad-encoding');
    assert.equal(at('a whole \u{1f600} face'), null);
    assert.equal(at('a fine text', 'egg'), 'unknown-label');
    assert.equal(qualityProblem({ ...example(0, 'long enough for the defaults'), label: undefined }), null);
  });
});

describe('curation/balance', () => {
  it('weighs labels to the same total', () => {
    const { labels, ratio } = balanceOf([{ label: 'b' }, { label: 'a' }, { label: 'b' }, { label: 'b' }, {}]);
    assert.deepEqual(labels, [
      { label: 'a', count: 1, weight: 2 },
      { label: 'b', count: 3, weight: 4 / 6 },
    ]);
    assert.equal(ratio, 3);
    assert.ok(Number.isNaN(balanceOf([]).ratio));
  });

  it('down-samples frequent labels only, by seed', () => {
    const stays = downSample(corpus, 1.5, 's');
    assert.ok(balanceOf(stays).ratio <= 1.5);
    assert.equal(stays.filter((e) => e.label === 'spam').length, corpus.filter((e) => e.label === 'spam').length);
    assert.deepEqual(new Set(downSample([...corpus].reverse(), 1.5, 's')), new Set(stays));
    assert.notDeepEqual(downSample(corpus, 1.5, 't'), stays);
    assert.throws(() => downSample(corpus, 0.5, 's'), { code: 'CHIMERA_INVALID_INPUT' });
  });
});

describe('curation/dataset', () => {
  it('accounts for every example that was offered', () => {
    const { datasheet, rejected, splits } = curate([...corpus, example(900, 'tiny')], settings);
    assert.equal(datasheet.examples + rejected.length, 121);
    assert.equal(
      Object.values(datasheet.rejected).reduce((a, b) => a + b),
      rejected.length,
    );
    assert.equal(datasheet.rejected['too-short'], 1);
    assert.ok(datasheet.rejected['exact-duplicate']! >= 8);
    assert.ok(datasheet.conflicts > 0 && datasheet.leakage.holds && datasheet.leakage.timeOrdered);
    assert.equal(datasheet.redactions.email, 120);
    assert.equal(datasheet.splits.train.examples, splits.train.length);
    assert.equal(datasheet.sources['one']! + datasheet.sources['two']!, datasheet.examples);
    assert.deepEqual([datasheet.licence, datasheet.consent], ['CC0', 'not stated']);
    assert.ok(!JSON.stringify(splits).includes('joe@'));
  });

  it('is one function of the set of examples and the settings', () => {
    const version = curate(corpus, settings);
    fc.assert(
      fc.property(fc.shuffledSubarray(corpus, { minLength: corpus.length }), (shuffled) => {
        assert.equal(curate(shuffled, settings).hash, version.hash);
      }),
      { numRuns: 3 },
    );
    assert.notEqual(curate(corpus.slice(1), settings).hash, version.hash);
    assert.notEqual(curate(corpus, { ...settings, seed: 't' }).hash, version.hash);
  });

  it('exports canonical JSON Lines that the datasheet names by hash', () => {
    const { files, datasheet, splits } = curate(corpus, settings);
    for (const split of SPLITS) {
      assert.equal(sha256Hex(files[split]), datasheet.splits[split].sha256);
      assert.equal(Buffer.byteLength(files[split]), datasheet.splits[split].bytes);
      assert.deepEqual(fromJsonLines(files[split]), splits[split]);
    }
  });

  it('balances the training split only, and leaves texts alone when told to', () => {
    const balanced = curate(corpus, {
      ...settings,
      maxClassRatio: 1,
      redact: false,
      quality: { labels: ['ham', 'spam'] },
    });
    const [ham, spam] = balanced.datasheet.balance;
    assert.equal(ham!.count, spam!.count);
    assert.ok(balanced.datasheet.rejected['class-balance']! > 0);
    assert.equal(balanced.files.test, curate(corpus, { ...settings, redact: false }).files.test);
    assert.ok(balanced.files.train.includes('joe@corp.example'));
    assert.equal(balanced.datasheet.redactions.email, 0);
  });

  it('counts the bytes of any text', () => {
    const odd = example(0, 'añ€😀 and some more words here', 'ham');
    const { files, datasheet } = curate([odd], {
      ...settings,
      split: { by: 'hash', shares: { train: 1, validation: 0, test: 0 } },
    });
    assert.equal(datasheet.splits.train.bytes, Buffer.byteLength(files.train));
    assert.deepEqual(datasheet.splits.test.fromOrdinal, null);
  });

  it('takes out what only the proof finds', () => {
    // Groups at 0.99 keep nothing together, so look-alikes of 0.75 and more are left to the proof.
    const blind = { ...settings, nearDuplicate: 0.75, split: { by: 'hash', shares, groupThreshold: 0.99 } } as const;
    const late = curate(corpus, { ...blind, nearDuplicate: 0.95 });
    assert.ok(late.datasheet.leakage.holds && late.datasheet.leakage.highestSimilarity > 0.75);
    const prints = corpus.map(fingerprint);
    const { splits } = splitExamples(prints, { ...blind.split, seed: 's' });
    const { splits: clean, proof, removed } = withoutLeakage(splits, 0.75);
    assert.ok(removed.length > 0 && proof.holds);
    assert.equal(
      SPLITS.reduce((sum, split) => sum + clean[split].length, removed.length),
      prints.length,
    );
    assert.deepEqual(clean.train, splits.train);
  });

  it('refuses repeated ordinals and sets with nothing to train on', () => {
    assert.throws(() => curate([corpus[0]!, corpus[0]!], settings), { code: 'CHIMERA_INVALID_INPUT' });
    assert.throws(() => curate([], settings), { code: 'CHIMERA_NO_DATA' });
  });
});
