import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { stream } from '../../../src/core/random/random.ts';
import { fitCalibration } from '../../../src/core/training/linear/calibration.ts';
import { fitVocabulary, vectorise } from '../../../src/core/training/linear/matrix.ts';
import { loadLinearModel } from '../../../src/core/training/linear/model.ts';
import { createNgramCounter } from '../../../src/core/training/linear/ngrams.ts';
import { linearSpec, LINEAR_VARIANTS, type LinearSpec } from '../../../src/core/training/linear/spec.ts';
import {
  createTrainer,
  resumeTrainer,
  type Example,
  type Trainer,
  type TrainingData,
} from '../../../src/core/training/linear/trainer.ts';
import { logistic } from '../../../src/core/stats/math.ts';

const spec = (change: Partial<Parameters<typeof linearSpec.parse>[0] & object> = {}): LinearSpec =>
  linearSpec.parse({
    name: 'test',
    analyser: 'word',
    ngrams: [1, 2],
    bits: 12,
    minimumExamples: 1,
    price: 1,
    ...change,
  });

/** Texts of twenty words, some of which lean to a label; a share of the labels is wrong. */
function corpus(seed: string, count: number, labels: readonly string[], noise = 0): Example[] {
  return Array.from({ length: count }, (_, index) => {
    const draw = stream(seed, 0, index, 'corpus');
    const label = draw.pick(labels);
    const words = Array.from({ length: 20 }, () =>
      draw.chance(0.15) ? `${label}word${draw.integer(8)}` : `common${draw.integer(60)}`,
    );
    return { text: words.join(' '), label: draw.chance(noise) ? draw.pick(labels) : label };
  });
}

const two = ['no', 'yes'];
const data = (seed = 'a', noise = 0.05): TrainingData => ({
  labels: two,
  train: corpus(seed, 200, two, noise),
  validation: corpus(`${seed} validation`, 80, two, noise),
});

function finish(trainer: Trainer): Uint8Array {
  while (!trainer.step().done);
  return trainer.model();
}

const accuracy = (bytes: Uint8Array, examples: readonly Example[]): number => {
  const model = loadLinearModel(bytes);
  const right = examples.filter(({ text, label }) => {
    const scores = model.score(text);
    return model.labels[scores.indexOf(Math.max(...scores))] === label;
  });
  return right.length / examples.length;
};

describe('hashed n-grams', () => {
  it('counts each word and pair, whatever lies between them', () => {
    const counter = createNgramCounter(spec({ bits: 18 }));
    counter.count('One, two -- ONE two!');
    // one, two, "one two", "two one".
    assert.equal(counter.distinct, 4);
    const counts = [...counter.columns.slice(0, 4)].map((column) => counter.counts[column]);
    assert.deepEqual(counts, [2, 2, 2, 1]);
  });

  it('forgets the text before', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.constantFrom('word' as const, 'char' as const), (a, b, analyser) => {
        const counter = createNgramCounter(spec({ analyser, ngrams: [1, 3] }));
        const fresh = createNgramCounter(spec({ analyser, ngrams: [1, 3] }));
        counter.count(a);
        counter.count(b);
        fresh.count(b);
        assert.deepEqual(counter.counts, fresh.counts);
        assert.equal(counter.distinct, fresh.distinct);
      }),
    );
  });

  it('makes every run of characters once', () => {
    const counter = createNgramCounter(spec({ analyser: 'char', ngrams: [3, 4], bits: 18 }));
    counter.count('abcde');
    assert.equal(counter.distinct, 5);
  });

  it('counts what is in the vocabulary, named by its place there, as it counts everything', () => {
    const words = fc.array(fc.stringMatching(/^[a-f]{2,3}$/), { maxLength: 60 });
    fc.assert(
      fc.property(words, words, fc.constantFrom('word' as const, 'char' as const), (known, text, analyser) => {
        const form = spec({ analyser, ngrams: [1, 2], bits: 10 });
        const all = createNgramCounter(form);
        all.count(known.join(' '));
        const vocabulary = all.columns.slice(0, all.distinct).sort();
        const some = createNgramCounter(form, vocabulary);
        some.count(text.join(' '));
        all.count(text.join(' '));
        const expected = [...all.columns.slice(0, all.distinct)].filter((bucket) => vocabulary.includes(bucket));
        const found = [...some.columns.slice(0, some.distinct)];
        assert.deepEqual(
          found.map((column) => [vocabulary[column], some.counts[column]]),
          expected.map((bucket) => [bucket, all.counts[bucket]]),
        );
      }),
    );
  });

  it('makes rows of unit length over the buckets that are common enough', () => {
    const common = spec({ minimumExamples: 2, ngrams: [1, 1] });
    const texts = ['alpha beta', 'alpha gamma', 'delta'];
    const vocabulary = fitVocabulary(common, texts);
    assert.deepEqual([...vocabulary.frequencies], [2]);
    const rows = vectorise(common, vocabulary, texts);
    assert.deepEqual([...rows.starts], [0, 1, 2, 2]);
    assert.deepEqual([...rows.values], [1, 1]);
  });
});

