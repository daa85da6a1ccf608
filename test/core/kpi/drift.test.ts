import assert from 'node:assert/strict';
import fc from 'fast-check';
import { simulateDrift } from '../../../bench/simulations/drift.ts';
import { createDrift, driftVerdict, explainDrift, updateDrift } from '../../../src/core/kpi/drift.ts';
import type { DriftState } from '../../../src/core/kpi/drift.ts';
import { BETS, createMartingale, updateMartingale } from '../../../src/core/kpi/martingale.ts';
import { stream } from '../../../src/core/random/random.ts';

const SETTINGS = {
  seed: 'test',
  calibration: 100,
  channels: [
    { name: 'size', kind: 'numeric' },
    { name: 'noise', kind: 'numeric' },
    { name: 'label', kind: 'label', labels: ['a', 'b', 'c'] },
  ],
} as const;

/** 1,000 quiet tasks, then `size` grows. */
function shifted(state: DriftState, until = 1400): DriftState {
  const draws = stream('shifted', 0, 0, 'test');
  for (let ordinal = 0; ordinal < until; ordinal++) {
    const size = draws.uniform() + (ordinal >= 1000 ? 0.4 : 0);
    state = updateDrift(state, {
      ordinal,
      values: { size, noise: draws.uniform(), label: draws.pick(['a', 'b', 'c']) },
    });
  }
  return state;
}

describe('kpi/drift', () => {
  it('seldom sounds on stationary streams with dependent channels, ties and missing feedback', () => {
    const { alarms } = simulateDrift({ streams: 40, length: 1000, seed: 'null' });
    assert.ok(alarms <= 5, `${alarms} of 40`);
  });

  it('sounds soon after a change, however long the quiet stretch', () => {
    for (const changeAt of [500, 2500]) {
      const { alarms, delays } = simulateDrift({
        streams: 10,
        length: changeAt + 500,
        seed: 'change',
        changeAt,
        shift: 0.35,
      });
      assert.ok(alarms >= 9, `${alarms} of 10 after ${changeAt}`);
      assert.ok(delays[5]! < 250, `median delay ${delays[5]}`);
    }
  });

  it('names the channel that moved and its direction', () => {
    const state = shifted(createDrift(SETTINGS));
    const verdict = driftVerdict(state);
    assert.ok(verdict.drift && verdict.atOrdinal! >= 1000 && verdict.pValue <= 0.05);
    const [first, ...others] = explainDrift(state);
    assert.equal(first!.series, 'size');
    assert.match(first!.change!, /higher/);
    assert.match(first!.text, /size is (much )?higher than before/);
    assert.ok(first!.recentRank > 0.6);
    assert.deepEqual(others.map((o) => o.series).sort(), ['label=a', 'label=b', 'label=c', 'noise']);
    assert.ok(others.every((other) => other.peakEvidence < first!.peakEvidence));
  });

  it('sees a change of spread that leaves the mean alone', () => {
    const draws = stream('spread', 0, 0, 'test');
    let state = createDrift({ seed: 's', channels: [{ name: 'x', kind: 'numeric' }] });
    for (let ordinal = 0; ordinal < 1600; ordinal++) {
      state = updateDrift(state, { ordinal, values: { x: (draws.uniform() - 0.5) * (ordinal < 1200 ? 1 : 4) } });
    }
    assert.ok(driftVerdict(state).drift);
    assert.equal(explainDrift(state)[0]!.change, 'more spread');
  });

  it('gives the same state when it is stored as JSON in between', () => {
    const half = shifted(createDrift(SETTINGS), 700);
    const restored = JSON.parse(JSON.stringify(half)) as DriftState;
    assert.deepEqual(restored, half);
    const step = { ordinal: 700, values: { size: 0.3, noise: 0.2, label: 'a' } };
    assert.deepEqual(updateDrift(restored, step), updateDrift(half, step));
  });

  it('keeps its memory bounded and does not change the state it is given', () => {
    const state = shifted(createDrift(SETTINGS), 300);
    const before = JSON.stringify(state);
    const later = shifted(createDrift(SETTINGS), 1300);
    assert.equal(JSON.stringify(state), before);
    assert.ok(JSON.stringify(later).length < 1.2 * before.length);
  });

  it('skips absent and unusable values, and latches the alarm', () => {
    const state = shifted(createDrift(SETTINGS));
    const next = updateDrift(state, { ordinal: 5000, values: { size: NaN, label: undefined } });
    assert.deepEqual(next.series, state.series);
    assert.equal(next.alarm, state.alarm);
  });

  it('refuses ordinals out of order and bad settings, all at once', () => {
    const state = updateDrift(createDrift(SETTINGS), { ordinal: 3, values: {} });
    assert.throws(() => updateDrift(state, { ordinal: 3, values: {} }), { code: 'CHIMERA_INVALID_INPUT' });
    const twice = { name: 'x', kind: 'label', labels: ['a', 'a'] } as const;
    assert.throws(
      () => createDrift({ seed: '', alpha: 2, calibration: 0, bins: 1, channels: [twice, twice] }),
      (error: { details: { problems: unknown[] } }) => error.details.problems.length === 6,
    );
    assert.throws(() => createDrift({ seed: '', channels: [] }), /at least one channel/);
  });
});

describe('kpi/martingale', () => {
  it('is fair: its expected growth over uniform p-values is 1 from any state', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 40 }), (history) => {
        let state = createMartingale();
        for (const p of history) state = updateMartingale(state, p);
        let mean = 0;
        const GRID = 2000;
        for (let i = 0; i < GRID; i++) {
          mean += Math.exp(updateMartingale(state, (i + 0.5) / GRID).logCapital - state.logCapital) / GRID;
        }
        assert.ok(Math.abs(mean - 1) < 1e-6, String(mean));
      }),
      { numRuns: 30 },
    );
  });

  it('loses little over a long quiet stretch', () => {
    const draws = stream('quiet', 0, 0, 'test');
    let state = createMartingale();
    for (let i = 0; i < 20_000; i++) state = updateMartingale(state, draws.uniform());
    assert.ok(state.logCapital > -8, String(state.logCapital));
    assert.equal(state.shares.length, BETS.length + 1);
  });
});
