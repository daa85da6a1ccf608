import { ByteWriter } from '../../../src/core/wasm/bytes.ts';
import { answering } from '../agents.ts';

export type Section = readonly [id: number, body: ArrayLike<number>];

const HEADER = [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0];
export const CORE = answering('1');
export const TYPES = 'chimera:agent/types@1.0.0';

/** A component of these sections. */
export function component(...sections: readonly Section[]): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter().raw(HEADER);
  for (const [id, body] of sections) out.byte(id).vector(body);
  return out.finish();
}
/** An import section of one item. */
export const imports = (name: string, ...kind: number[]): Section => [
  10,
  new ByteWriter().raw([1, 0]).name(name).raw(kind).finish(),
];
/** An export section of one function. */
export const exports = (name: string): Section => [11, new ByteWriter().raw([1, 0]).name(name).raw([1, 0, 0]).finish()];
