import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { benchDirectory, hubFolder, realBase } from './learning/bases.ts';
import { DECODER_4BIT, DECODER_FP32, ENCODER, fullData, specOf, type TrainingCase } from './learning/cases.ts';
import { batchesOf, drawnAdapter } from './learning/ours.ts';
import { startSteps, type StepProcess } from './learning/step-process.ts';
import { alternate, spread } from './harness/measure.ts';
import { criterion, type Benchmark, type BenchmarkResult } from './harness/types.ts';
import { PYTORCH_SCRIPT, pythonWithTorch, writeTorchRun } from './peers/pytorch.ts';

const LENGTH = 64;
const MEGABYTE = 1 << 20;

const CASES: readonly (TrainingCase & { readonly batch: number; readonly each: number })[] = [
  { ...ENCODER, batch: 8, each: 5 },
  { ...DECODER_FP32, batch: 2, each: 2 },
  { ...DECODER_4BIT, batch: 2, each: 2 },
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

/** Both sides take the same steps in turns, each in a process that does nothing else. A 4-bit base is in single precision there. */
async function measure(
  { batch, each, ...its }: (typeof CASES)[number],
  rounds: number,
  log: (line: string) => void,
): Promise<BenchmarkResult> {
  const folder = await mkdtemp(join(tmpdir(), 'chimera-speed-'));
  const open: StepProcess[] = [];
  try {
    const steps = 1000;
    const base = await realBase(its.base, its.precision, log);
    const spec = specOf(its, { batch, steps, maxTokens: LENGTH });
    const data = fullData(its.task, 'speed', 64, LENGTH);
    const setting = { base, spec, data };
    const batches = batchesOf(setting).slice(0, 64);
    const hub = await hubFolder(its.base, log);
    const labels = data.labels.length;
    await writeTorchRun(folder, { hub, spec, labels, batches, steps, initial: drawnAdapter(setting) });
    const python = await pythonWithTorch(benchDirectory());
    const ours = startSteps('training', process.execPath, [
      join(import.meta.dirname, 'learning', 'steps.ts'),
      JSON.stringify({ ...its, batch, length: LENGTH, steps }),
    ]);
    open.push(ours);
    const theirs = startSteps('PyTorch', python, ['-I', PYTORCH_SCRIPT, 'steps', folder]);
    open.push(theirs);
    log(`${its.name}: steps of ${batch} × ${LENGTH} tokens …`);
    const peaks = { ours: 0, theirs: 0 };
    const busy: number[] = [];
    let own = 0;
    const rate = async (side: StepProcess, who: keyof typeof peaks): Promise<number> => {
      const took = await side.steps(each);
      peaks[who] = took.peak;
      if (who === 'ours') own = took.busy;
      else busy.push(took.busy / own);
      log(`${its.name}: ${who} ${JSON.stringify(took)}`);
      return (each * batch * LENGTH) / took.seconds;
    };
    const { a, b, ratio } = await alternate(
      () => rate(ours, 'ours'),
      () => rate(theirs, 'theirs'),
      rounds,
    );
    const memory = peaks.ours / peaks.theirs;
    const peer = its.precision === '4bit' ? 'PyTorch, base unpacked to fp32' : 'PyTorch';
    const figures: BenchmarkResult['figures'] = {
      [`${its.name}: tokens/s`]: { ...a },
      [`${its.name}: tokens/s, ${peer}`]: { ...b },
      [`${its.name}: tokens/s, ratio`]: { ...ratio },
      [`${its.name}: processor time, ${peer} / ours`]: { ...spread(busy) },
      [`${its.name}: peak memory, MB`]: peaks.ours / MEGABYTE,
      [`${its.name}: peak memory, MB, ${peer}`]: peaks.theirs / MEGABYTE,
      [`${its.name}: peak memory, ratio`]: memory,
    };
    const criteria =
      its.precision === '4bit'
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
