import { loadMailTriage } from '../../examples/mail-triage/data.ts';
import { mailTriage } from '../../examples/mail-triage/task-type.ts';
import { DRIFT_ALPHA } from '../../src/core/kpi/stream.ts';
import type { DriftObservation, DriftSettings } from '../../src/core/kpi/drift.ts';
import { stream } from '../../src/core/random/random.ts';
import { createPreprocessor } from '../../src/core/validation/preprocess/pipeline.ts';
import { quantile } from '../harness/measure.ts';
import { criterion, type BenchmarkResult } from '../harness/types.ts';
import { runDrift, simulateDrift } from '../simulations/drift.ts';

const STREAMS = 200;
const LENGTH = 2_000;
const SHUFFLES = 20;
const WITHIN = 500;

const NAMES = mailTriage.features.map(({ name }) => name);

/** The drift test as the platform's stream monitor sets it up: one channel for each declared feature. */
const settingsOf = (seed: string): DriftSettings => ({
  seed,
  alpha: DRIFT_ALPHA,
  channels: NAMES.map((name) => ({ name, kind: 'numeric' as const })),
});

const observed = (rows: readonly Float64Array[]): DriftObservation[] =>
  rows.map((features, ordinal) => ({
    ordinal,
    values: Object.fromEntries(NAMES.map((name, i) => [name, features[i]])),
  }));

/** False alarms on streams that do not drift, simulated and of real mail, and how soon the second wave is noticed. */
export async function measureDrift(seed: string): Promise<BenchmarkResult> {
  const prepare = createPreprocessor(mailTriage.preprocess, mailTriage.features);
  const mails = await loadMailTriage();
  const features = await Promise.all(
    mails.map(async ({ raw, wave }) => ({ wave, values: (await prepare({ raw })).features })),
  );
  const wave = (number: 1 | 2): Float64Array[] =>
    features.filter((mail) => mail.wave === number).map(({ values }) => values);
  const shuffled = (name: string, i: number, rows: readonly Float64Array[]): Float64Array[] =>
    stream(seed, 0, i, name).shuffle(rows);

  const simulated = simulateDrift({ streams: STREAMS, length: LENGTH, seed, alpha: DRIFT_ALPHA });
  let falseAlarms = 0;
  for (let i = 0; i < STREAMS; i++) {
    const rows = shuffled('stationary mail', i, wave(1)).slice(0, LENGTH);
    if (runDrift(observed(rows), settingsOf(`${seed}/stationary/${i}`)).alarm !== null) falseAlarms++;
  }
  const delays: number[] = [];
  for (let i = 0; i < SHUFFLES; i++) {
    const before = shuffled('first wave', i, wave(1));
    const rows = [...before, ...shuffled('second wave', i, wave(2))];
    const { alarm } = runDrift(observed(rows), settingsOf(`${seed}/waves/${i}`));
    delays.push(alarm === null ? Infinity : alarm - before.length + 1);
  }
  // An alarm before the second wave has begun is a false one, however close.
  const flagged = delays.filter((delay) => delay > 0 && delay <= WITHIN).length;
  return {
    figures: {
      'drift, probability of a false alarm that the monitor allows': DRIFT_ALPHA,
      [`stationary streams of ${LENGTH} tasks, alarms`]: {
        simulated: `${simulated.alarms} of ${STREAMS}`,
        'real mail of the first wave, shuffled': `${falseAlarms} of ${STREAMS}`,
      },
      'tasks of the second wave until the alarm': {
        median: quantile(delays, 0.5),
        p95: quantile(delays, 0.95),
        most: Math.max(...delays),
      },
    },
    criteria: [
      criterion(`false alarms, ${STREAMS} simulated stationary streams`, simulated.alarmRate, '<=', 0.05),
      criterion(`false alarms, ${STREAMS} stationary streams of real mail`, falseAlarms / STREAMS, '<=', 0.05),
      criterion(`second wave flagged within ${WITHIN} tasks, of ${SHUFFLES} shuffles`, flagged, '>=', 19),
    ],
  };
}
