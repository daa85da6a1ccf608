import type { JsonValue } from '../../../src/contracts/records.ts';
import type { EffectCall } from '../../../src/effects/answer.ts';

/** Under which keys it was called in this process, in order. */
export const calls: string[] = [];

/** Tells how many calls there were before: what no recording can be guessed from. */
export default function counting(input: JsonValue, { idempotencyKey }: EffectCall): JsonValue {
  calls.push(idempotencyKey);
  return { before: calls.length - 1, input };
}
