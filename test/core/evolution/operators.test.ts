import assert from 'node:assert/strict';
import fc from 'fast-check';
import { summariseData } from '../../../src/core/evolution/context.ts';
import type { SearchContext } from '../../../src/core/evolution/context.ts';
import { crossover } from '../../../src/core/evolution/crossover.ts';
import { genomeHash, parseGenome } from '../../../src/core/evolution/genome.ts';
import type { Genome } from '../../../src/core/evolution/genome.ts';
import { firingRule, runGenome } from '../../../src/core/evolution/interpret.ts';
import { mutate } from '../../../src/core/evolution/mutation.ts';
import { foundingGenomes, randomGenome } from '../../../src/core/evolution/population.ts';
import { dropUnused, tidyGenome } from '../../../src/core/evolution/tidy.ts';
import { stream } from '../../../src/core/random/random.ts';
import { FEATURES, LABELS, genome, input } from './arbitraries.ts';

const tasks = Array.from({ length: 200 }, (_, i) => i);
const offer = { input: '/text', score: 0, positive: LABELS[1]!, negative: LABELS[0]!, start: 0.5 };
const context: SearchContext = {
  ...summariseData({
    names: Array.from({ length: FEATURES }, (_, i) => `f${i}`),
    columns: Array.from({ length: FEATURES }, (_, f) => tasks.map((i) => (i * (f + 3) * 7919) % 23)),
    expected: tasks.map((i) => i % LABELS.length),
    labels: LABELS,
  }),
  models: [
    { ...offer, name: 'small', thresholds: [0.2, 0.4, 0.6, 0.8] },
    { ...offer, name: 'big', thresholds: [0.5] },
  ],
  incumbent: { labels: LABELS, rules: [], otherwise: { label: LABELS[0]! }, default: LABELS[0]! },
  seeds: [],
};
const bare: SearchContext = { ...context, models: [], ideas: [], lists: [], features: [] };
const valid = (g: Genome): void => assert.doesNotThrow(() => parseGenome(JSON.parse(JSON.stringify(g))));
const why = (g: Genome, features: number[], scores: number[]): string => {
  const run = runGenome(g, features, () => scores);
  const answer = new TextDecoder().decode(run.answer.bytes);
  // Rules may be renumbered; what they say may not change.
  return `${answer.replace(/"why":"(rule \d+|otherwise)"/, '')} ${run.asked.join()}`;
};

describe('the operators', () => {
  it('make valid genomes from valid genomes, with and without data and models', () => {
    fc.assert(
      fc.property(genome, genome, fc.string(), fc.boolean(), (a, b, seed, poor) => {
        const given = poor ? bare : context;
        const random = stream(seed, 1, 2, 'test');
        valid(crossover(a, b, random).genome);
        const mutant = mutate(
          a,
          given,
          random,
          a.rules.map((_, i) => i % 2),
        );
        if (mutant !== undefined) {
          valid(mutant.genome);
          if (mutant.operator !== 'drop unused rules')
            assert.notEqual(genomeHash(mutant.genome), genomeHash(tidyGenome(a)));
        } else assert.ok(poor, 'with data there is always a change to make');
        valid(randomGenome(given, random));
      }),
      { numRuns: 300 },
    );
    for (const founder of foundingGenomes(context)) valid(founder);
  });

  it('use every mutation sooner or later, and draw the same for the same stream', () => {
    const used = new Map<string, number>();
    let g: Genome = context.incumbent;
    const walk = (seed: string): Genome => {
      for (let index = 0; index < 800; index++) {
        const mutant = mutate(g, context, stream(seed, 0, index, 'walk'))!;
        used.set(mutant.operator, (used.get(mutant.operator) ?? 0) + 1);
        g = mutant.genome;
      }
      return g;
    };
    const end = genomeHash(walk('w'));
    assert.equal(used.size, 17, [...used.keys()].join());
    g = context.incumbent;
    assert.equal(genomeHash(walk('w')), end);
  });

  it('start from the incumbent as it is, every model alone and the best stumps', () => {
    const founders = foundingGenomes(context);
    assert.equal(genomeHash(founders[0]!), genomeHash(context.incumbent));
    assert.deepEqual(
      founders.slice(1, 3).map((g) => [g.model?.name, g.rules.length]),
      [
        ['small', 0],
        ['big', 0],
      ],
    );
    assert.ok(founders.length > 3);
  });
});

describe('tidying', () => {
  it('changes no answer, and nothing the second time', () => {
    const features = fc.array(input, { minLength: FEATURES, maxLength: FEATURES });
    fc.assert(
      fc.property(genome, features, fc.array(input, { minLength: 3, maxLength: 3 }), (g, values, scores) => {
        const tidy = tidyGenome(g);
        assert.equal(why(tidy, values, scores), why(g, values, scores));
        assert.deepEqual(tidyGenome(tidy), tidy);
      }),
      { numRuns: 500 },
    );
  });

  it('drops rules that never fired without a change on the tasks they were counted on', () => {
    const rows = fc.array(fc.array(input, { minLength: FEATURES, maxLength: FEATURES }), {
      minLength: 1,
      maxLength: 10,
    });
    fc.assert(
      fc.property(genome, rows, (g, tasksSeen) => {
        const coverage = g.rules.map(() => 0);
        for (const row of tasksSeen) {
          const rule = firingRule(g, row);
          if (rule < coverage.length) coverage[rule]!++;
        }
        const smaller = dropUnused(g, coverage);
        assert.ok(smaller.rules.length <= coverage.filter((count) => count > 0).length);
        for (const row of tasksSeen) assert.equal(why(smaller, row, [1, 1, 1]), why(g, row, [1, 1, 1]));
      }),
    );
  });
});
