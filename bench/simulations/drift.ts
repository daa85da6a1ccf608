import { createDrift, updateDrift } from '../../src/core/kpi/drift.ts';
import type { DriftChannel, DriftObservation, DriftSettings, DriftState } from '../../src/core/kpi/drift.ts';
import { stream } from '../../src/core/random/random.ts';
import type { Stream } from '../../src/core/random/random.ts';

/** How often the drift test sounds on seeded streams, and when. */
export interface DriftSimulation {
  readonly streams: number;
  readonly length: number;
  readonly alarms: number;
  readonly alarmRate: number;
  /** Tasks from the change (or from the start) to the alarm, ascending, one for each stream with an alarm. */
  readonly delays: readonly number[];
}

const CHANNELS: readonly DriftChannel[] = [
  { name: 'length', kind: 'numeric' },
  { name: 'markup', kind: 'numeric' },
  { name: 'links', kind: 'numeric' },
  { name: 'score', kind: 'numeric' },
  { name: 'label', kind: 'label', labels: ['ham', 'spam'] },
  { name: 'error', kind: 'label', labels: ['false', 'true'] },
];

/**
 * Streams of `length` tasks with dependent channels (skewed lengths, counts with many ties, labels, sparse feedback). Without
 * `changeAt` they are stationary, so every alarm is false; with it, the share of spam rises by `shift` from that task on.
 */
export function simulateDrift(options: {
  streams: number;
  length: number;
  seed: string;
  changeAt?: number;
  shift?: number;
  /** As in {@link DriftSettings}. */
  alpha?: number;
}): DriftSimulation {
  const { streams, length, seed, changeAt = Infinity, shift = 0.25, alpha } = options;
  const delays: number[] = [];
  let alarms = 0;
  for (let i = 0; i < streams; i++) {
    const draws = stream(seed, 0, i, 'simulate-drift');
    const base = 0.1 + 0.4 * draws.uniform();
    let state = createDrift({ seed: `${seed}/${i}`, channels: CHANNELS, ...(alpha === undefined ? {} : { alpha }) });
    for (let ordinal = 0; ordinal < length && state.alarm === null; ordinal++) {
      state = updateDrift(state, task(draws, ordinal, ordinal >= changeAt ? base + shift : base));
    }
    if (state.alarm === null) continue;
    alarms++;
    delays.push(state.alarm - (changeAt === Infinity || state.alarm < changeAt ? 0 : changeAt));
  }
  return { streams, length, alarms, alarmRate: alarms / streams, delays: delays.sort((a, b) => a - b) };
}

function task(draws: Stream, ordinal: number, spamRate: number): DriftObservation {
  const spam = draws.chance(spamRate);
  const noise = draws.uniform() + draws.uniform() + draws.uniform() - 1.5;
  const served = draws.chance(0.9) === spam;
  return {
    ordinal,
    values: {
      length: (spam ? 3000 : 1800) * (1.2 + noise) * (1.2 + noise),
      markup: spam ? draws.integer(30) : draws.chance(0.8) ? 0 : draws.integer(10),
      links: draws.integer(spam ? 8 : 3),
      score: 0.5 + (spam ? 0.2 : -0.2) + 0.2 * noise,
      label: served ? 'spam' : 'ham',
      error: draws.chance(0.4) ? served !== spam : undefined,
    },
  };
}

/** Runs the test over any observations, in ordinal order; the state at the alarm or at the end. */
export function runDrift(observations: readonly DriftObservation[], settings: DriftSettings): DriftState {
  let state = createDrift(settings);
  for (const observation of observations) {
    state = updateDrift(state, observation);
    if (state.alarm !== null) break;
  }
  return state;
}
