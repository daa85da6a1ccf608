import { loadConfig } from '../src/config/config.ts';
import { adapterSpec, type AdapterSpec } from '../src/contracts/adapters.ts';
import type { BaseLocation } from '../src/learning/bases.ts';
import { findModel, loadModels } from '../src/learning/registry/manifest.ts';
import { fetchModel } from '../src/learning/registry/sources.ts';
import type { TextExample } from '../src/learning/training/examples.ts';
import { trainAdapter } from '../src/learning/training/host.ts';
import type { TrainedAdapter } from '../src/learning/training/job.ts';
import { criterion, type Benchmark, type BenchmarkResult } from './harness/types.ts';
import { draw, LABELS, loadTuningMails, type TuningMails } from './mail/tuning.ts';

const ENCODER = 'all-MiniLM-L6-v2';
const DECODER = 'SmolLM2-135M-Instruct';
/** Every layer of the encoder that can be adapted. */
const LAYERS = ['query', 'key', 'value', 'attention.output.dense', 'intermediate.dense', 'output.dense'];
/** Runs of LoRA against a head alone, and pairs of curated against uncurated: six can show p < 0.05. */
const SEEDS = 3;
const PAIRS = 6;
const EXAMPLES = 800;
const HELD_OUT = 400;
const SUBJECTS = 48;

export const benchmark: Benchmark = {
  name: 'learning-results',
  title: 'Adapters learn: LoRA against a head alone, QLoRA on subject lines, curated against uncurated mail',
  async run({ seed, log }): Promise<BenchmarkResult> {
    const begun = performance.now();
    log('reading and curating the mails …');
    const mails = await loadTuningMails(seed);
    const encoder = await locate(ENCODER, log);
    const decoder = await locate(DECODER, log);
    const results = [
      await loraAgainstHead(encoder, mails, seed, log),
      await curatedAgainstUncurated(encoder, mails, seed, log),
      await subjectLines(decoder, mails, seed, log),
    ];
    return {
      figures: {
        ...Object.assign({}, ...results.map(({ figures }) => figures)),
        'whole run, seconds': Math.round((performance.now() - begun) / 1000),
      },
      criteria: results.flatMap(({ criteria }) => criteria),
    };
  },
};

/** @throws `CHIMERA_MODEL_UNAVAILABLE` that says of each source why it failed */
async function locate(name: string, log: (line: string) => void): Promise<BaseLocation> {
  const entry = findModel(loadModels(), name);
  const { directory } = await fetchModel(entry, { cacheDir: loadConfig().cacheDir, onLine: log });
  return { name, directory, files: entry.files };
}

/** One run on mails of `from`; its accuracy on mails held out. */
async function accuracyOf(
  base: BaseLocation,
  { heldOut }: TuningMails,
  from: readonly TextExample[],
  run: string,
  setting: Pick<AdapterSpec, 'targets' | 'maxTokens'>,
): Promise<number> {
  const spec = adapterSpec.parse({
    ...{ kind: 'adapter', name: 'triage', base: base.name, task: 'classification', seed: run },
    ...{ steps: 100, batch: 16, learningRate: 1e-3, ...setting },
  });
  const { after } = await trained(base, spec, LABELS, draw(from, EXAMPLES, run), draw(heldOut, HELD_OUT, run));
  return after.accuracy!;
}

/** LoRA in every layer against a head alone: the same mails, steps and lengths. */
async function loraAgainstHead(
  base: BaseLocation,
  mails: TuningMails,
  seed: string,
  log: (line: string) => void,
): Promise<BenchmarkResult> {
  const runs = { lora: [] as number[], head: [] as number[] };
  for (let round = 0; round < SEEDS; round++) {
    const run = `${seed}-${round}`;
    const of = (targets: string[]): Promise<number> =>
      accuracyOf(base, mails, mails.curated, run, { targets, maxTokens: 128 });
    // Two at a time: a run is one thread.
    const [lora, head] = await Promise.all([of(LAYERS), of([])]);
    log(`  ${run}: LoRA ${percent(lora)}, head alone ${percent(head)}`);
    runs.lora.push(lora);
    runs.head.push(head);
  }
  const ahead = mean(runs.lora) - mean(runs.head);
  return {
    figures: {
      'held-out accuracy, LoRA in every layer': runs.lora,
      'held-out accuracy, head alone': runs.head,
    },
    criteria: [criterion('LoRA − head alone, held-out accuracy', points(ahead), '>=', 8, 'points')],
  };
}

