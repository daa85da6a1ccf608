import { alternate, spread } from '../harness/measure.ts';
import { criterion, type BenchmarkResult } from '../harness/types.ts';
import { startSentenceTransformers } from '../peers/inference.ts';
import { benchDirectory } from './bases.ts';
import { busySeconds, startService, textsOf, type Given } from './inference-service.ts';

const CASES = [
  { tokens: 32, texts: 64, batch: 1 },
  { tokens: 128, texts: 32, batch: 1 },
  { tokens: 32, texts: 128, batch: 32 },
];

/** Requests of some texts, one after another, through the whole service; the peer is measured in its own process. */
export async function measureEmbeddings(given: Given): Promise<BenchmarkResult> {
  const { encoder, rounds, log } = given;
  const service = startService([encoder]);
  const peer = await startSentenceTransformers(benchDirectory(), encoder.directory);
  const figures: BenchmarkResult['figures'] = {};
  const criteria: BenchmarkResult['criteria'] = [];
  try {
    let difference = 0;
    for (const { tokens, texts: count, batch } of CASES) {
      const texts = textsOf(given, tokens, count);
      const requests = Array.from({ length: count / batch }, (_, i) => texts.slice(i * batch, (i + 1) * batch));
      const ask = async (): Promise<Float32Array[]> => {
        const vectors: Float32Array[] = [];
        for (const own of requests) {
          vectors.push(...(await service.embed({ model: { base: encoder.name }, texts: own })).vectors);
        }
        return vectors;
      };
      const busy: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
      const theirs = (await peer.embed(requests, true)).vectors;
      (await ask()).forEach((vector, i) =>
        vector.forEach((value, at) => (difference = Math.max(difference, Math.abs(value - theirs[i]![at]!)))),
      );
      const ours = async (): Promise<number> => {
        const [begun, before] = [performance.now(), busySeconds(service)];
        await ask();
        busy.ours.push(busySeconds(service) - before);
        return (1000 * texts.length) / (performance.now() - begun);
      };
      const others = async (): Promise<number> => {
        const took = await peer.embed(requests);
        busy.theirs.push(took.busy);
        return texts.length / took.seconds;
      };
      const { a, b, ratio } = await alternate(ours, others, rounds);
      const what = `embeddings, ${tokens} tokens, batch ${batch}`;
      log(`${what}: ${a.median.toFixed(1)} texts/s, sentence-transformers ${b.median.toFixed(1)}`);
      figures[`${what}: texts/s`] = { ...a };
      figures[`${what}: texts/s, sentence-transformers`] = { ...b };
      figures[`${what}: ratio`] = { ...ratio };
      figures[`${what}: processor time, sentence-transformers / ours`] = {
        ...spread(busy.theirs.map((seconds, i) => seconds / busy.ours[i]!)),
      };
      if (batch === 1) criteria.push(criterion(`${what}: against sentence-transformers`, ratio.median, '>=', 1.5, '×'));
    }
    criteria.push(criterion('embeddings: largest difference of a value', difference, '<=', 1e-4));
    return { figures, criteria };
  } finally {
    await service.close();
    await peer.close();
  }
}
