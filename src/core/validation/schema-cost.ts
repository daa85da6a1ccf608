import type { JsonObject, JsonValue } from '../../contracts/records.ts';

/** Schemas that apply to the same place of the value as the schema they stand in. */
const IN_PLACE_LISTS = ['allOf', 'anyOf', 'oneOf'];
const IN_PLACE = ['not', 'if', 'then', 'else'];
const IN_PLACE_MAPS = ['dependentSchemas'];
/** Schemas that apply one level further down. */
const BELOW = [
  'items',
  'contains',
  'additionalProperties',
  'unevaluatedProperties',
  'unevaluatedItems',
  'propertyNames',
];
/** How deep in the value the cost is followed: twice the default depth of a payload would not change the verdict. */
const LEVELS = 20;

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function resolve(root: JsonObject, reference: string): JsonValue | undefined {
  let at: JsonValue | undefined = root;
  for (const raw of reference.slice(1).split('/').slice(1)) {
    const key = decodeURIComponent(raw.replace(/%(?![0-9a-fA-F]{2})/g, '%25'))
      .replaceAll('~1', '/')
      .replaceAll('~0', '~');
    if (typeof at !== 'object' || at === null) return undefined;
    at = Array.isArray(at) ? at[Number(key)] : Object.hasOwn(at, key) ? at[key] : undefined;
  }
  return at;
}

/**
 * An upper bound of how many schemas are evaluated for one path through a value, where different properties are different paths. It is what a
 * stranger's schema can make grow without bound: references that double at each step, or that come back to
 * themselves at the same place (Infinity). Counting stops above `limit`.
 */
export function evaluationCost(root: JsonObject, limit: number): number {
  const known = new Map<JsonValue, number[]>();
  const open = new Set<string>();
  const ids = new Map<JsonValue, number>();

  const cost = (schema: JsonValue | undefined, levels: number): number => {
    if (!isObject(schema)) return 1;
    const costs = known.get(schema) ?? [];
    known.set(schema, costs);
    const cached = costs[levels];
    if (cached !== undefined) return cached;
    if (!ids.has(schema)) ids.set(schema, ids.size);
    const mark = `${ids.get(schema)}:${levels}`;
    if (open.has(mark)) return Infinity;
    open.add(mark);
    const total = sum(schema, levels);
    open.delete(mark);
    costs[levels] = total;
    return total;
  };

  const sum = (schema: JsonObject, levels: number): number => {
    let total = 1;
    const add = (value: JsonValue | undefined, at: number): void => {
      if (value !== undefined && total <= limit) total += cost(value, at);
    };
    const reference = schema['$ref'];
    if (typeof reference === 'string') add(resolve(root, reference), levels);
    for (const key of IN_PLACE) add(schema[key], levels);
    for (const key of IN_PLACE_LISTS) {
      const list = schema[key];
      if (Array.isArray(list)) for (const inner of list) add(inner, levels);
    }
    for (const key of IN_PLACE_MAPS) {
      const map = schema[key];
      if (isObject(map)) for (const inner of Object.values(map)) add(inner, levels);
    }
    if (levels === 0) return total;
    for (const key of BELOW) add(schema[key], levels - 1);
    const patterns = schema['patternProperties'];
    if (isObject(patterns)) for (const inner of Object.values(patterns)) add(inner, levels - 1);
    const items = schema['prefixItems'];
    if (Array.isArray(items)) total += largest(items, levels - 1);
    const properties = schema['properties'];
    if (isObject(properties)) total += largest(Object.values(properties), levels - 1);
    return total;
  };

  const largest = (schemas: readonly JsonValue[], levels: number): number =>
    schemas.reduce<number>((top, schema) => Math.max(top, cost(schema, levels)), 0);

  return cost(root, LEVELS);
}
