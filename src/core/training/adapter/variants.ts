import type { z } from 'zod';
import { adapterSpec, type AdapterSpec } from '../../../contracts/adapters.ts';

const variant = (spec: z.input<typeof adapterSpec>): AdapterSpec => adapterSpec.parse(spec);

/** How an adapter is merged with the one that was trained before it: each is offered to evolution as a model of its own. */
export const MERGE_METHODS = ['linear', 'ties'] as const;
export type MergeMethod = (typeof MERGE_METHODS)[number];

export const mergeName = (name: string, method: MergeMethod): string => `${name}-${method}`;

/** The adapter and the method that a name of {@link mergeName} is made of; undefined for any other name. */
export function mergeOf(name: string): { adapter: string; method: MergeMethod } | undefined {
  const method = MERGE_METHODS.find((one) => name.endsWith(`-${one}`));
  return method === undefined ? undefined : { adapter: name.slice(0, -method.length - 1), method };
}

/** The price of a call that runs a base model: about as much processor time as a hundred calls of the cheapest model. */
export const CALL_PRICE = 100;

/**
 * The adapters that a cycle trains for a task type of labels, where their base model is there: a search has to find out for which
 * tasks that is worth its price.
 */
export const ADAPTER_VARIANTS: readonly AdapterSpec[] = [
  variant({
    ...{ kind: 'adapter', name: 'minilm-lora', base: 'all-MiniLM-L6-v2', task: 'classification' },
    ...{ targets: ['query', 'value'], rank: 8, alpha: 16, learningRate: 2e-3 },
    ...{ maxTokens: 64, batch: 16, steps: 100, evaluateEvery: 50, patience: 2, price: CALL_PRICE },
  }),
];
