import { canonicalJson } from '../core/canonical/canonical.ts';
import { parseLimited } from '../core/validation/json-limits.ts';
import { isChimeraError } from '../contracts/errors.ts';
import { failure, type EffectAnswer } from './answer.ts';

const MAX_BYTES = 1_048_576;
const MAX_DEPTH = 64;

/** Why `value` is not JSON, or undefined. `budget` counts nodes: shared parts could make a small object a huge text. */
function problemOf(value: unknown, depth: number, budget: { nodes: number }): 'not JSON' | 'too large' | undefined {
  if (--budget.nodes < 0) return 'too large';
  switch (typeof value) {
    case 'string':
    case 'boolean':
    // As JSON has it: a member that is undefined is none.
    case 'undefined':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : 'not JSON';
    case 'object':
      break;
    default:
      return 'not JSON';
  }
  if (value === null) return undefined;
  if (depth === 0) return 'too large';
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== null && Object.getPrototypeOf(prototype) !== null) return 'not JSON';
  for (const inner of Object.values(value)) {
    const problem = problemOf(inner, depth - 1, budget);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/**
 * What foreign code returned, as an answer: plain JSON of at most 1 MiB and 64 levels, copied, so that nobody changes it later.
 * `undefined` stands for null.
 */
export function readOutput(whose: string, value: unknown = null): EffectAnswer {
  try {
    const problem = problemOf(value, MAX_DEPTH, { nodes: MAX_BYTES });
    if (problem === undefined) {
      const bytes = new TextEncoder().encode(canonicalJson(value));
      return { ok: true, body: parseLimited(bytes, { maxBytes: MAX_BYTES, maxDepth: MAX_DEPTH }) };
    }
    if (problem === 'not JSON') return failure('CHIMERA_INTERNAL', `${whose} answered what is not JSON`);
  } catch (error) {
    // A getter or a proxy that throws.
    if (!isChimeraError(error, 'CHIMERA_TOO_LARGE'))
      return failure('CHIMERA_INTERNAL', `${whose} answered what is not JSON`);
  }
  return failure('CHIMERA_TOO_LARGE', `${whose} answered more than ${MAX_BYTES} bytes or ${MAX_DEPTH} levels`);
}
