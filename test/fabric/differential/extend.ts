import { ByteWriter } from '../../../src/core/wasm/bytes.ts';
import { SECTION } from '../../../src/fabric/guard/module.ts';
import { Reader } from '../../../src/fabric/guard/reader.ts';

const HEADER_BYTES = 8;
/** Sections in the order in which a module has them. */
const ORDER = [
  SECTION.type,
  SECTION.import,
  SECTION.function,
  SECTION.table,
  SECTION.memory,
  SECTION.global,
  SECTION.export,
  SECTION.start,
  SECTION.element,
  SECTION.dataCount,
  SECTION.code,
  SECTION.data,
];

/** One encoded item of a section. */
export type Item = ArrayLike<number>;

/**
 * The module with more items at the ends of its sections, for what `encodeModule` has no words for; an item's index is
 * its place behind those that are there. Where it gets data segments it also gets the section that counts them, without
 * which `memory.init` is not valid.
 */
export function extendModule(
  module: Uint8Array,
  extras: ReadonlyMap<number, readonly Item[]>,
): Uint8Array<ArrayBuffer> {
  const sections = new Map<number, Reader>();
  const reader = new Reader(module, HEADER_BYTES);
  while (!reader.done) sections.set(reader.byte(), reader.slice(reader.u32()));
  const out = new ByteWriter(module.length + 256).raw(module.subarray(0, HEADER_BYTES));
  const counts = new Map([...sections].map(([id, { bytes, at, end }]) => [id, new Reader(bytes, at, end).u32()]));
  for (const id of ORDER) {
    const section = sections.get(id);
    const items = extras.get(id) ?? [];
    if (id === SECTION.dataCount && extras.has(SECTION.data)) {
      const all = (counts.get(SECTION.data) ?? 0) + extras.get(SECTION.data)!.length;
      out.byte(id).vector(new ByteWriter().unsigned(all).view());
    }
    if (section === undefined && items.length === 0) continue;
    const body = new ByteWriter().unsigned((section?.u32() ?? 0) + items.length);
    if (section !== undefined) body.raw(section.bytes.subarray(section.at, section.end));
    for (const item of items) body.raw(item);
    out.byte(id).vector(body.view());
  }
  return out.finish();
}
