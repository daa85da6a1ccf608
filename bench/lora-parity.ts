import { hubFolder, loadWeights, realBase } from './learning/bases.ts';
import { DECODER_4BIT, DECODER_FP32, ENCODER, seededData, specOf, type TrainingCase } from './learning/cases.ts';
import { compare, llamaDistance, mergeDistance } from './learning/parity.ts';
import { criterion, type Benchmark, type BenchmarkResult } from './harness/types.ts';

const STEPS = 200;
const LENGTH = 32;

const CASES: readonly (TrainingCase & { readonly batch: number; readonly steps: number })[] = [
  { ...ENCODER, batch: 4, steps: STEPS },
  { ...DECODER_FP32, batch: 2, steps: STEPS },
  { ...DECODER_4BIT, batch: 2, steps: STEPS },
  { ...DECODER_FP32, name: 'SmolLM2 preferences', task: 'preference', batch: 1, steps: 20 },
];

export const benchmark: Benchmark = {
  name: 'lora-parity',
  title:
    'Training an adapter computes what PyTorch + PEFT compute: gradients, losses, merges, files; llama.cpp the export (needs a 6 GB venv)',
  async run({ seed, log }): Promise<BenchmarkResult> {
    const figures: BenchmarkResult['figures'] = {};
    const criteria: BenchmarkResult['criteria'] = [];
    for (const its of CASES) {
      const base = await realBase(its.base, its.precision, log);
      const spec = specOf(its, { batch: its.batch, steps: its.steps, maxTokens: LENGTH, seed });
      const setting = { base, spec, data: seededData(its.task, seed, 64, LENGTH) };
      log(`${its.name}: ${its.steps} steps of ${its.batch} × ${LENGTH} tokens …`);
      const parity = await compare(setting, await hubFolder(its.base, log), log);
      log(`${its.name}: ${JSON.stringify(parity)}`);
      figures[`${its.name}: losses of the first and the last step`] = [parity.first, parity.last];
      criteria.push(
        criterion(`${its.name}: gradient, relative L2 distance`, parity.gradient, '<=', 1e-5),
        criterion(`${its.name}: losses of ${its.steps} steps, largest difference`, parity.loss, '<=', 1e-4, 'nats'),
        criterion(`${its.name}: our adapter in PEFT, outputs`, parity.exported, '<=', 1e-5),
        criterion(`${its.name}: PEFT's adapter here, outputs`, parity.imported, '<=', 1e-5),
      );
      if (its.precision === 'fp32' && its.task !== 'preference') {
        const loaded = await loadWeights(its.base, log);
        const distance = await mergeDistance(setting, loaded.weights);
        log(`${its.name}: merged ${distance}`);
        criteria.push(criterion(`${its.name}: merged against unmerged outputs`, distance, '<=', 1e-6));
        if (loaded.metadata !== undefined) {
          const there = await llamaDistance(setting, loaded);
          log(`${its.name}: in llama.cpp ${there}`);
          criteria.push(criterion(`${its.name}: merged export in llama.cpp, outputs`, there, '<=', 1e-5));
        }
      }
    }
    return { figures, criteria };
  },
};