async function curatedAgainstUncurated(
  base: BaseLocation,
  mails: TuningMails,
  seed: string,
  log: (line: string) => void,
): Promise<BenchmarkResult> {
  const runs = { curated: [] as number[], uncurated: [] as number[] };
  for (let pair = 0; pair < PAIRS; pair++) {
    const run = `${seed}-${pair}`;
    const of = (from: readonly TextExample[]): Promise<number> =>
      accuracyOf(base, mails, from, run, { targets: ['query', 'value'], maxTokens: 64 });
    const [curated, uncurated] = await Promise.all([of(mails.curated), of(mails.uncurated)]);
    log(`  ${run}: curated ${percent(curated)}, uncurated ${percent(uncurated)}`);
    runs.curated.push(curated);
    runs.uncurated.push(uncurated);
  }
  const gains = runs.curated.map((value, pair) => value - runs.uncurated[pair]!);
  const p = signFlip(gains);
  return {
    figures: {
      'mails to train on, curated and uncurated': [mails.curated.length, mails.uncurated.length],
      'mails a run trains on, mails held out': [EXAMPLES, HELD_OUT],
      'held-out accuracy, LoRA of queries and values on curated mail': runs.curated,
      'the same on uncurated mail': runs.uncurated,
      'curated − uncurated, points': points(mean(gains)),
      'curated against uncurated, one-sided p': p,
      'is curated mail shown to be better': p < 0.05 ? 'yes' : 'no: the difference may be chance',
    },
    criteria: [],
  };
}

async function subjectLines(
  base: BaseLocation,
  { subjects }: TuningMails,
  seed: string,
  log: (line: string) => void,
): Promise<BenchmarkResult> {
  const spec = adapterSpec.parse({
    ...{ kind: 'adapter', name: 'subject-lines', base: base.name, task: 'causal', precision: '4bit', seed },
    ...{ targets: ['q_proj', 'v_proj'], steps: 40, batch: 4, maxTokens: 96, learningRate: 1e-3 },
  });
  const validation = draw(subjects.heldOut, SUBJECTS, seed);
  const { before, after } = await trained(base, spec, [], draw(subjects.train, EXAMPLES, seed), validation, log);
  return {
    figures: { 'held-out loss on subject lines, before and after, nats a token': [before!.loss, after.loss] },
    criteria: [criterion('QLoRA on subject lines, held-out loss saved', before!.loss - after.loss, '>=', 0.5, 'nats')],
  };
}

function trained(
  base: BaseLocation,
  spec: AdapterSpec,
  labels: readonly string[],
  train: readonly TextExample[],
  validation: readonly TextExample[],
  log?: (line: string) => void,
): Promise<TrainedAdapter> {
  return trainAdapter(
    { base, spec, labels, train, validation },
    {
      checkpointEvery: spec.steps,
      onCheckpoint: () => Promise.resolve(),
      onStep({ step, loss }) {
        if (step % 10 === 0) log?.(`  step ${step}: loss ${loss.toFixed(3)}`);
      },
      signal: new AbortController().signal,
    },
  );
}

/**
 * The probability that differences of random signs have at least this mean: the exact one-sided test of paired runs (Fisher 1935).
 */
function signFlip(differences: readonly number[]): number {
  const count = 2 ** differences.length;
  const observed = differences.reduce((sum, value) => sum + value, 0);
  let asLarge = 0;
  for (let signs = 0; signs < count; signs++) {
    const sum = differences.reduce((all, value, i) => all + ((signs >> i) & 1 ? -value : value), 0);
    if (sum >= observed - 1e-12) asLarge++;
  }
  return asLarge / count;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const points = (share: number): number => Math.round(share * 1e4) / 1e2;
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
