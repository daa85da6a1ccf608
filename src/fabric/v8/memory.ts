import { MEMORY_IMPORT } from '../guard/guard.ts';
import type { GuardedModule } from '../guard/guard.ts';

const PAGE = 65_536;
/** A larger memory is cheaper to get from the system, page by page as it is touched, than to wipe. */
export const WIPED_PAGES = 4;

/**
 * What an instance of a guarded module imports: a memory in which every byte is zero. A small one is wiped and given to the next
 * instance, since the system's calls for a new one, and the collector's for the old, take longer than most steps.
 */
export function createMemories({ memory }: Pick<GuardedModule, 'memory'>): () => object {
  if (memory === undefined) return () => ({});
  let last: WebAssembly.Memory | undefined;
  return () => {
    const again = memory.initial <= WIPED_PAGES && last?.buffer.byteLength === memory.initial * PAGE;
    if (again) new Uint8Array(last!.buffer).fill(0);
    else last = new WebAssembly.Memory(memory);
    return { [MEMORY_IMPORT.module]: { [MEMORY_IMPORT.name]: last! } };
  };
}
