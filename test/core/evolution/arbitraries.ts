import fc from 'fast-check';
import type { Condition, Genome, ModelUse, Rule, Verdict } from '../../../src/core/evolution/genome.ts';

export const FEATURES = 5;
export const LABELS = ['ham', 'spam', 'list "mail" é'];
/** Few values, so that ties at thresholds are common; with the odd ones of IEEE 754 among them. */
export const value = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(-1, 0, 0.1, 0.2, 0.30000000000000004, 1, 2, 3) },
  { weight: 1, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
);
export const input = fc.oneof(
  { weight: 8, arbitrary: value },
  { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, -Infinity, -0) },
);

const label = fc.constantFrom(...LABELS);
const op = fc.constantFrom('<=' as const, '>' as const);
const feature = fc.nat({ max: FEATURES - 1 });
const condition: fc.Arbitrary<Condition> = fc.oneof(
  fc.record({ feature, op, threshold: value }),
  fc.record({
    sum: fc.array(fc.record({ feature, weight: value }), { minLength: 1, maxLength: 4 }),
    op,
    threshold: value,
  }),
);
const ask = {
  name: fc.constantFrom('small', 'big "model"'),
  input: fc.constantFrom('/text', ''),
  score: fc.nat({ max: 2 }),
};
const second = fc
  .record({ ...ask, threshold: value, low: value, high: value })
  .filter((model) => model.low < model.high);
const model: fc.Arbitrary<ModelUse> = fc
  .record(
    { ...ask, threshold: value, positive: label, negative: label, second },
    { requiredKeys: ['name', 'input', 'score', 'threshold', 'positive', 'negative'] },
  )
  .filter((use) => use.positive !== use.negative);

const verdict = (asks: boolean): fc.Arbitrary<Verdict> =>
  asks
    ? fc.oneof(
        label.map((name) => ({ label: name })),
        fc.constant({ ask: true as const }),
      )
    : label.map((name) => ({ label: name }));

const rules = (asks: boolean): fc.Arbitrary<Rule[]> =>
  fc.array(fc.record({ when: fc.array(condition, { minLength: 1, maxLength: 3 }), then: verdict(asks) }), {
    maxLength: 6,
  });

const plain: fc.Arbitrary<Genome> = fc.record({
  labels: fc.constant(LABELS),
  rules: rules(false),
  otherwise: verdict(false),
  default: label,
});
const asking: fc.Arbitrary<Genome> = fc.record({
  labels: fc.constant(LABELS),
  rules: rules(true),
  otherwise: verdict(true),
  default: label,
  model,
});
export const genome: fc.Arbitrary<Genome> = fc.oneof({ weight: 1, arbitrary: plain }, { weight: 3, arbitrary: asking });
