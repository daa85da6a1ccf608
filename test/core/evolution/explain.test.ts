import assert from 'node:assert/strict';
import fc from 'fast-check';
import { diffGenomes, explainGenome } from '../../../src/core/evolution/explain.ts';
import { genomeHash } from '../../../src/core/evolution/genome.ts';
import type { Genome } from '../../../src/core/evolution/genome.ts';
import { genome } from './arbitraries.ts';

const NAMES = ['links', 'capitals', 'money words'];
const parent: Genome = {
  labels: ['ham', 'spam'],
  rules: [
    {
      when: [
        { feature: 0, op: '>', threshold: 3 },
        { feature: 7, op: '<=', threshold: 0.5 },
      ],
      then: { label: 'spam' },
    },
    {
      when: [
        {
          sum: [
            { feature: 1, weight: 1 },
            { feature: 2, weight: -2.5 },
          ],
          op: '>',
          threshold: 1,
        },
      ],
      then: { ask: true },
    },
  ],
  otherwise: { label: 'ham' },
  default: 'ham',
  model: { name: 'small', input: '/text', score: 1, threshold: 0.5, positive: 'spam', negative: 'ham' },
};

describe('explainGenome', () => {
  it('writes the program with the names of the features', () => {
    const second = { name: 'big', input: '/text', score: 1, threshold: 0.4, low: 0.2, high: 0.8 };
    assert.equal(
      explainGenome({ ...parent, model: { ...parent.model!, second } }, NAMES),
      [
        '1. if links > 3 and feature 7 <= 0.5 then spam',
        '2. if capitals − 2.5 × money words > 1 then ask model small',
        'otherwise ham',
        'model small reads /text: score 1 ≥ 0.5 means spam, less means ham',
        '  but where 0.2 < score < 0.8, model big reads /text: score 1 ≥ 0.4 means spam, less means ham',
        'without a score: ham',
      ].join('\n'),
    );
  });
});

describe('diffGenomes', () => {
  it('shows a changed rule on one line, added and removed rules and fields on theirs', () => {
    const changed = { ...parent.rules[0]!, then: { label: 'ham' } };
    assert.deepEqual(diffGenomes(parent, { ...parent, rules: [changed, parent.rules[1]!] }, NAMES), [
      '~ rule 1: if links > 3 and feature 7 <= 0.5 then spam → if links > 3 and feature 7 <= 0.5 then ham',
    ]);
    assert.deepEqual(diffGenomes(parent, { ...parent, rules: [...parent.rules, changed] }, NAMES), [
      '+ rule 3: if links > 3 and feature 7 <= 0.5 then ham',
    ]);
    assert.deepEqual(diffGenomes(parent, { ...parent, rules: [parent.rules[0]!] }, NAMES), [
      '- rule 2: if capitals − 2.5 × money words > 1 then ask the model',
    ]);
    const second = { name: 'big', input: '/text', score: 1, threshold: 0.4, low: 0.2, high: 0.8 };
    const model = { ...parent.model!, name: 'tiny', threshold: 0.6, second };
    assert.deepEqual(diffGenomes(parent, { ...parent, model, otherwise: { ask: true } }, NAMES), [
      '~ otherwise: ham → ask the model',
      '~ model name: small → tiny',
      '~ model threshold: 0.5 → 0.6',
      '+ second model: big',
    ]);
  });

  it('is empty exactly where the genomes are the same', () => {
    fc.assert(
      fc.property(genome, genome, (a, b) => {
        assert.deepEqual(diffGenomes(a, structuredClone(a)), []);
        // −0 and 0 are one number in JSON, and one threshold.
        if (genomeHash(a) !== genomeHash(b)) assert.ok(diffGenomes(a, b).length > 0);
      }),
      { numRuns: 300 },
    );
  });
});
