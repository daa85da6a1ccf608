/* Functions in plain double precision that the runtime has in single precision only, over rows of `width` elements. */

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

export function rowsOf(values: Float64Array, width: number): number[][] {
  return Array.from({ length: values.length / width }, (_, row) => [
    ...values.subarray(row * width, (row + 1) * width),
  ]);
}

/** erf by its series, 2/√π Σ (−1)ⁿ x²ⁿ⁺¹ / (n! (2n + 1)): to about 1e-13 up to |x| = 2. */
export function erf(x: number): number {
  let [power, sum] = [x, x];
  for (let n = 1; n < 60; n++) {
    power *= (-x * x) / n;
    sum += power / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

export const layerNorms = (x: Float64Array, gain: Float64Array, bias: Float64Array, epsilon: number): number[] =>
  rowsOf(x, gain.length).flatMap((row) => {
    const center = mean(row);
    const spread = Math.sqrt(mean(row.map((value) => (value - center) ** 2)) + epsilon);
    return row.map((value, i) => ((value - center) / spread) * gain[i]! + bias[i]!);
  });

export const rmsNorms = (x: Float64Array, gain: Float64Array, epsilon: number): number[] =>
  rowsOf(x, gain.length).flatMap((row) => {
    const spread = Math.sqrt(mean(row.map((value) => value ** 2)) + epsilon);
    return row.map((value, i) => (value / spread) * gain[i]!);
  });

export const labelLogs = (logits: Float64Array, classes: number, labels: ArrayLike<number>): number[] =>
  rowsOf(logits, classes).map((row, i) => {
    const most = Math.max(...row);
    return row[labels[i]!]! - most - Math.log(row.reduce((sum, value) => sum + Math.exp(value - most), 0));
  });

/** x · wᵀ for w [rows, columns]. */
export const productWithTransposed = (x: Float64Array, w: Float64Array, columns: number): number[] => {
  const matrix = rowsOf(w, columns);
  return rowsOf(x, columns).flatMap((row) => matrix.map((other) => row.reduce((sum, v, i) => sum + v * other[i]!, 0)));
};
