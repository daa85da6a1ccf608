import { ByteWriter } from './bytes.ts';
import { Code } from './code.ts';

/** One function: its type, its locals beyond the parameters (one value type each) and its instructions. */
export interface FunctionSpec {
  readonly params: readonly number[];
  readonly results: readonly number[];
  readonly locals?: readonly number[];
  /** Without the closing `end`. */
  readonly code: Code | ArrayLike<number>;
  /** Exported under this name. */
  readonly export?: string;
}

/** Sizes in pages (64 KiB) or table elements. */
export interface LimitsSpec {
  readonly min: number;
  readonly max?: number;
  readonly export?: string;
}

export interface GlobalSpec {
  readonly type: number;
  readonly mutable: boolean;
  /** The constant initial value, without the closing `end`. */
  readonly init: Code | ArrayLike<number>;
  readonly export?: string;
}

export interface DataSpec {
  readonly offset: number;
  readonly bytes: ArrayLike<number>;
}

/** A module without imports. Function, global and table indices are positions in these lists. */
export interface ModuleSpec {
  readonly functions: readonly FunctionSpec[];
  readonly memory?: LimitsSpec;
  readonly table?: LimitsSpec & { readonly elements?: readonly number[] };
  readonly globals?: readonly GlobalSpec[];
  readonly data?: readonly DataSpec[];
}

const instructions = (code: Code | ArrayLike<number>): ArrayLike<number> =>
  code instanceof Code ? code.finish() : code;

function limits(out: ByteWriter, spec: LimitsSpec): void {
  out.byte(spec.max === undefined ? 0 : 1).unsigned(spec.min);
  if (spec.max !== undefined) out.unsigned(spec.max);
}

function section<T>(out: ByteWriter, id: number, items: readonly T[], each: (body: ByteWriter, item: T) => void): void {
  if (items.length === 0) return;
  const body = new ByteWriter(1024).unsigned(items.length);
  for (const item of items) each(body, item);
  out.byte(id).vector(body.view());
}

/** Run-length form of locals, as the code section wants it: (count, type) pairs. */
function localRuns(locals: readonly number[]): [count: number, type: number][] {
  const runs: [number, number][] = [];
  for (const type of locals) {
    const last = runs.at(-1);
    if (last?.[1] === type) last[0]++;
    else runs.push([1, type]);
  }
  return runs;
}

/**
 * The bytes of a core module (WebAssembly core specification, section 5.5). The same spec always gives the same bytes.
 * Types are shared between functions of the same signature and stand in order of first use.
 */
export function encodeModule(spec: ModuleSpec): Uint8Array<ArrayBuffer> {
  const types = new Map<string, { index: number; of: FunctionSpec }>();
  const typeOf = (f: FunctionSpec): number => {
    const key = `${f.params.join()}>${f.results.join()}`;
    const known = types.get(key) ?? { index: types.size, of: f };
    types.set(key, known);
    return known.index;
  };
  const typeIndices = spec.functions.map(typeOf);
  const exports: [name: string, kind: number, index: number][] = [];
  const exported = (kind: number, index: number, name: string | undefined): void => {
    if (name !== undefined) exports.push([name, kind, index]);
  };
  spec.functions.forEach((f, index) => exported(0, index, f.export));
  exported(1, 0, spec.table?.export);
  exported(2, 0, spec.memory?.export);
  spec.globals?.forEach((g, index) => exported(3, index, g.export));

  const out = new ByteWriter(1024).raw([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  section(out, 1, [...types.values()], (body, { of }) => body.byte(0x60).vector(of.params).vector(of.results));
  section(out, 3, typeIndices, (body, index) => body.unsigned(index));
  section(out, 4, spec.table ? [spec.table] : [], (body, table) => limits(body.byte(0x70), table));
  section(out, 5, spec.memory ? [spec.memory] : [], limits);
  section(out, 6, spec.globals ?? [], (body, g) =>
    body
      .byte(g.type)
      .byte(g.mutable ? 1 : 0)
      .raw(instructions(g.init))
      .byte(0x0b),
  );
  section(out, 7, exports, (body, [name, kind, index]) => body.name(name).byte(kind).unsigned(index));
  section(out, 9, spec.table?.elements ? [spec.table.elements] : [], (body, elements) => {
    body.raw([0, 0x41, 0, 0x0b]).unsigned(elements.length);
    for (const index of elements) body.unsigned(index);
  });
  section(out, 10, spec.functions, (body, f) => {
    const runs = localRuns(f.locals ?? []);
    const code = new ByteWriter().unsigned(runs.length);
    for (const [count, type] of runs) code.unsigned(count).byte(type);
    body.vector(code.raw(instructions(f.code)).byte(0x0b).view());
  });
  section(out, 11, spec.data ?? [], (body, { offset, bytes }) =>
    body
      .byte(0)
      .byte(0x41)
      .signed(offset | 0)
      .byte(0x0b)
      .vector(bytes),
  );
  return out.finish();
}
