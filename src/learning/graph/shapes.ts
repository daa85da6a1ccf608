import type { Dimension, Shape } from '../onnx/types.ts';

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((dimension, i) => dimension === b[i]);

/** A shape whose every dimension is a number. @throws RangeError where one is only named */
export function staticShape(shape: Shape): number[] {
  return shape.map((dimension) => {
    if (typeof dimension === 'number') return dimension;
    throw new RangeError(`the size ${dimension} of [${shape}] must be a number here`);
  });
}

/** How many elements a shape has. */
export const sizeOf = (shape: Shape): number => staticShape(shape).reduce((size, dimension) => size * dimension, 1);

/** The last dimension as a number. */
export function lastOf(shape: Shape): number {
  return staticShape(shape.slice(-1))[0]!;
}

/** The shape that two shapes broadcast to (NumPy's rule). */
export function broadcast(a: Shape, b: Shape): Dimension[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) throw new RangeError(`[${a}] and [${b}] do not broadcast`);
    return x === 1 ? y : x;
  });
}
