import { scalingOf, type AdapterScaling, type AdapterTarget } from './types.ts';

/**
 * Calls `visit` with each row of an update, scaling · B A: [outputs] rows of [inputs]. Sums run over ranks in ascending order in
 * double precision. The row is overwritten by the next one.
 */
export function forEachRow(
  scale: AdapterScaling,
  { inputs, outputs, a, b }: AdapterTarget,
  visit: (row: Float64Array, index: number) => void,
): void {
  const { rank } = scale;
  const scaling = scalingOf(scale);
  const row = new Float64Array(inputs);
  for (let output = 0; output < outputs; output++) {
    row.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = b[output * rank + r]!;
      const from = r * inputs;
      for (let input = 0; input < inputs; input++) row[input]! += factor * a[from + input]!;
    }
    for (let input = 0; input < inputs; input++) row[input]! *= scaling;
    visit(row, output);
  }
}

/** The update of a layer as a whole matrix, [outputs, inputs]. */
export function denseUpdate(scale: AdapterScaling, target: AdapterTarget): Float64Array {
  const dense = new Float64Array(target.outputs * target.inputs);
  forEachRow(scale, target, (row, index) => dense.set(row, index * target.inputs));
  return dense;
}
