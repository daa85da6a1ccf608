import type { GuardedModule } from '../guard/guard.ts';

type Exports = Readonly<Record<string, unknown>> & { readonly memory: WebAssembly.Memory };

/** Puts an instance back to what it was before its first instruction; false where it cannot, because its memory grew. */
export type Reset = () => boolean;

/**
 * Remembers an instance that has not run yet. Undefined where not everything that it can change is open to the host: see
 * {@link GuardedModule.resets}. Making an instance takes V8 tens of microseconds, most steps of an evolved program take fewer.
 */
export function createReset(exports: Exports, { resets }: Pick<GuardedModule, 'resets'>): Reset | undefined {
  if (resets === undefined) return undefined;
  const globals = resets.map((name) => exports[name] as WebAssembly.Global);
  const values = globals.map(({ value }) => value);
  // The payload of a NaN is lost on its way through JavaScript.
  if (values.some(Number.isNaN)) return undefined;
  const bytes = new Uint8Array(exports.memory.buffer);
  const size = bytes.length;
  const image = bytes.slice(0, usedBytes(bytes));
  return () => {
    const memory = new Uint8Array(exports.memory.buffer);
    if (memory.length !== size) return false;
    memory.fill(0, image.length);
    memory.set(image);
    globals.forEach((global, index) => (global.value = values[index]));
    return true;
  };
}

/** Up to the last byte that is not zero. */
function usedBytes(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}
