import { availableParallelism } from 'node:os';
import { ChimeraError } from '../src/contracts/errors.ts';
import { probeProvider } from '../src/learning/runtime/probe.ts';
import type { DeviceRuntime, Provider } from '../src/learning/runtime/provider.ts';
import { AdapterTrainer } from '../src/learning/training/trainer.ts';
import { realBase } from './learning/bases.ts';
import { DECODER_4BIT, DECODER_FP32, ENCODER, fullData, specOf, type TrainingCase } from './learning/cases.ts';
import { drawnAdapter, firstGradient, relativeDistance, type Setting } from './learning/ours.ts';
import { alternate } from './harness/measure.ts';
import { criterion, type Benchmark, type BenchmarkResult } from './harness/types.ts';

const LENGTH = 64;
const PROBE_MS = 120_000;
const CARDS = ['cuda', 'webgpu'] as const satisfies readonly Provider[];

const CASES: readonly (TrainingCase & { readonly batch: number })[] = [
  { ...ENCODER, batch: 16 },
  { ...DECODER_FP32, batch: 8 },
  { ...DECODER_4BIT, batch: 8 },
];

export const benchmark: Benchmark = {
  name: 'gpu',
  title: 'Training on a graphics card computes what the processor does, and how many steps a second (needs one)',
  async run({ full, seed, log }): Promise<BenchmarkResult> {
    // As in the processes that train, see process/calls.ts.
    process.env['NVIDIA_TF32_OVERRIDE'] ??= '0';
    const results: BenchmarkResult[] = [];
    for (const provider of await cards(log)) {
      for (const its of CASES) {
        const base = await realBase(its.base, its.precision, log);
        const spec = specOf(its, { batch: its.batch, steps: 1000, maxTokens: LENGTH, seed });
        const setting = { base, spec, data: fullData(its.task, seed, 64, LENGTH) };
        results.push(await measure(`${its.name} on ${provider}`, provider, setting, full ? 15 : 5, log));
      }
    }
    return {
      figures: Object.assign({}, ...results.map(({ figures }) => figures)),
      criteria: results.flatMap(({ criteria }) => criteria),
    };
  },
};

/** The providers of cards that are here. Throws `CHIMERA_SETUP` with what each lacks where there is none. */
async function cards(log: (line: string) => void): Promise<Provider[]> {
  const states = await Promise.all(CARDS.map((provider) => probeProvider(provider, PROBE_MS)));
  const lines = states.map(({ provider, detail, action }) => `${provider}: ${detail}. ${action}`.trim());
  for (const line of lines) log(line);
  const found = states.filter(({ available }) => available).map(({ provider }) => provider);
  if (found.length === 0) throw new ChimeraError('CHIMERA_SETUP', { what: 'a graphics card', why: lines.join(' ') });
  return found;
}

async function measure(
  name: string,
  provider: Provider,
  setting: Setting,
  rounds: number,
  log: (line: string) => void,
): Promise<BenchmarkResult> {
  const adapter = drawnAdapter(setting);
  log(`${name}: gradients …`);
  const expected = await firstGradient(setting, adapter);
  const actual = await firstGradient(setting, adapter, provider);
  const distance = relativeDistance(actual.gradient, expected.gradient);
  log(`${name}: ${distance.toExponential(2)} apart; steps …`);
  const threads = availableParallelism();
  const there = stepper(setting, { provider, threads });
  const here = stepper(setting, { provider: 'cpu', threads });
  const { a, b, ratio } = await alternate(there.stepsASecond, here.stepsASecond, rounds);
  await there.release();
  await here.release();
  return {
    figures: { [`${name}: steps a second`]: { ...a }, [`${name}: the processor's, all threads`]: { ...b } },
    criteria: [
      criterion(`${name}: gradient against the processor's, relative L2 distance`, distance, '<=', 1e-4),
      criterion(`${name}: steps a second over the processor's`, ratio.median, '>=', 1),
    ],
  };
}

function stepper(
  setting: Setting,
  runtime: DeviceRuntime,
): { stepsASecond(): Promise<number>; release(): Promise<void> } {
  const trainer = AdapterTrainer.create({ ...setting, ...runtime });
  return {
    async stepsASecond() {
      const begun = performance.now();
      for (let step = 0; step < 3; step++) await trainer.step();
      return 3000 / (performance.now() - begun);
    },
    release: () => trainer.release(),
  };
}
