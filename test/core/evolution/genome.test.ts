import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ChimeraError } from '../../../src/contracts/errors.ts';
import { featuresNeeded, genomeHash, modelsOf, parseGenome } from '../../../src/core/evolution/genome.ts';
import { genome } from './arbitraries.ts';

const problems = (input: unknown): string[] => {
  try {
    parseGenome(input);
  } catch (error) {
    assert.ok(error instanceof ChimeraError && error.code === 'CHIMERA_INVALID_INPUT');
    return error.details.problems!.map((problem) => problem.path);
  }
  return [];
};

describe('parseGenome', () => {
  it('takes every valid genome as it is, through JSON', () => {
    fc.assert(
      fc.property(genome, (g) => {
        const back = parseGenome(JSON.parse(JSON.stringify(g)));
        assert.equal(genomeHash(back), genomeHash(g));
      }),
      { numRuns: 300 },
    );
  });

  it('names every problem at once, with its place', () => {
    const condition = { feature: 1, op: '<=', threshold: 0 };
    const found = problems({
      labels: ['a', 'b'],
      rules: [
        { when: [{ ...condition, op: '<' }], then: { label: 'a' } },
        { when: [], then: { label: 'b' } },
        { when: [condition], then: { label: 'c' } },
        { when: [{ sum: [{ feature: -1, weight: 1 }], op: '>', threshold: 1 }], then: { ask: true } },
      ],
      otherwise: { ask: true },
      default: 'd',
      extra: 1,
    });
    for (const path of [
      '/rules/0/when/0/op',
      '/rules/1/when',
      '/rules/2/then/label',
      '/rules/3/when/0/sum/0/feature',
      '/rules/3/then',
      '/otherwise',
      '/default',
      '',
    ])
      assert.ok(found.includes(path), `${path} is not among ${found.join(' ')}`);
  });

  it('refuses a band upside down, equal verdicts of a model, repeated labels, numbers that JSON cannot hold', () => {
    const model = { name: 'm', input: '/text', score: 0, threshold: 0.5, positive: 'a', negative: 'b' };
    const whole = { labels: ['a', 'b'], rules: [], otherwise: { ask: true }, default: 'a', model };
    assert.deepEqual(problems(whole), []);
    const second = { name: 'n', input: '/text', score: 0, threshold: 0.5, low: 0.6, high: 0.6 };
    assert.deepEqual(problems({ ...whole, model: { ...model, second } }), ['/model/second']);
    assert.deepEqual(problems({ ...whole, model: { ...model, negative: 'a' } }), ['/model']);
    assert.deepEqual(problems({ ...whole, labels: ['a', 'a', 'b'] }), ['/labels']);
    assert.deepEqual(problems({ ...whole, model: { ...model, threshold: NaN } }), ['/model/threshold']);
    assert.deepEqual(problems({ ...whole, model: { ...model, input: 'text' } }), ['/model/input']);
    for (const garbage of [null, 7, 'x', [], {}]) assert.ok(problems(garbage).length > 0);
  });
});

describe('what a genome needs', () => {
  it('is the features its rules read and the models it may ask', () => {
    const ask = { name: 'm', input: '/text', score: 0, threshold: 0.5 };
    const g = parseGenome({
      labels: ['a', 'b'],
      rules: [{ when: [{ sum: [{ feature: 6, weight: 1 }], op: '>', threshold: 1 }], then: { ask: true } }],
      otherwise: { label: 'a' },
      default: 'a',
      model: { ...ask, positive: 'a', negative: 'b', second: { ...ask, name: 'n', low: 0, high: 1 } },
    });
    assert.equal(featuresNeeded(g), 7);
    assert.deepEqual(modelsOf(g), ['m', 'n']);
    assert.equal(featuresNeeded({ ...g, rules: [] }), 0);
  });
});
