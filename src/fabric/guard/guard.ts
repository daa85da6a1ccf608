import { sha256Hex } from '../../core/canonical/canonical.ts';
import { ByteWriter } from '../../core/wasm/bytes.ts';
import { checkAbi } from './abi.ts';
import { coreModuleOf, isComponent } from './component.ts';
import { meterFunction } from './meter.ts';
import { SECTION, functionBodies, parseModule } from './module.ts';
import type { FunctionType, ParsedModule } from './module.ts';
import { planFunction } from './plan.ts';
import { PRICES, PRICE_VERSION } from './prices.ts';
import { refuse } from './refusal.ts';

export interface GuardOptions {
  /** Pages of 64 KiB that the memory may reach. */
  readonly memoryPages: number;
  /** Elements that all tables and element segments may have together. Default 10,000. */
  readonly tableElements?: number;
  /** Bytes of the module. Default 4 MiB. */
  readonly moduleBytes?: number;
  /** `agent` (default): the exports of `wit/agent.wit` and no others. `any`: whatever it exports, for test suites. */
  readonly abi?: 'agent' | 'any';
}

export interface GuardedModule {
  /** The rewritten module: safe to compile, metered, without custom sections. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** SHA-256 of the original, component or module: its name. */
  readonly sha256: string;
  /** Version of the price table that its fuel is counted in. */
  readonly priceVersion: number;
  readonly exports: readonly string[];
  /** Fuel that a fresh instance costs before its first instruction. */
  readonly instanceFuel: number;
  /** The memory, in pages, that an instance is to be given as {@link MEMORY_IMPORT}; absent where the module has none. */
  readonly memory?: { readonly initial: number; readonly maximum: number };
  /**
   * The exports under which all of its mutable globals lie open. Where this is there, memory and these are all that an instance
   * can change: whoever puts them back has a fresh instance again.
   */
  readonly resets?: readonly string[];
}

/** The only import of a guarded module: its own memory, so that the host need not make a new one for every instance. */
export const MEMORY_IMPORT = { module: 'chimera', name: 'memory' } as const;

/** Names of the counters among the exports; an agent cannot export them, its names are allow-listed. */
export const FUEL_EXPORT = 'chimera:fuel';
export const DEPTH_EXPORT = 'chimera:depth';
const globalExport = (index: number): string => `chimera:global-${index}`;

/** More globals than this are not put back one by one. */
const MOST_RESETS = 16;

/** Elements that tables may have where nobody says. */
export const DEFAULT_TABLE_ELEMENTS = 10_000;
const DEFAULT_MODULE_BYTES = 4 * 1_048_576;

/**
 * Makes an untrusted module safe to run; of a component it takes the one core module. Parses it whole against an
 * allow-list (MVP, bulk memory, sign extension, multi-value, saturating conversions, reference types, fixed SIMD; no
 * imports, no start section, no other exports than the ABI's), caps memory and tables, injects fuel and call depth, and makes
 * NaNs canonical where their bits can be seen. A call that ends without a trap costs the sum of the prices of the
 * instructions that it ran, to the unit; at a trap the counter says only whether it was the fuel or the depth that ran
 * out. Both the original and the result must be valid for the engine: the first so that no index of the original can
 * reach what is appended, the second as a check of this rewriter. Deterministic: the same bytes and options give the same
 * result on every machine.
 * Throws `CHIMERA_AGENT_REFUSED` with the rule in `details.rule`.
 */
export function guardModule(original: Uint8Array, options: GuardOptions): GuardedModule {
  const limit = options.moduleBytes ?? DEFAULT_MODULE_BYTES;
  if (original.length > limit) refuse('too-large', `${original.length} bytes, the limit is ${limit}`);
  const bytes = new Uint8Array(isComponent(original) ? coreModuleOf(original) : original);
  const anyAbi = options.abi === 'any';
  const module = parseModule(
    bytes,
    { memoryPages: options.memoryPages, tableElements: options.tableElements ?? DEFAULT_TABLE_ELEMENTS },
    anyAbi ? 100_000 : undefined,
  );
  const kept = anyAbi ? module.exports : checkAbi(module);
  const resets = resettable(module);
  const rewritten = rewrite(module, kept, resets ?? []);
  if (!WebAssembly.validate(bytes)) refuse('invalid', 'the engine does not accept the module');
  if (!WebAssembly.validate(rewritten)) refuse('invalid', 'the metered module does not validate');
  return {
    bytes: rewritten,
    sha256: sha256Hex(original),
    priceVersion: PRICE_VERSION,
    exports: kept.map(({ name }) => name),
    instanceFuel: module.instanceFuel,
    ...(module.memory === undefined ? {} : { memory: { initial: module.memory.min, maximum: module.memory.max } }),
    ...(resets === undefined ? {} : { resets: resets.map(globalExport) }),
  };
}

/** The mutable globals, where nothing but them and the memory can change: no table, no segment that could be dropped. */
function resettable({ globals, tables, sections }: ParsedModule): number[] | undefined {
  const mutable = globals.flatMap((global, index) => (global.mutable ? [index] : []));
  const plain = mutable.every((index) => NUMBERS.has(globals[index]!.type));
  const fixed = tables.length === 0 && !sections.has(SECTION.dataCount);
  return plain && fixed && mutable.length <= MOST_RESETS ? mutable : undefined;
}

