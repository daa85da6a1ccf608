import { loadavg } from 'node:os';
import { openLocalBase } from '../src/learning/bases.ts';
import type { Benchmark, BenchmarkResult } from './harness/types.ts';
import { measureAdapters } from './learning/inference-adapters.ts';
import { measureEmbeddings } from './learning/inference-embeddings.ts';
import { measureGeneration } from './learning/inference-generation.ts';
import { loadMails, locateBase, type Given } from './learning/inference-service.ts';
import { measureTraining } from './learning/inference-training.ts';

const MAILS = 1500;

export const benchmark: Benchmark = {
  name: 'inference',
  title:
    'Models that answer, one thread each: sentence-transformers, llama.cpp, training at once, 50 adapters (needs a 6 GB venv)',
  async run({ full, seed, log }): Promise<BenchmarkResult> {
    const begun = performance.now();
    const load = loadavg()[0]!;
    const encoder = await locateBase('all-MiniLM-L6-v2', log);
    const decoder = await locateBase('SmolLM2-135M-Instruct', log);
    log('reading the mails …');
    const { tokenizer } = await openLocalBase(encoder, 'fp32');
    const given: Given = {
      encoder,
      decoder,
      tokenizer,
      mails: await loadMails(seed, MAILS),
      rounds: full ? 9 : 5,
      log,
    };
    const results: BenchmarkResult[] = [];
    for (const measure of [measureEmbeddings, measureGeneration, measureTraining, measureAdapters]) {
      results.push(await measure(given));
    }
    return {
      figures: {
        ...Object.assign({}, ...results.map(({ figures }) => figures)),
        'processes that ran on this machine before, mean of a minute': load,
        'whole run, seconds': Math.round((performance.now() - begun) / 1000),
      },
      criteria: results.flatMap(({ criteria }) => criteria),
    };
  },
};
