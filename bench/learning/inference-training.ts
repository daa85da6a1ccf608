import { setTimeout as sleep } from 'node:timers/promises';
import type { BaseLocation } from '../../src/learning/bases.ts';
import { trainAdapter } from '../../src/learning/training/host.ts';
import type { TrainingJob } from '../../src/learning/training/job.ts';
import { alternate, quantile } from '../harness/measure.ts';
import { criterion, type BenchmarkResult } from '../harness/types.ts';
import { DECODER_4BIT, ENCODER, LABELS, specOf } from './cases.ts';
import { startService, textsOf, type Given } from './inference-service.ts';

const TOKENS = 32;
/** Well under what the service can do. */
const EVERY_MS = 40;
const REQUESTS = 200;

/** How long embeddings take while an adapter is trained in a process of its own, against a machine with nothing else to do. */
export async function measureTraining(given: Given): Promise<BenchmarkResult> {
  const { encoder, decoder, rounds, log } = given;
  const service = startService([encoder]);
  const texts = textsOf(given, TOKENS, REQUESTS);
  const figures: BenchmarkResult['figures'] = {};
  const criteria: BenchmarkResult['criteria'] = [];
  const latency = async (): Promise<number> => {
    const taken: number[] = [];
    const begun = performance.now();
    // Whoever asks keeps to the clock: an answer that is late holds up no other request.
    const asked = texts.map(async (text, i) => {
      await sleep(Math.max(0, begun + i * EVERY_MS - performance.now()));
      const sent = performance.now();
      await service.embed({ model: { base: encoder.name }, texts: [text] });
      taken.push(performance.now() - sent);
    });
    await Promise.all(asked);
    return quantile(taken, 0.95);
  };
  try {
    const jobs = [
      { what: 'MiniLM', job: encoderJob(encoder, given.mails), isPromised: true },
      { what: 'SmolLM2 4-bit', job: decoderJob(decoder, given.mails), isPromised: false },
    ];
    for (const { what, job, isPromised } of jobs) {
      const speeds: number[] = [];
      const during = async (): Promise<number> => {
        const { p95, stepsPerSecond } = await whileTraining(job, latency);
        speeds.push(stepsPerSecond);
        return p95;
      };
      const { a, b, ratio } = await alternate(during, latency, rounds);
      const name = `embeddings while ${what} is trained`;
      log(`${name}: p95 ${a.median.toFixed(1)} ms, alone ${b.median.toFixed(1)} ms`);
      figures[`${name}: p95, ms`] = { ...a };
      figures[`${name}: p95 alone, ms`] = { ...b };
      figures[`${name}: ratio`] = { ...ratio };
      figures[`${name}: steps of training a second`] = quantile(speeds, 0.5);
      if (isPromised) criteria.push(criterion(`${name}: p95 against alone`, ratio.median, '<=', 2, '×'));
    }
    return { figures, criteria };
  } finally {
    await service.close();
  }
}

/** Measures between two steps of a run that would go on for ever. */
async function whileTraining(
  job: TrainingJob,
  measure: () => Promise<number>,
): Promise<{ p95: number; stepsPerSecond: number }> {
  const stop = new AbortController();
  let steps = 0;
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  const training = trainAdapter(job, {
    signal: stop.signal,
    checkpointEvery: job.spec.steps,
    onCheckpoint: () => Promise.resolve(),
    onStep: () => {
      steps++;
      if (steps === 2) resolve();
    },
  });
  const failed = training.then(
    () => {},
    (error: unknown) => {
      if (!stop.signal.aborted) throw error;
    },
  );
  try {
    await Promise.race([begun, failed]);
    const [from, since] = [steps, performance.now()];
    const p95 = await measure();
    return { p95, stepsPerSecond: (1000 * (steps - from)) / (performance.now() - since) };
  } finally {
    stop.abort();
    await failed;
  }
}

const UNENDING = { steps: 1_000_000, maxTokens: 64 };

function encoderJob(base: BaseLocation, mails: readonly string[]): TrainingJob {
  const examples = mails.slice(0, 200).map((text, i) => ({ text, label: LABELS[i % 2]! }));
  const spec = specOf(ENCODER, { batch: 16, ...UNENDING });
  return { base, spec, labels: LABELS, train: examples.slice(20), validation: examples.slice(0, 20) };
}

function decoderJob(base: BaseLocation, mails: readonly string[]): TrainingJob {
  const examples = mails.slice(0, 60).map((text) => ({ prompt: 'A mail:\n', completion: text.slice(0, 400) }));
  const spec = specOf(DECODER_4BIT, { batch: 2, ...UNENDING });
  return { base, spec, labels: [], train: examples.slice(5), validation: examples.slice(0, 5) };
}
