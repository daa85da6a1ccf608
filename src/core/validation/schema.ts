import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormatsModule from 'ajv-formats';
import { invalidInput, type Problem } from '../../contracts/errors.ts';
import type { JsonObject, JsonValue } from '../../contracts/records.ts';
import { canonicalJson } from '../canonical/canonical.ts';
import { compilePattern } from './pattern.ts';
import { evaluationCost } from './schema-cost.ts';

/** A compiled schema: every problem of a value at once, none where it is valid. */
export type JsonValidator = (value: JsonValue) => Problem[];

const MAX_SCHEMA_BYTES = 256 * 1024;
const MAX_SCHEMA_DEPTH = 40;
const MAX_COST = 10_000;
const MAX_PROBLEMS = 100;
/** Values with more nodes get their first problem only: listing all of a huge one would cost more than the value. */
const MAX_LISTED_NODES = 20_000;
const FORMATS = [
  'date',
  'time',
  'date-time',
  'duration',
  'uri',
  'email',
  'hostname',
  'ipv4',
  'ipv6',
  'uuid',
  'json-pointer',
] as const;

// The package is CommonJS: its function is the default of the default.
const addFormats = addFormatsModule as unknown as typeof addFormatsModule.default;

/** ajv's hook for regular expressions; `code` is read for stand-alone output only, which nobody makes here. */
const regExp = Object.assign((pattern: string) => compilePattern(pattern), { code: 'compilePattern' });

function createAjv(allErrors: boolean): Ajv2020 {
  const ajv = new Ajv2020({
    allErrors,
    strict: true,
    strictTypes: false,
    strictRequired: false,
    allowUnionTypes: true,
    validateFormats: true,
    logger: false,
    code: { regExp },
  });
  addFormats(ajv, { formats: [...FORMATS], mode: 'fast' });
  // ajv compares objects pairwise, which is quadratic in what a stranger sends.
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    error: { message: 'must NOT have duplicate items' },
    validate: (unique: boolean, items: unknown[]) =>
      !unique || new Set(items.map((item) => canonicalJson(item))).size === items.length,
  });
  return ajv;
}

function depthOf(value: JsonValue, limit: number): number {
  if (typeof value !== 'object' || value === null || limit === 0) return 0;
  let deepest = 0;
  for (const inner of Object.values(value)) deepest = Math.max(deepest, depthOf(inner, limit - 1));
  return deepest + 1;
}

/** `$ref`s that leave the schema, identifiers, and patterns that the safe engine does not know, anywhere in it. */
function walkProblems(value: JsonValue, path: string, out: Problem[]): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    const at = `${path}/${key}`;
    if ((key === '$ref' || key === '$dynamicRef') && typeof inner === 'string' && !/^#(?:$|\/)/.test(inner)) {
      out.push({ path: at, message: 'only references within the schema (#/…) are followed' });
    } else if (
      ['$id', '$anchor', '$dynamicAnchor', '$dynamicRef', '$async'].includes(key) &&
      typeof inner !== 'object'
    ) {
      out.push({ path: at, message: 'is not supported' });
    } else if (key === 'pattern' && typeof inner === 'string') {
      patternProblem(inner, at, out);
    } else if (key === 'patternProperties' && typeof inner === 'object' && inner !== null) {
      for (const pattern of Object.keys(inner)) patternProblem(pattern, at, out);
    }
    walkProblems(inner, at, out);
  }
}

function patternProblem(pattern: string, path: string, out: Problem[]): void {
  try {
    compilePattern(pattern);
  } catch (error) {
    out.push({ path, message: error instanceof Error ? error.message : String(error) });
  }
}

/** What keeps `schema` from being used: too large, too deep, foreign references, unsafe patterns, not a schema. */
export function schemaProblems(schema: JsonObject): Problem[] {
  const length = JSON.stringify(schema).length;
  if (length > MAX_SCHEMA_BYTES) {
    return [{ path: '', message: `a schema of ${length} characters; the limit is ${MAX_SCHEMA_BYTES}` }];
  }
  if (depthOf(schema, MAX_SCHEMA_DEPTH + 1) > MAX_SCHEMA_DEPTH) {
    return [{ path: '', message: `a schema may nest ${MAX_SCHEMA_DEPTH} levels` }];
  }
  const problems: Problem[] = [];
  walkProblems(schema, '', problems);
  if (problems.length > 0) return problems;
  const cost = evaluationCost(schema, MAX_COST);
  if (cost > MAX_COST) {
    return [{ path: '', message: 'its references and combinations would take too long to evaluate, or never end' }];
  }
  const ajv = createAjv(true);
  if (ajv.validateSchema(schema) !== true) return (ajv.errors ?? []).map(problemOf);
  try {
    ajv.compile(schema);
  } catch (error) {
    return [{ path: '', message: error instanceof Error ? error.message : String(error) }];
  }
  return [];
}

function problemOf(error: ErrorObject): Problem {
  const { keyword, params, instancePath, message = 'is not valid' } = error;
  switch (keyword) {
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return {
        path: instancePath,
        message: `${message}: ${String(params['additionalProperty'] ?? params['unevaluatedProperty'])}`,
      };
    case 'enum':
      return {
        path: instancePath,
        message: `${message}: ${(params['allowedValues'] as unknown[]).map((v) => JSON.stringify(v)).join(', ')}`,
      };
    case 'const':
      return { path: instancePath, message: `${message}: ${JSON.stringify(params['allowedValue'])}` };
    default:
      return { path: instancePath, message };
  }
}

function countNodes(value: JsonValue, limit: number): number {
  if (typeof value !== 'object' || value === null) return 1;
  let count = 1;
  for (const inner of Object.values(value)) {
    count += countNodes(inner, limit - count);
    if (count > limit) break;
  }
  return count;
}

function run(validate: ValidateFunction, value: JsonValue): Problem[] {
  try {
    if (validate(value)) return [];
  } catch (error) {
    // A pattern whose text is too long for it, or references that recurse with the value beyond the stack.
    return [{ path: '', message: error instanceof Error ? error.message : String(error) }];
  }
  return (validate.errors ?? []).slice(0, MAX_PROBLEMS).map(problemOf);
}

/**
 * Compiles a JSON Schema 2020-12 from outside. Throws `CHIMERA_INVALID_INPUT` with every problem of the schema. The validator never throws;
 * it lists at most 100 problems, and for a value of more than 20,000 nodes the first one only.
 */
export function compileJsonSchema(schema: JsonObject, what: string = 'the schema'): JsonValidator {
  const problems = schemaProblems(schema);
  if (problems.length > 0) throw invalidInput(what, problems);
  const quick = createAjv(false).compile(schema);
  let thorough: ValidateFunction | undefined;
  return (value) => {
    const first = run(quick, value);
    if (first.length === 0 || countNodes(value, MAX_LISTED_NODES) > MAX_LISTED_NODES) return first;
    thorough ??= createAjv(true).compile(schema);
    return run(thorough, value);
  };
}

const compiled = new Map<string, JsonValidator>();
const MAX_COMPILED = 256;

/** {@link compileJsonSchema} for a single value; compiling takes long, so the last schemas are remembered by content. */
export function validateJson(schema: JsonObject, value: JsonValue): Problem[] {
  const content = canonicalJson(schema);
  let validator = compiled.get(content);
  if (validator === undefined) {
    validator = compileJsonSchema(schema);
    if (compiled.size >= MAX_COMPILED) compiled.clear();
    compiled.set(content, validator);
  }
  return validator(value);
}
