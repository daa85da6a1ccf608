import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLocalBase } from '../src/learning/bases.ts';
import { modelEnvironment } from '../src/learning/process/environment.ts';
import { tokenize, type TokenExample } from '../src/learning/training/examples.ts';
import type { TrainingSet } from '../src/learning/training/types.ts';
import { benchDirectory, hubFolder, realBase } from './learning/bases.ts';
import { DECODER_4BIT, DECODER_FP32, ENCODER, fullData, specOf, type TrainingCase } from './learning/cases.ts';
import { locateBase } from './learning/inference-service.ts';
import { batchesOf, drawnAdapter } from './learning/ours.ts';

import { startSteps, type StepProcess, type StepsFile } from './learning/step-process.ts';
import { alternate, spread } from './harness/measure.ts';
import { criterion, type Benchmark, type BenchmarkResult } from './harness/types.ts';
import { draw, loadTuningMails } from './mail/tuning.ts';
import { oneThread } from './peers/python.ts';
import { PYTORCH_SCRIPT, pythonWithTorch, writeTorchRun } from './peers/pytorch.ts';

const LENGTH = 64;
const MEGABYTE = 1 << 20;

interface SpeedCase extends TrainingCase {
  readonly batch: number;
  readonly length: number;
  /** Steps that are timed together. */
  readonly each: number;
  /** What is trained on. Rows that are full are the same work on both sides, all of it. */
  readonly on: 'full rows' | 'subject lines';
}

const FULL = { length: LENGTH, on: 'full rows' } as const;
/** As in `learning-results`: mails of different lengths are given, and a few words are learned. */
const SUBJECTS = { name: 'SmolLM2 fp32, subject lines of mails', batch: 4, length: 96, on: 'subject lines' } as const;
const CASES: readonly SpeedCase[] = [
  { ...ENCODER, ...FULL, batch: 8, each: 5 },
  { ...DECODER_FP32, ...FULL, batch: 2, each: 2 },
  { ...DECODER_4BIT, ...FULL, batch: 2, each: 2 },
  { ...DECODER_FP32, ...SUBJECTS, each: 3 },
];

export const benchmark: Benchmark = {
  name: 'lora-speed',
  title:
    'Steps of training an adapter against PyTorch + PEFT, one thread each: tokens a second, memory (needs a 6 GB venv)',
  async run({ full, log }): Promise<BenchmarkResult> {
    const results: BenchmarkResult[] = [];
    for (const its of CASES) results.push(await measure(its, full ? 15 : 7, log));
    return {
      figures: Object.assign({}, ...results.map(({ figures }) => figures)),
      criteria: results.flatMap(({ criteria }) => criteria),
    };
  },
};

const dataOf = async ({ on, task, length, base }: SpeedCase, log: (line: string) => void): Promise<TrainingSet> => {
  if (on === 'full rows') return fullData(task, 'speed', 64, length);
  const { tokenizer } = await openLocalBase(await locateBase(base, log), 'fp32');
  const { subjects } = await loadTuningMails('speed');
  const train = tokenize(draw(subjects.train, 256, 'speed'), { task, maxTokens: length }, tokenizer, []);
  return { labels: [], train, validation: train.slice(0, 1) };
};

