import assert from 'node:assert/strict';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { stream } from '../../../src/core/random/random.ts';
import type { Adapter } from '../../../src/learning/adapters/types.ts';
import { linearShape } from '../../../src/learning/architecture/base.ts';
import type { ModelConfig } from '../../../src/learning/architecture/config.ts';

export const BASE = { name: 'tiny', sha256: 'ab'.repeat(32) };

export interface SampleOptions {
  readonly rank?: number;
  readonly alpha?: number;
  readonly rankStabilised?: boolean;
  readonly modules: readonly string[];
  readonly labels?: readonly string[];
}

/** An adapter drawn from a seed, for a base of this architecture. */
export function sampleAdapter(config: ModelConfig, seed: string, options: SampleOptions): Adapter {
  const { rank = 2, alpha = 3, rankStabilised = false, modules, labels } = options;
  const floats = (length: number, purpose: string): Float32Array => {
    const draw = stream(seed, 0, 0, purpose);
    return Float32Array.from({ length }, () => draw.uniform() - 0.5);
  };
  return {
    ...{ base: BASE, task: config.family === 'encoder' ? 'classification' : 'causal', rank, alpha, rankStabilised },
    targets: modules.toSorted().map((module) => {
      const { inputs, outputs } = linearShape(config, module);
      return {
        module,
        inputs,
        outputs,
        a: floats(rank * inputs, `${module} a`),
        b: floats(outputs * rank, `${module} b`),
      };
    }),
    ...(labels === undefined
      ? {}
      : {
          head: {
            labels,
            weight: floats(labels.length * config.hidden, 'head'),
            bias: floats(labels.length, 'bias'),
          },
        }),
  };
}

/** The call must be refused, for all of these reasons. */
export function refused(call: () => unknown, ...reasons: readonly RegExp[]): void {
  assert.throws(call, (error: unknown) => {
    assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'), String(error));
    for (const reason of reasons) assert.match(error.message, reason);
    return true;
  });
}

/** The largest difference of two vectors, as a share of the largest value of the second. */
export function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.equal(actual.length, expected.length);
  let largest = 0;
  let apart = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!));
    apart = Math.max(apart, Math.abs(actual[i]! - expected[i]!));
  }
  return largest === 0 ? apart : apart / largest;
}