/** i32, i64, f32, f64: types whose values the host can read and write. */
const NUMBERS: ReadonlySet<number> = new Set([0x7f, 0x7e, 0x7d, 0x7c]);

const name = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Section bodies in the order of the binary format, those that the meter needs made where the original has none. */
function rewrite(
  module: ParsedModule,
  exports: ParsedModule['exports'],
  resets: readonly number[],
): Uint8Array<ArrayBuffer> {
  const { types, functions, globals } = module;
  const extraTypes: FunctionType[] = [{ params: [0x7f], results: [0x7f] }];
  const counters = {
    fuel: globals.length,
    depth: globals.length + 1,
    charge: { pages: functions.length, bytes: functions.length + 1, elements: functions.length + 2 },
    resultType: (results: readonly number[]): number => {
      const key = results.join();
      let index = extraTypes.findIndex((type) => type.params.length === 0 && type.results.join() === key);
      if (index < 0) index = extraTypes.push({ params: [], results }) - 1;
      return types.length + index;
    },
  };
  const code = new ByteWriter(module.sections.get(SECTION.code)?.bytes.length ?? 1024).unsigned(functions.length + 3);
  const one = new ByteWriter(4096);
  const exported = new Set(exports.filter(({ kind }) => kind === 0).map((entry) => entry.index));
  let index = 0;
  for (const body of functionBodies(module)) {
    const type = types[functions[index++]!];
    if (type === undefined) return refuse('malformed', `function ${index - 1} has an unknown type`);
    const plan = planFunction(body, type, types, functions);
    meterFunction(one.clear(), { body, type, plan, exported: exported.has(index - 1) }, counters);
    code.vector(one.view());
  }
  if (index !== functions.length) refuse('malformed', 'there are functions without a body');
  code.vector(chargeFunction(counters.fuel, (out) => out.byte(0xad).byte(0x42).signed(PRICES.page).byte(0x7e)));
  code.vector(chargeFunction(counters.fuel, (out) => out.byte(0x41).signed(PRICES.bulkShift).byte(0x76).byte(0xad)));
  code.vector(chargeFunction(counters.fuel, (out) => out.byte(0xad).byte(0x42).signed(PRICES.element).byte(0x7e)));

  const out = new ByteWriter(code.length + 4096).raw([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const part = new ByteWriter(4096);
  const emit = (id: number, write: () => void): void => {
    part.clear();
    write();
    out.byte(id).vector(part.view());
  };
  const copy = (id: number): void => {
    const section = module.sections.get(id);
    if (section !== undefined) out.byte(id).vector(section.bytes.subarray(section.at, section.end));
  };
  /** The original's items behind a new count. */
  const items = (id: number, count: number, extra: number): void => {
    part.unsigned(count + extra);
    const section = module.sections.get(id);
    if (section === undefined) return;
    let at = section.at;
    while (section.bytes[at]! >= 0x80) at++;
    part.raw(section.bytes.subarray(at + 1, section.end));
  };
  emit(SECTION.type, () => {
    items(SECTION.type, types.length, extraTypes.length);
    for (const type of extraTypes) part.byte(0x60).vector(type.params).vector(type.results);
  });
  if (module.memory !== undefined) {
    const { min, max } = module.memory;
    emit(SECTION.import, () => {
      part.byte(1).vector(name(MEMORY_IMPORT.module)).vector(name(MEMORY_IMPORT.name));
      part.byte(2).byte(1).unsigned(min).unsigned(max);
    });
  }
  emit(SECTION.function, () => {
    items(SECTION.function, functions.length, 3);
    for (let i = 0; i < 3; i++) part.unsigned(types.length);
  });
  if (module.tables.length > 0) {
    emit(SECTION.table, () => {
      part.unsigned(module.tables.length);
      for (const { type, min, max } of module.tables) part.byte(type).byte(1).unsigned(min).unsigned(max);
    });
  }
  emit(SECTION.global, () => {
    items(SECTION.global, globals.length, 2);
    part.raw([0x7e, 1, 0x42, 0, 0x0b, 0x7e, 1, 0x42, 0, 0x0b]);
  });
  emit(SECTION.export, () => {
    part.unsigned(exports.length + 2 + resets.length);
    for (const entry of exports) part.vector(name(entry.name)).byte(entry.kind).unsigned(entry.index);
    part.vector(name(FUEL_EXPORT)).byte(3).unsigned(counters.fuel);
    part.vector(name(DEPTH_EXPORT)).byte(3).unsigned(counters.depth);
    for (const index of resets)
      part
        .vector(name(globalExport(index)))
        .byte(3)
        .unsigned(index);
  });
  copy(SECTION.element);
  copy(SECTION.dataCount);
  out.byte(SECTION.code).vector(code.view());
  copy(SECTION.data);
  return out.finish();
}

/** (n: i32) -> n that takes `price(n)`, an i64, from the fuel and traps where none is left. */
function chargeFunction(fuel: number, price: (out: ByteWriter) => void): Uint8Array {
  const out = new ByteWriter(64).byte(0).byte(0x23).unsigned(fuel).raw([0x20, 0]);
  price(out);
  out.byte(0x7d).byte(0x24).unsigned(fuel);
  return out.byte(0x23).unsigned(fuel).raw([0x42, 0, 0x53, 0x04, 0x40, 0, 0x0b, 0x20, 0, 0x0b]).view();
}
