import { createHash } from 'node:crypto';
import { encodeAdapter } from '../../src/learning/adapters/file.ts';
import { openLocalBase } from '../../src/learning/bases.ts';
import { alternate } from '../harness/measure.ts';
import { criterion, type BenchmarkResult } from '../harness/types.ts';
import { ENCODER, seededData, specOf } from './cases.ts';
import { startService, textsOf, type Given } from './inference-service.ts';
import { drawnAdapter } from './ours.ts';

const ADAPTERS = 50;
const TOGETHER = 16;
const REQUESTS = 400;
const TOKENS = 32;

/** Classifications of mails, so many at a time: each by the next of many adapters, against all by one. */
export async function measureAdapters(given: Given): Promise<BenchmarkResult> {
  const { encoder, rounds, log } = given;
  const { base } = await openLocalBase(encoder, 'fp32');
  const data = seededData('classification', 'inference', 4, TOKENS);
  const adapters = new Map(
    Array.from({ length: ADAPTERS }, (_, i) => {
      const spec = specOf(ENCODER, { batch: 1, steps: 1, maxTokens: TOKENS, seed: `adapter ${i}` });
      const bytes = encodeAdapter(drawnAdapter({ base, spec, data }));
      return [createHash('sha256').update(bytes).digest('hex'), bytes] as const;
    }),
  );
  const names = [...adapters.keys()];
  const texts = textsOf(given, TOKENS, REQUESTS);
  const service = startService([encoder], { adapters });
  const throughput = async (adapterOf: (request: number) => string): Promise<number> => {
    let next = 0;
    const begun = performance.now();
    const client = async (): Promise<void> => {
      while (next < texts.length) {
        const request = next++;
        const model = { base: encoder.name, adapter: adapterOf(request) };
        await service.classify({ model, texts: [texts[request]!] });
      }
    };
    await Promise.all(Array.from({ length: TOGETHER }, client));
    return (1000 * texts.length) / (performance.now() - begun);
  };
  try {
    const { a, b, ratio } = await alternate(
      () => throughput((request) => names[request % ADAPTERS]!),
      () => throughput(() => names[0]!),
      rounds,
    );
    const what = `${ADAPTERS} adapters in turn, ${TOGETHER} requests at a time`;
    log(`${what}: ${a.median.toFixed(1)} texts/s, one adapter ${b.median.toFixed(1)}`);
    return {
      figures: { [`${what}: texts/s`]: { ...a }, 'one adapter: texts/s': { ...b }, [`${what}: ratio`]: { ...ratio } },
      criteria: [criterion(`${what}: against one adapter`, ratio.median, '>=', 0.7, '×')],
    };
  } finally {
    await service.close();
  }
}
