/**
 * A list as it passes between processes. Node's serialisation writes the names of an object's members again for every
 * object, and calls back into JavaScript for every typed array; a batch is many alike, so it goes as columns instead.
 */
export type Column =
  | { readonly kind: 'plain'; readonly values: readonly unknown[] }
  /** One value, as often as the list is long. */
  | { readonly kind: 'same'; readonly value: unknown }
  | { readonly kind: 'empty' }
  | { readonly kind: 'numbers'; readonly values: Float64Array }
  | { readonly kind: 'doubles'; readonly values: Float64Array; readonly lengths: Uint32Array }
  | { readonly kind: 'rows'; readonly names: readonly string[]; readonly columns: readonly Column[] };

/** Objects in objects that become columns; what lies deeper goes as it is. */
const MOST_LEVELS = 4;
const MOST_NAMES = 64;
/** A list of fewer costs more as columns, in bytes and in garbage, than it saves. */
const FEW = 4;

/** A list of what `structuredClone` can clone, packed. {@link unpackList} gives what that would. */
export function packList(values: readonly unknown[], levels = MOST_LEVELS): Column {
  if (values.length < FEW) return { kind: 'plain', values };
  const [first] = values;
  switch (typeof first) {
    case 'number':
      return values.every((value) => typeof value === 'number')
        ? { kind: 'numbers', values: Float64Array.from(values as number[]) }
        : { kind: 'plain', values };
    case 'object':
      if (first === null) break;
      if (first instanceof Float64Array) return packDoubles(values);
      if (Array.isArray(first)) return values.every(isEmptyList) ? { kind: 'empty' } : { kind: 'plain', values };
      return packRows(values, Object.keys(first), levels);
    default:
  }
  return values.every((value) => value === first) ? { kind: 'same', value: first } : { kind: 'plain', values };
}

const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

function packDoubles(values: readonly unknown[]): Column {
  if (!values.every((value) => value instanceof Float64Array)) return { kind: 'plain', values };
  const lengths = Uint32Array.from(values, ({ length }) => length);
  const all = new Float64Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const list of values) {
    all.set(list, at);
    at += list.length;
  }
  return { kind: 'doubles', values: all, lengths };
}

/** Plain objects with the same names in the same order, else the list as it is. */
function packRows(values: readonly unknown[], names: readonly string[], levels: number): Column {
  if (levels === 0 || !areNames(names) || !values.every((value) => hasNames(value, names)))
    return { kind: 'plain', values };
  const rows = values as Record<string, unknown>[];
  const columns = names.map((name) =>
    packList(
      rows.map((row) => row[name]),
      levels - 1,
    ),
  );
  return { kind: 'rows', names, columns };
}

/** Members that can be set one by one; a name that is none would be anything at all. */
function areNames(names: unknown): names is readonly string[] {
  const few = Array.isArray(names) && names.length <= MOST_NAMES;
  return few && names.every((name) => typeof name === 'string' && name !== '__proto__');
}

function hasNames(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return false;
  let at = 0;
  for (const name in value) if (names[at++] !== name) return false;
  return at === names.length;
}

/**
 * The list of `length` values that was packed. Believes nothing of it, since a process that runs agents may have made it:
 * whatever it is, the answer has that many values, and there are no more bytes than came in times that number.
 * @throws {TypeError} where it is nothing that {@link packList} makes
 */
export function unpackList(column: Column, length: number, levels = MOST_LEVELS): unknown[] {
  switch (column.kind) {
    case 'plain':
      if (!Array.isArray(column.values) || column.values.length !== length) break;
      return column.values;
    case 'same':
      return new Array<unknown>(length).fill(column.value);
    case 'empty':
      return Array.from({ length }, () => []);
    case 'numbers':
      if (!(column.values instanceof Float64Array) || column.values.length !== length) break;
      return Array.from(column.values);
    case 'doubles': {
      const { values, lengths } = column;
      if (!(values instanceof Float64Array && lengths instanceof Uint32Array) || lengths.length !== length) break;
      let at = 0;
      return Array.from(lengths, (size) => values.subarray(at, (at += size)));
    }
    case 'rows': {
      const { names, columns } = column;
      if (levels === 0 || !areNames(names)) break;
      const lists = names.map((_, index) => unpackList(columns[index]!, length, levels - 1));
      return Array.from({ length }, (_, row) => {
        const made: Record<string, unknown> = {};
        for (let index = 0; index < lists.length; index++) made[names[index]!] = lists[index]![row];
        return made;
      });
    }
  }
  throw new TypeError('this is no packed list');
}
