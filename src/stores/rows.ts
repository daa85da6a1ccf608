import { canonicalJson } from '../core/canonical/canonical.ts';

/** The columns of rows as arrays, one an `unnest($n::type[])`: any number of rows in one statement. */
export function columns<Row>(rows: readonly Row[], ...pick: ((row: Row) => unknown)[]): unknown[][] {
  return pick.map((column) => rows.map(column));
}

/** JSON text of a column that may be NULL. */
export function json(value: unknown): string | null {
  return value === undefined ? null : canonicalJson(value);
}

/** The object without its members that are null or undefined: absent columns are absent members. */
export function present<T extends object>(row: { [K in keyof T]: T[K] | null | undefined }): T {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null && value !== undefined)) as T;
}

/** The only row of a statement that has one for certain. */
export function only<Row>(rows: readonly Row[]): Row {
  const row = rows[0];
  if (row === undefined) throw new TypeError('a statement that always has a row gave none');
  return row;
}
