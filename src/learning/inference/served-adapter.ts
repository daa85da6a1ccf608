import { invalidInput } from '../../contracts/errors.ts';
import { adapterProblems, fitProblems } from '../adapters/check.ts';
import { scalingOf, type Adapter, type AdapterTarget, type ClassifierHead } from '../adapters/types.ts';
import { updateInput, type UpdateLayout } from '../architecture/update-inputs.ts';
import type { LocalBase } from '../bases.ts';
import { tensor, type Values } from '../runtime/session.ts';

/** Ranks that graphs are made for; an adapter is filled up with zeros to the next one. */
const RANKS = [4, 8, 16, 32, 64];

/** An adapter as graphs take it. */
export interface ServedAdapter {
  readonly sha256: string;
  /** What it is an adapter of. */
  readonly local: LocalBase;
  readonly head?: ClassifierHead;
  /** Texts are cut to so many tokens, as they were while it was trained. */
  readonly maxTokens?: number;
  /** Absent where it has a head only: the base's own graph serves it. */
  readonly layout?: UpdateLayout;
  /** Values of one row, by the name of the input. */
  readonly values: ReadonlyMap<string, Float32Array>;
}

/**
 * An adapter made ready for graphs of a base.
 * @throws `CHIMERA_INVALID_INPUT` that names every problem: another base, layers that do not fit, values that are not finite
 */
export function serveAdapter(sha256: string, adapter: Adapter, local: LocalBase): ServedAdapter {
  const { base } = local;
  const { head, targets } = adapter;
  const problems = [
    ...(adapter.base.sha256 === base.sha256
      ? []
      : [
          {
            path: '/base',
            message: `it was trained beside other weights than those of ${base.name}, or another configuration`,
          },
        ]),
    ...adapterProblems(adapter),
    ...fitProblems(adapter, base.config),
  ];
  if (problems.length > 0) throw invalidInput(`the adapter ${sha256}`, problems);
  const rank = RANKS.find((size) => size >= adapter.rank) ?? adapter.rank;
  const scaling = scalingOf(adapter);
  const values = new Map(
    targets.flatMap((target): [string, Float32Array][] => [
      [updateInput(target.module, 'a'), paddedA(target, rank)],
      [updateInput(target.module, 'b'), paddedB(target, adapter.rank, rank, scaling)],
    ]),
  );
  const modules = targets.map(({ module }) => module);
  return {
    ...{ sha256, local, values },
    ...(head === undefined ? {} : { head }),
    ...(adapter.maxTokens === undefined ? {} : { maxTokens: adapter.maxTokens }),
    ...(targets.length === 0 ? {} : { layout: { modules, rank } }),
  };
}

/** What its values take. */
export function adapterBytes({ head, values }: ServedAdapter): number {
  const arrays = [...values.values(), ...(head === undefined ? [] : [head.weight, head.bias])];
  return arrays.reduce((bytes, { byteLength }) => bytes + byteLength, 0);
}

function paddedA({ inputs, a }: AdapterTarget, rank: number): Float32Array {
  const padded = new Float32Array(rank * inputs);
  padded.set(a);
  return padded;
}

/** With the scaling in it, so that adapters of one batch may differ in theirs. */
function paddedB({ outputs, b }: AdapterTarget, rank: number, padded: number, scaling: number): Float32Array {
  const values = new Float32Array(outputs * padded);
  for (let output = 0; output < outputs; output++) {
    for (let r = 0; r < rank; r++) values[output * padded + r] = b[output * rank + r]! * scaling;
  }
  return values;
}

/** The inputs of a batch whose rows have these adapters, all of one layout. */
export function stackUpdates(rows: readonly ServedAdapter[], { modules, rank }: UpdateLayout): Values {
  const names = modules.flatMap((module) => [updateInput(module, 'a'), updateInput(module, 'b')]);
  return Object.fromEntries(
    names.map((name) => {
      const first = rows[0]!.values.get(name)!;
      const size = first.length;
      // One row is served from where it lies.
      const stacked = rows.length === 1 ? first : new Float32Array(rows.length * size);
      if (rows.length > 1) rows.forEach(({ values }, row) => stacked.set(values.get(name)!, row * size));
      const shape = name.endsWith('.a') ? [rows.length, rank, size / rank] : [rows.length, size / rank, rank];
      return [name, tensor(stacked, shape)];
    }),
  );
}
