import { ByteWriter } from '../../core/wasm/bytes.ts';
import { MEMORY_IMPORT } from '../guard/guard.ts';
import { SECTION } from '../guard/module.ts';
import { Reader } from '../guard/reader.ts';

const HEADER_BYTES = 8;
const MEMORY = 2;

/**
 * The same guarded module with a memory of its own in place of the imported one. V8 is given a memory, since making one is
 * what costs there; wasmtime's pool has one ready, but only for a memory that a module declares. Indices do not change: the
 * memory is number 0 either way.
 */
export function withOwnMemory(guarded: Uint8Array): Uint8Array<ArrayBuffer> {
  const reader = new Reader(guarded, HEADER_BYTES);
  const out = new ByteWriter(guarded.length).raw(guarded.subarray(0, HEADER_BYTES));
  let memory: Uint8Array | undefined;
  while (!reader.done) {
    const id = reader.byte();
    const body = reader.slice(reader.u32());
    if (id === SECTION.import) {
      memory = importedLimits(body);
      continue;
    }
    if (memory !== undefined && id > SECTION.memory) {
      out.byte(SECTION.memory).vector(memory);
      memory = undefined;
    }
    out.byte(id).vector(body.bytes.subarray(body.at, body.end));
  }
  return out.finish();
}

/** The body of a memory section with the limits of the one import. */
function importedLimits(body: Reader): Uint8Array {
  const count = body.u32();
  const names = [body.name(), body.name()];
  if (count !== 1 || names[0] !== MEMORY_IMPORT.module || names[1] !== MEMORY_IMPORT.name || body.byte() !== MEMORY) {
    throw new TypeError('a guarded module imports its memory and nothing else');
  }
  return Uint8Array.of(1, ...body.bytes.subarray(body.at, body.end));
}
