import { z } from 'zod';
import { usageSchema } from './costs.ts';
import { providerFailed } from './exchange.ts';

const MAX_SIZE = 65_536;

/** An answer of `/embeddings`. */
export const embeddingsAnswer = z.object({
  data: z.array(z.object({ index: z.int().min(0), embedding: z.array(z.number()).min(1).max(MAX_SIZE) })),
  usage: usageSchema.nullish(),
});

/**
 * The vectors in the order of the texts, of length 1. @throws {ChimeraError} CHIMERA_PROVIDER_FAILED unless there is one for each of
 * `texts`, all of the same size, none of them zero
 */
export function vectorsOf(
  provider: { readonly name: string },
  data: z.output<typeof embeddingsAnswer>['data'],
  texts: number,
): Float32Array[] {
  const byIndex = new Map(data.map(({ index, embedding }) => [index, embedding]));
  if (data.length !== texts || byIndex.size !== texts || [...byIndex.keys()].some((index) => index >= texts))
    throw providerFailed(provider, `it answers ${texts} texts with other vectors than one for each`);
  if (new Set(data.map(({ embedding }) => embedding.length)).size > 1)
    throw providerFailed(provider, 'its vectors differ in size');
  return Array.from({ length: texts }, (_, index) => {
    const vector = byIndex.get(index)!;
    const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    if (!(length > 0 && length < Infinity)) throw providerFailed(provider, 'a vector of it has no direction');
    return Float32Array.from(vector, (value) => value / length);
  });
}
