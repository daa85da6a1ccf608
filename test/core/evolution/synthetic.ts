import { answersOf } from '../../../src/core/evolution/answers.ts';
import type { Candidate } from '../../../src/core/evolution/breeding.ts';
import { offerModel, summariseData } from '../../../src/core/evolution/context.ts';
import type { SearchContext } from '../../../src/core/evolution/context.ts';
import { evaluateColumns, ruleCoverage } from '../../../src/core/evolution/fitness.ts';
import type { Evaluation } from '../../../src/core/evolution/fitness.ts';
import type { Genome } from '../../../src/core/evolution/genome.ts';
import { labelOf, runGenome } from '../../../src/core/evolution/interpret.ts';
import { ask, tell } from '../../../src/core/evolution/search.ts';
import type { SearchState } from '../../../src/core/evolution/search.ts';
import { stream } from '../../../src/core/random/random.ts';

/**
 * A task with a planted rule: spam is what has feature 0 over 0.6 and feature 1 at most 0.4, and, where feature 2 is over
 * 0.7, what only a model can see. Features 3 to 5 say nothing. The model's score is right but for a share of noise.
 */
export interface Synthetic {
  rows: number[][];
  expected: number[];
  scores: number[];
}

export const LABELS = ['ham', 'spam'];
export const MODEL_PRICE = 1;

export function synthetic(seed: string, count: number, modelNoise = 0.1): Synthetic {
  const data: Synthetic = { rows: [], expected: [], scores: [] };
  for (let i = 0; i < count; i++) {
    const random = stream(seed, 0, i, 'task');
    const row = Array.from({ length: 6 }, () => Math.round(random.uniform() * 1000) / 1000);
    const spam = row[2]! > 0.7 ? random.chance(0.5) : row[0]! > 0.6 && row[1]! <= 0.4;
    const seen = random.chance(modelNoise) ? !spam : spam;
    data.rows.push(row);
    data.expected.push(spam ? 1 : 0);
    data.scores.push(seen ? 0.5 + 0.5 * random.uniform() : 0.5 * random.uniform());
  }
  return data;
}

export const keywordBaseline: Genome = {
  labels: LABELS,
  rules: [
    {
      when: [
        {
          sum: [
            { feature: 3, weight: 1 },
            { feature: 0, weight: 1 },
          ],
          op: '>',
          threshold: 1.2,
        },
      ],
      then: { label: 'spam' },
    },
  ],
  otherwise: { label: 'ham' },
  default: 'ham',
};

export function contextFrom(train: Synthetic): SearchContext {
  return {
    ...summariseData({
      names: ['a', 'b', 'c', 'd', 'e', 'f'],
      columns: [0, 1, 2, 3, 4, 5].map((feature) => train.rows.map((row) => row[feature]!)),
      expected: train.expected,
      labels: LABELS,
    }),
    models: [
      offerModel(
        { name: 'small', input: '/text', score: 0, positive: 'spam', negative: 'ham' },
        train.scores,
        train.expected.map((label) => label === 1),
      ),
    ],
    incumbent: keywordBaseline,
    seeds: [],
  };
}

export function evaluate(candidate: { id: string; genome: Genome }, data: Synthetic): Evaluation {
  const { genome, id } = candidate;
  const answers = answersOf(genome);
  const labels = new Map<object, number>();
  const columns = { predicted: [] as number[], fuel: [] as number[], modelPrice: [] as number[] };
  data.rows.forEach((row, task) => {
    const { answer, asked } = runGenome(genome, row, () => [data.scores[task]!], answers);
    if (!labels.has(answer)) labels.set(answer, LABELS.indexOf(labelOf(answer) ?? ''));
    columns.predicted.push(labels.get(answer)!);
    columns.fuel.push(1000 + 100 * genome.rules.length);
    columns.modelPrice.push(asked.length * MODEL_PRICE);
  });
  return evaluateColumns(id, data.expected, columns, 2, ruleCoverage(genome, data.rows));
}

/** Asks and tells until the search stops; `pass` stands between two generations. */
export function runSearch(
  start: SearchState,
  data: Synthetic,
  pass: (state: SearchState) => SearchState = (state) => state,
): SearchState {
  let state = start;
  for (;;) {
    const candidates: Candidate[] = ask(state);
    if (candidates.length === 0) return state;
    state = pass(
      tell(
        state,
        candidates.map((candidate) => evaluate(candidate, data)),
      ),
    );
  }
}
