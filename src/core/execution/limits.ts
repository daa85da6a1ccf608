import { invalidInput } from '../../contracts/errors.ts';
import type { Problem } from '../../contracts/errors.ts';
import type { ExecutionLimits } from '../../contracts/records.ts';

/** Limits of an execution for which neither task type nor manifest say anything. */
export const DEFAULT_LIMITS: ExecutionLimits = {
  fuel: 50_000_000,
  memoryPages: 256,
  turns: 64,
  outputBytes: 65_536,
  stateBytes: 65_536,
  logBytes: 16_384,
  effectsPerTurn: 64,
  depth: 1024,
};

/** What no task type and no manifest can exceed. */
export const LIMIT_CEILINGS: ExecutionLimits = {
  fuel: 100_000_000_000,
  memoryPages: 4096,
  turns: 1_000_000,
  outputBytes: 4 * 1_048_576,
  stateBytes: 65_536,
  logBytes: 1_048_576,
  effectsPerTurn: 1024,
  depth: 4096,
};

const LIMIT_NAMES = Object.keys(LIMIT_CEILINGS) as (keyof ExecutionLimits)[];

/**
 * The limits in force: the strictest of ceilings, defaults or task type, and manifest. Throws `CHIMERA_INVALID_INPUT`
 * with every limit that is not a positive integer.
 */
export function effectiveLimits(...sources: readonly Partial<ExecutionLimits>[]): ExecutionLimits {
  const limits = { ...LIMIT_CEILINGS };
  const problems: Problem[] = [];
  for (const name of LIMIT_NAMES) {
    let limit: number | undefined;
    let bad = false;
    for (const source of sources) {
      const value = source[name];
      if (value === undefined) continue;
      bad ||= !Number.isSafeInteger(value) || value < 1;
      limit = Math.min(limit ?? value, value);
    }
    if (bad) problems.push({ path: `/${name}`, message: 'must be a positive integer' });
    limits[name] = Math.min(limits[name], limit ?? DEFAULT_LIMITS[name]);
  }
  if (problems.length > 0) throw invalidInput('limits', problems);
  return limits;
}
