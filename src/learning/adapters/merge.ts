import { invalidInput, type Problem } from '../../contracts/errors.ts';
import type { Weights } from '../weights/types.ts';
import type { Adapter } from './types.ts';
import { forEachRow } from './updates.ts';

/**
 * The weights of a base with an adapter's updates added: W + scaling · B A (Hu et al. 2021), summed in double precision, then
 * rounded. A view: a layer is computed each time that it is read. A merged layer no longer lies in blocks; all else is as it was.
 * An adapter's head is not a part of it. Throws `CHIMERA_INVALID_INPUT` that names every layer the base does not have so.
 */
export function merged(weights: Weights, adapter: Adapter): Weights {
  return withUpdates(weights, adapter, 1);
}

/** The inverse of {@link merged}, up to rounding: the weights with an adapter's updates taken away. */
export function unmerged(weights: Weights, adapter: Adapter): Weights {
  return withUpdates(weights, adapter, -1);
}

function withUpdates(weights: Weights, adapter: Adapter, sign: 1 | -1): Weights {
  const targets = new Map(adapter.targets.map((target) => [`${target.module}.weight`, target]));
  const problems = adapter.targets.flatMap(({ module, inputs, outputs }): Problem[] => {
    const name = `${module}.weight`;
    const path = `/targets/${module}`;
    if (!weights.has(name)) return [{ path, message: 'the base has no such layer' }];
    const shape = weights.shape(name);
    return shape.length === 2 && shape[0] === outputs && shape[1] === inputs
      ? []
      : [{ path, message: `it updates a matrix [${outputs}, ${inputs}], the base has [${shape.join(', ')}]` }];
  });
  if (problems.length > 0) throw invalidInput('the adapter', problems);
  return {
    names: weights.names,
    has: (name) => weights.has(name),
    shape: (name) => weights.shape(name),
    f32(name) {
      const target = targets.get(name);
      if (target === undefined) return weights.f32(name);
      const sum = Float32Array.from(weights.f32(name));
      forEachRow(adapter, target, (row, index) => {
        const from = index * target.inputs;
        for (let input = 0; input < row.length; input++) sum[from + input]! += sign * row[input]!;
      });
      return sum;
    },
    blocks4: (name) => (targets.has(name) ? undefined : weights.blocks4(name)),
    blocks8: (name) => (targets.has(name) ? undefined : weights.blocks8(name)),
  };
}
