import { stream } from '../../core/random/random.ts';

/** Directions beyond the wanted ones that the subspace carries along, and how often it is turned towards the largest. */
const SPARE = 8;
const ITERATIONS = 6;
/** One-sided Jacobi converges quadratically: matrices of this size are done after six to ten sweeps. */
const SWEEPS = 16;
/** What is left of a column after projection is noise below this share of it. */
const DEPENDENT = 1e-12;

/** M ≈ left · right, each singular value shared between both by its square root. */
export interface LowRankFactors {
  /** [rows, rank] */
  readonly left: Float64Array;
  /** [rank, columns] */
  readonly right: Float64Array;
}

/**
 * The best approximation of M [rows, columns] by a matrix of the given rank: a truncated singular value decomposition by subspace
 * iteration from a fixed random start (Halko, Martinsson and Tropp 2011, algorithms 4.4 and 5.1), the small one by one-sided
 * Jacobi (Hestenes 1958). All counts are fixed and all sums run in a fixed order: the same matrix gives the same factors. It is
 * exact, up to rounding, where the rank of M is at most `rank` + 8.
 */
export function lowRankFactors(matrix: Float64Array, rows: number, columns: number, rank: number): LowRankFactors {
  const width = Math.min(rank + SPARE, rows, columns);
  // The basis lies in rows: [width, rows].
  let basis = orthonormal(timesTransposed(start(width, columns), matrix, rows, columns), rows);
  for (let i = 0; i < ITERATIONS; i++) {
    const turned = orthonormal(times(basis, matrix, rows, columns), columns);
    basis = orthonormal(timesTransposed(turned, matrix, rows, columns), rows);
  }
  const projected = times(basis, matrix, rows, columns);
  // basis is turned as projected is, so that basisᵀ · projected stays what it is.
  diagonalise(projected, basis);
  const singular = projected.map(norm);
  const order = singular.map((_, i) => i).sort((i, j) => singular[j]! - singular[i]! || i - j);
  const left = new Float64Array(rows * rank);
  const right = new Float64Array(rank * columns);
  order.slice(0, rank).forEach((from, to) => {
    const root = Math.sqrt(singular[from]!);
    if (root === 0) return;
    for (let row = 0; row < rows; row++) left[row * rank + to] = basis[from]![row]! * root;
    for (let column = 0; column < columns; column++) right[to * columns + column] = projected[from]![column]! / root;
  });
  return { left, right };
}

const start = (width: number, columns: number): Float64Array[] =>
  Array.from({ length: width }, (_, index) => {
    const draw = stream('low-rank', 0, index, 'subspace');
    return Float64Array.from({ length: columns }, () => 2 * draw.uniform() - 1);
  });

/** Each vector v [columns] to M v [rows]. */
function timesTransposed(vectors: Float64Array[], matrix: Float64Array, rows: number, columns: number): Float64Array[] {
  return vectors.map((vector) => {
    const product = new Float64Array(rows);
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      for (let column = 0, at = row * columns; column < columns; column++, at++) sum += matrix[at]! * vector[column]!;
      product[row] = sum;
    }
    return product;
  });
}

/** Each vector v [rows] to Mᵀ v [columns]. */
function times(vectors: Float64Array[], matrix: Float64Array, rows: number, columns: number): Float64Array[] {
  return vectors.map((vector) => {
    const product = new Float64Array(columns);
    for (let row = 0; row < rows; row++) {
      const factor = vector[row]!;
      for (let column = 0, at = row * columns; column < columns; column++, at++)
        product[column]! += factor * matrix[at]!;
    }
    return product;
  });
}

/** Gram-Schmidt, twice for the sake of rounding. What depends on earlier vectors becomes 0. */
function orthonormal(vectors: Float64Array[], length: number): Float64Array[] {
  const done: Float64Array[] = [];
  for (const vector of vectors) {
    const size = norm(vector);
    for (let pass = 0; pass < 2; pass++) {
      for (const other of done) {
        const share = dot(vector, other);
        for (let i = 0; i < length; i++) vector[i]! -= share * other[i]!;
      }
    }
    const rest = norm(vector);
    done.push(rest > DEPENDENT * size ? vector.map((value) => value / rest) : vector.fill(0));
  }
  return done;
}

/** Rotates pairs of vectors until all are orthogonal, and `followers` with them. */
function diagonalise(vectors: Float64Array[], followers: Float64Array[]): void {
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (let i = 0; i < vectors.length; i++) {
      for (let j = i + 1; j < vectors.length; j++) {
        const [x, y] = [vectors[i]!, vectors[j]!];
        const product = dot(x, y);
        const [xx, yy] = [dot(x, x), dot(y, y)];
        if (Math.abs(product) <= Number.EPSILON * Math.sqrt(xx * yy)) continue;
        const ratio = (yy - xx) / (2 * product);
        const tangent = (ratio >= 0 ? 1 : -1) / (Math.abs(ratio) + Math.sqrt(1 + ratio * ratio));
        const cosine = 1 / Math.sqrt(1 + tangent * tangent);
        rotate(x, y, cosine, cosine * tangent);
        rotate(followers[i]!, followers[j]!, cosine, cosine * tangent);
      }
    }
  }
}

function rotate(x: Float64Array, y: Float64Array, cosine: number, sine: number): void {
  for (let i = 0; i < x.length; i++) {
    const [p, q] = [x[i]!, y[i]!];
    x[i] = cosine * p - sine * q;
    y[i] = sine * p + cosine * q;
  }
}

function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!;
  return sum;
}

const norm = (x: Float64Array): number => Math.sqrt(dot(x, x));