describe('linear models', () => {
  for (const variant of LINEAR_VARIANTS) {
    it(`${variant.name} learns what can be learned`, () => {
      const held = corpus('held out', 200, two);
      const small = { ...variant, bits: 14 };
      assert.ok(accuracy(finish(createTrainer(small, data())), held) > 0.9);
    });
  }

  it('tells more than two labels apart, with probabilities that add up to 1', () => {
    const labels = ['a', 'b', 'c'];
    const bytes = finish(
      createTrainer(spec(), { labels, train: corpus('three', 300, labels), validation: corpus('more', 90, labels) }),
    );
    assert.ok(accuracy(bytes, corpus('others', 150, labels)) > 0.9);
    const scores = loadLinearModel(bytes).score('aword1 common3');
    assert.ok(Math.abs(scores.reduce((sum, p) => sum + p, 0) - 1) < 1e-12);
  });

  it('reaches the optimum: the gradient of the primal problem vanishes', () => {
    const train = corpus('gradient', 120, two, 0.1);
    const exact = spec({ tolerance: 1e-9, epochs: 1000, c: 2, balanced: false });
    const model = loadLinearModel(finish(createTrainer(exact, { labels: two, train, validation: [] })));
    // d/d bias: bias = Σ C y (1 − p of the right side).
    let gradient = 0;
    for (const { text, label } of train) {
      const sign = label === 'yes' ? 1 : -1;
      gradient += 2 * sign * logistic(-sign * model.margins(text)[0]!);
    }
    const bias = model.margins('')[0]!;
    assert.ok(Math.abs(bias - gradient) < 1e-5, `${bias} against ${gradient}`);
  });

  it('is the same bytes each time, and other bytes for another seed or other data', () => {
    const bytes = finish(createTrainer(spec(), data()));
    assert.deepEqual(finish(createTrainer(spec(), data())), bytes);
    assert.notDeepEqual(finish(createTrainer(spec({ seed: 'other' }), data())), bytes);
    assert.notDeepEqual(finish(createTrainer(spec(), data('b'))), bytes);
  });

  it('goes on from any checkpoint to the same bytes as without a stop', () => {
    const whole = finish(createTrainer(spec({ tolerance: 1e-6 }), data()));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 4 }), (stops) => {
        let trainer = createTrainer(spec({ tolerance: 1e-6 }), data());
        for (const steps of stops) {
          for (let i = 0; i < steps; i++) trainer.step();
          const before = trainer.progress;
          trainer = resumeTrainer(spec({ tolerance: 1e-6 }), data(), trainer.checkpoint());
          assert.deepEqual(trainer.progress, before);
        }
        assert.deepEqual(finish(trainer), whole);
      }),
      { numRuns: 8 },
    );
  });

  it('says how far it is, and stops where nothing moves any more', () => {
    const trainer = createTrainer(spec({ epochs: 200 }), data('a', 0));
    assert.ok(Number.isNaN(trainer.progress.loss));
    const first = trainer.step();
    assert.deepEqual([first.step, first.of, first.done], [1, 200, false]);
    let last = first;
    while (!last.done) last = trainer.step();
    assert.ok(last.step < 200 && last.loss < first.loss);
    assert.deepEqual(trainer.step(), last);
  });

  it('refuses a checkpoint of other data or of another specification, or a damaged one', () => {
    const checkpoint = createTrainer(spec(), data()).checkpoint();
    const refused = (resume: () => unknown, why: RegExp): void => {
      assert.throws(
        resume,
        (error: unknown) => isChimeraError(error, 'CHIMERA_INVALID_INPUT') && why.test(error.message),
      );
    };
    refused(() => resumeTrainer(spec(), data('b'), checkpoint), /other data/);
    refused(() => resumeTrainer(spec({ c: 1 }), data(), checkpoint), /another specification/);
    refused(() => resumeTrainer(spec(), data(), checkpoint.slice(0, -3)), /cut off/);
  });

  it('refuses data it cannot learn from, with every problem', () => {
    assert.throws(
      () => createTrainer(spec(), { labels: ['a', 'b', 'b'], train: [{ text: 'x', label: 'c' }], validation: [] }),
      (error: Error) =>
        /twice/.test(error.message) && /labelled a/.test(error.message) && /none of the labels/.test(error.message),
    );
  });
});

describe('calibration', () => {
  it('finds the slope and offset that made the labels', () => {
    const draw = stream('calibration', 0, 0, 'test');
    const margins = Float64Array.from({ length: 20_000 }, () => draw.uniform() * 8 - 4);
    const positive = [...margins].map((m) => draw.chance(logistic(0.7 * m - 0.5)));
    const { slope, offset } = fitCalibration(margins, positive);
    assert.ok(Math.abs(slope - 0.7) < 0.05 && Math.abs(offset + 0.5) < 0.08, `${slope} ${offset}`);
  });

  it('answers for equally common classes where it is told to, however rare one was', () => {
    const margins = Float64Array.from({ length: 1000 }, (_, i) => (i % 10 === 0 ? 1 : -1) + ((i * 7) % 13) / 4 - 1.5);
    const positive = [...margins].map((_, i) => i % 10 === 0);
    const even = fitCalibration(margins, positive, true);
    const asIs = fitCalibration(margins, positive);
    assert.ok(even.offset > asIs.offset + 1, `${even.offset} ${asIs.offset}`);
  });

  it('leaves margins as they are where there is nothing to fit', () => {
    assert.deepEqual(fitCalibration(Float64Array.of(1, 2), [true, true]), { slope: 1, offset: 0 });
    assert.deepEqual(fitCalibration(new Float64Array(), []), { slope: 1, offset: 0 });
  });

  it('stays finite where the classes are apart', () => {
    const { slope, offset } = fitCalibration(Float64Array.of(-3, -2, -2.5, 2, 3, 4), [
      false,
      false,
      false,
      true,
      true,
      true,
    ]);
    assert.ok(Number.isFinite(slope) && Number.isFinite(offset) && slope > 0);
  });
});
