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

/**
 * The limits in force: the strictest of ceilings, defaults or task type, and manifest. Throws `CHIMERA_INVALID_INPUT`
 * with every limit that is not a positive integer.
 */
export function effectiveLimits(...sources: readonly Partial<ExecutionLimits>[]): ExecutionLimits {
  const limits = { ...LIMIT_CEILINGS };
  const problems: Problem[] = [];
  for (const name of Object.keys(limits) as (keyof ExecutionLimits)[]) {
    const given = sources.map((source) => source[name]).filter((value) => value !== undefined);
    if (given.some((value) => !Number.isSafeInteger(value) || value < 1)) {
      problems.push({ path: `/${name}`, message: 'must be a positive integer' });
    }
    limits[name] = Math.min(limits[name], ...(given.length > 0 ? given : [DEFAULT_LIMITS[name]]));
  }
  if (problems.length > 0) throw invalidInput('limits', problems);
  return limits;
}