/** Both sides take the same steps in turns, each in a process that does nothing else. A 4-bit base is in single precision there. */
async function measure(its: SpeedCase, rounds: number, log: (line: string) => void): Promise<BenchmarkResult> {
  const { batch, length, each, on } = its;
  const folder = await mkdtemp(join(tmpdir(), 'chimera-speed-'));
  const open: StepProcess[] = [];
  try {
    const steps = 1000;
    const base = await realBase(its.base, its.precision, log);
    const spec = specOf(its, { batch, steps, maxTokens: length });
    const data = await dataOf(its, log);
    const setting = { base, spec, data };
    const batches = batchesOf(setting).slice(0, 100);
    const hub = await hubFolder(its.base, log);
    const labels = data.labels.length;
    await writeTorchRun(folder, { hub, spec, labels, batches, steps, initial: drawnAdapter(setting) });
    const file = join(folder, 'steps.json');
    await writeFile(file, JSON.stringify({ base: its.base, precision: its.precision, spec, data } satisfies StepsFile));
    const python = await pythonWithTorch(benchDirectory());
    const program = [join(import.meta.dirname, 'learning', 'steps.ts'), file];
    const ours = startSteps('training', process.execPath, program, modelEnvironment());
    open.push(ours);
    const theirs = startSteps('PyTorch', python, ['-I', PYTORCH_SCRIPT, 'steps', folder]);
    open.push(theirs);
    log(`${its.name}: steps of ${batch} × ${length} tokens at most …`);
    const peaks = { ours: 0, theirs: 0 };
    const done = { ours: 0, theirs: 0 };
    const busy: number[] = [];
    let own = 0;
    /** Tokens a second; padding is none. */
    const rate = async (side: StepProcess, who: keyof typeof peaks): Promise<number> => {
      const took = await side.steps(each);
      const tokens = Array.from({ length: each }, (_, i) => tokensOf(batches[(done[who] + i) % batches.length]!));
      done[who] += each;
      peaks[who] = took.peak;
      if (who === 'ours') own = took.busy;
      else busy.push(took.busy / own);
      log(`${its.name}: ${who} ${JSON.stringify(took)}`);
      return tokens.reduce((sum, count) => sum + count, 0) / took.seconds;
    };
    const { a, b, ratio } = await alternate(
      () => rate(ours, 'ours'),
      () => rate(theirs, 'theirs'),
      rounds,
    );
    // Our processes ask for large pages, of PyTorch its users must: how much of the ratio that is.
    const pages = { ...oneThread(), GLIBC_TUNABLES: modelEnvironment().GLIBC_TUNABLES };
    const paged = startSteps('PyTorch', python, ['-I', PYTORCH_SCRIPT, 'steps', folder], pages);
    open.push(paged);
    const pace = async (side: StepProcess): Promise<number> => each / (await side.steps(each)).seconds;
    const { ratio: gain } = await alternate(
      () => pace(paged),
      () => pace(theirs),
      Math.ceil(rounds / 3),
    );
    const memory = peaks.ours / peaks.theirs;
    const share = await theirs.products();
    const peer = its.precision === '4bit' ? 'PyTorch, base unpacked to fp32' : 'PyTorch';
    const figures: BenchmarkResult['figures'] = {
      [`${its.name}: tokens/s`]: { ...a },
      [`${its.name}: tokens/s, ${peer}`]: { ...b },
      [`${its.name}: tokens/s, ratio`]: { ...ratio },
      [`${its.name}: tokens/s, ${peer} in pages of 2 MB / in pages of 4 KB`]: { ...gain },
      // With this share of its time in products, nobody who multiplies no faster is faster than this.
      [`${its.name}: tokens/s, ratio of a step that were nothing but the products of ${peer}`]: 1 / share,
      [`${its.name}: processor time, ${peer} / ours`]: { ...spread(busy) },
      [`${its.name}: peak memory, MB`]: peaks.ours / MEGABYTE,
      [`${its.name}: peak memory, MB, ${peer}`]: peaks.theirs / MEGABYTE,
      [`${its.name}: peak memory, ratio`]: memory,
    };
    const criteria =
      its.precision === '4bit' || on !== 'full rows'
        ? []
        : [
            criterion(`${its.name}: tokens/s against PyTorch + PEFT`, ratio.median, '>=', 1.5, '×'),
            criterion(`${its.name}: peak memory against PyTorch + PEFT`, memory, '<=', 0.7, '×'),
          ];
    return { figures, criteria };
  } finally {
    for (const side of open) await side.close();
    await rm(folder, { recursive: true, force: true });
  }
}

const tokensOf = (examples: readonly TokenExample[]): number =>
  examples.reduce((sum, { rows }) => sum + rows.reduce((tokens, row) => tokens + row.tokens.length, 0), 0);
