import { ChimeraError } from '../../contracts/errors.ts';

/** Why a module is refused: one word per wall, stable, so that tests, docs and counts can name it. */
export type RefusalRule =
  | 'malformed'
  | 'invalid'
  | 'component'
  | 'too-large'
  | 'limit'
  | 'import'
  | 'export'
  | 'abi'
  | 'start'
  | 'memory'
  | 'table'
  | 'unknown-section'
  | 'unknown-opcode'
  | 'extended-const'
  | 'exceptions'
  | 'function-references'
  | 'gc'
  | 'memory64'
  | 'multi-memory'
  | 'relaxed-simd'
  | 'tail-calls'
  | 'threads';

/** `CHIMERA_AGENT_REFUSED` with the rule in `details.rule`. */
export function refuse(rule: RefusalRule, why: string): never {
  throw new ChimeraError('CHIMERA_AGENT_REFUSED', { why: `${rule}: ${why}`, rule });
}
