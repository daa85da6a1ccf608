// Products of dense matrices of doubles, and the solution of a linear system by Gaussian elimination with pivots.

const N = 96;
const a = new StaticArray<f64>(N * N);
const b = new StaticArray<f64>(N * N);
const c = new StaticArray<f64>(N * N);
const x = new StaticArray<f64>(N);

function multiply(): void {
  for (let i = 0; i < N; i++) {
    for (let j = 0; j < N; j++) {
      let sum = 0.0;
      for (let k = 0; k < N; k++) sum += a[i * N + k] * b[k * N + j];
      c[i * N + j] = sum;
    }
  }
}

function solve(): void {
  for (let i = 0; i < N; i++) {
    x[i] = c[i * N + (N - 1 - i)];
    c[i * N + i] += 10000;
  }
  for (let column = 0; column < N; column++) {
    let pivot = column;
    for (let row = column + 1; row < N; row++) {
      if (Math.abs(c[row * N + column]) > Math.abs(c[pivot * N + column])) pivot = row;
    }
    for (let k = 0; k < N; k++) {
      const value = c[column * N + k];
      c[column * N + k] = c[pivot * N + k];
      c[pivot * N + k] = value;
    }
    const value = x[column];
    x[column] = x[pivot];
    x[pivot] = value;
    for (let row = column + 1; row < N; row++) {
      const factor = c[row * N + column] / c[column * N + column];
      for (let k = column; k < N; k++) c[row * N + k] -= factor * c[column * N + k];
      x[row] -= factor * x[column];
    }
  }
  for (let row = N - 1; row >= 0; row--) {
    let sum = x[row];
    for (let k = row + 1; k < N; k++) sum -= c[row * N + k] * x[k];
    x[row] = sum / c[row * N + row];
  }
}

export function run(rounds: i32): i32 {
  let result = 0.0;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < N * N; i++) {
      a[i] = ((i * 37 + round) % 101) as f64 / 17;
      b[i] = ((i * 53 + round) % 89) as f64 / 13;
    }
    multiply();
    solve();
    for (let i = 0; i < N; i++) result += x[i];
  }
  return (reinterpret<i64>(result) >> 20) as i32;
}
