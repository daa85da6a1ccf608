import { hashOf } from '../../../src/core/canonical/canonical.ts';
import type { JsonValue } from '../../../src/contracts/records.ts';

/** Twenty characters and a line's end: a function of the number alone. */
export default function journalLine(input: JsonValue): JsonValue {
  return { line: `${hashOf(input).slice(0, 20)}\n` };
}
