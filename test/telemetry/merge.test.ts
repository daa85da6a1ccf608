import assert from 'node:assert/strict';
import fc from 'fast-check';
import { growingMetrics, mergeMetrics } from '../../src/telemetry/merge.ts';
import { secondsByLayer } from '../../src/telemetry/metrics.ts';

const ONE = `# HELP tasks_total Tasks, of all kinds
# TYPE tasks_total counter
tasks_total{kind="a b"} 2
tasks_total{kind="c"} 1
# HELP running Now
# TYPE running gauge
running 3
`;
const TWO = `# HELP tasks_total Tasks, of all kinds
# TYPE tasks_total counter
tasks_total{kind="a b"} 0.5
tasks_total{kind="d} 7"} 4
# TYPE seconds histogram
seconds_bucket{le="1"} 1
seconds_bucket{le="+Inf"} 2
seconds_sum 1.5
seconds_count 2
`;

describe('telemetry: metrics of several processes', () => {
  it('adds up equal series and keeps each metric together, once described', () => {
    assert.equal(
      mergeMetrics([ONE, TWO]),
      `# HELP tasks_total Tasks, of all kinds
# TYPE tasks_total counter
tasks_total{kind="a b"} 2.5
tasks_total{kind="c"} 1
tasks_total{kind="d} 7"} 4
# HELP running Now
# TYPE running gauge
running 3
# TYPE seconds histogram
seconds_bucket{le="1"} 1
seconds_bucket{le="+Inf"} 2
seconds_sum 1.5
seconds_count 2
`,
    );
  });

  it('leaves a single text as it is, and an empty one out', () => {
    assert.equal(mergeMetrics([ONE, '']), ONE);
    assert.equal(mergeMetrics([]), '');
  });

  it('gives the same sums whatever is merged first', () => {
    const text = fc
      .array(fc.tuple(fc.constantFrom('x{a="1"}', 'x{a="2"}', 'y'), fc.nat(1000)), { maxLength: 6 })
      .map((rows) => rows.map(([series, value]) => `${series} ${value}\n`).join(''));
    const sums = (merged: string): string => merged.split('\n').toSorted().join('\n');
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 4 }), (texts) => {
        const stepwise = texts.reduce((all, next) => mergeMetrics([all, next]), '');
        assert.equal(sums(mergeMetrics(texts)), sums(stepwise));
        assert.equal(sums(mergeMetrics(texts.toReversed())), sums(stepwise));
      }),
    );
  });

  it('knows what of a process that is gone still counts', () => {
    assert.equal(growingMetrics(ONE).includes('running'), false);
    assert.match(growingMetrics(ONE), /tasks_total\{kind="c"\} 1/);
    assert.equal(growingMetrics(TWO), TWO);
  });

  it('reads layer seconds off the sum', () => {
    const text = '# TYPE x histogram\nchimera_kpi_operation_duration_seconds_sum{operation="a"} 2\n';
    assert.equal(secondsByLayer(mergeMetrics([text, text])).kpi, 4);
  });

  it('refuses what is no Prometheus text', () => {
    assert.throws(() => mergeMetrics(['<html>no</html>']), SyntaxError);
  });
});
