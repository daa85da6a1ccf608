import type { JsonValue } from '../../../src/contracts/records.ts';
import type { EffectCall } from '../../../src/effects/answer.ts';

interface Visitor {
  readonly name: string;
  open(): void;
}

/** Calls that wait at the gate, in the order in which they came; a test lets them in. */
export const visitors: Visitor[] = [];

/** Waits until a test opens, or until it is given up. */
export default function gate(input: JsonValue, { signal }: EffectCall): Promise<JsonValue> {
  const { name } = input as { name: string };
  return new Promise((resolve, reject) => {
    visitors.push({ name, open: () => resolve({ opened: name }) });
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
