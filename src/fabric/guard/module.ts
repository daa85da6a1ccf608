import { hex, readValueType, skipConstantExpression } from './instruction.ts';
import { PRICES } from './prices.ts';
import { Reader } from './reader.ts';
import { refuse } from './refusal.ts';

/** What a module may hold at most; beyond that it is refused before any work is done for it. */
export const CEILINGS = {
  types: 20_000,
  params: 256,
  results: 16,
  functions: 50_000,
  tables: 8,
  globals: 4096,
  exports: 64,
  segments: 10_000,
  locals: 4096,
  functionBytes: 1_048_576,
  nesting: 512,
} as const;

export const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
  tag: 13,
} as const;

export interface FunctionType {
  readonly params: readonly number[];
  readonly results: readonly number[];
}

export interface Limits {
  readonly min: number;
  readonly max: number;
}

export interface Export {
  readonly name: string;
  readonly kind: number;
  readonly index: number;
}

export interface GlobalType {
  readonly type: number;
  readonly mutable: boolean;
}

/** A parsed module: what the rewriter and the ABI check need to know. */
export interface ParsedModule {
  readonly sections: ReadonlyMap<number, Reader>;
  readonly types: readonly FunctionType[];
  /** Type index of each function. */
  readonly functions: readonly number[];
  readonly tables: readonly (Limits & { readonly type: number })[];
  readonly memory: Limits | undefined;
  readonly globals: readonly GlobalType[];
  readonly exports: readonly Export[];
  /** Fuel of making a fresh instance: memory, tables, segments. */
  readonly instanceFuel: number;
}

export interface ModuleLimits {
  readonly memoryPages: number;
  readonly tableElements: number;
}

function splitSections(bytes: Uint8Array): Map<number, Reader> {
  const reader = new Reader(bytes);
  const header = reader.slice(Math.min(8, bytes.length)).bytes;
  if (bytes.length < 8 || header[0] !== 0 || header[1] !== 0x61 || header[2] !== 0x73 || header[3] !== 0x6d) {
    refuse('malformed', 'this is not a WebAssembly module');
  }
  if (header[6] === 1) refuse('component', 'a component inside of a component');
  if (header[4] !== 1 || header[5] !== 0 || header[6] !== 0 || header[7] !== 0) {
    refuse('malformed', 'unknown version of the binary format');
  }
  const sections = new Map<number, Reader>();
  while (!reader.done) {
    const id = reader.byte();
    const body = reader.slice(reader.u32());
    if (id === SECTION.custom) continue;
    if (id === SECTION.tag) refuse('exceptions', 'the module has a tag section');
    if (id === SECTION.start) refuse('start', 'the module has a start section; export a function instead');
    if (id > SECTION.tag) refuse('unknown-section', `section ${id}`);
    if (sections.has(id)) refuse('malformed', `section ${id} occurs twice`);
    sections.set(id, body);
  }
  return sections;
}

function readTypes(reader: Reader): FunctionType[] {
  const types: FunctionType[] = [];
  const list = (what: string, limit: number): number[] =>
    Array.from({ length: reader.count(what, limit) }, () => readValueType(reader));
  for (let left = reader.count('types', CEILINGS.types); left > 0; left--) {
    const form = reader.byte();
    if (form !== 0x60) refuse('gc', `type form ${hex(form)}`);
    types.push({ params: list('parameters', CEILINGS.params), results: list('results', CEILINGS.results) });
  }
  return types;
}

function readLimits(reader: Reader, what: 'memory' | 'table', cap: number): Limits {
  const flags = reader.byte();
  if ((flags & 4) !== 0) refuse('memory64', `a 64-bit ${what}`);
  if ((flags & 2) !== 0) refuse('threads', `a shared ${what}`);
  if (flags > 1) refuse('malformed', `limits flag ${hex(flags)}`);
  const min = reader.u32();
  const max = flags === 1 ? reader.u32() : Infinity;
  if (min > cap) refuse(what, `starts with ${min} ${what === 'memory' ? 'pages' : 'elements'}, the limit is ${cap}`);
  return { min, max: Math.min(max, cap) };
}

function readTables(reader: Reader, cap: number): ParsedModule['tables'] {
  const tables: (Limits & { type: number })[] = [];
  for (let left = reader.count('tables', CEILINGS.tables); left > 0; left--) {
    const type = reader.byte();
    if (type !== 0x70 && type !== 0x6f) refuse('gc', `table of type ${hex(type)}`);
    tables.push({ ...readLimits(reader, 'table', cap), type });
  }
  const total = tables.reduce((sum, { min }) => sum + min, 0);
  if (total > cap) refuse('table', `tables start with ${total} elements together, the limit is ${cap}`);
  return tables;
}

function readGlobals(reader: Reader): GlobalType[] {
  return Array.from({ length: reader.count('globals', CEILINGS.globals) }, () => {
    const type = readValueType(reader);
    const mutability = reader.byte();
    if (mutability > 1) refuse('threads', 'a shared global');
    skipConstantExpression(reader);
    return { type, mutable: mutability === 1 };
  });
}

function readExports(reader: Reader, limit: number): Export[] {
  const exports: Export[] = [];
  for (let left = reader.count('exports', limit); left > 0; left--) {
    exports.push({ name: reader.name(), kind: reader.byte(), index: reader.u32() });
  }
  return exports;
}

/** Elements of all segments together. */
function countElements(reader: Reader, cap: number): number {
  let total = 0;
  for (let left = reader.count('element segments', CEILINGS.segments); left > 0; left--) {
    const flags = reader.u32();
    if (flags > 7) refuse('malformed', `element segment flags ${flags}`);
    const explicit = (flags & 2) !== 0;
    if ((flags & 1) === 0) {
      if (explicit) reader.u32();
      skipConstantExpression(reader);
    }
    if ((flags & 3) !== 0) {
      const kind = reader.byte();
      if ((flags & 4) === 0 ? kind !== 0 : kind !== 0x70 && kind !== 0x6f)
        refuse('gc', `elements of kind ${hex(kind)}`);
    }
    const count = reader.count('elements in a segment', cap);
    for (let i = 0; i < count; i++) {
      if ((flags & 4) !== 0) skipConstantExpression(reader);
      else reader.u32();
    }
    total += count;
  }
  if (total > cap) refuse('table', `${total} elements in segments, the limit is ${cap}`);
  return total;
}

/** Bytes of all data segments together. */
function countData(reader: Reader): number {
  let total = 0;
  for (let left = reader.count('data segments', CEILINGS.segments); left > 0; left--) {
    const flags = reader.u32();
    if (flags > 2) refuse('malformed', `data segment flags ${flags}`);
    if (flags === 2 && reader.u32() !== 0) refuse('multi-memory', 'a data segment of another memory');
    if (flags !== 1) skipConstantExpression(reader);
    const size = reader.u32();
    reader.skip(size);
    total += size;
  }
  return total;
}

/**
 * Parses everything but the code. `bytes` must be valid for the engine already: here the module is held against the
 * allow-list, there against the typing rules. Refuses by {@link refuse}.
 */
export function parseModule(
  bytes: Uint8Array,
  limits: ModuleLimits,
  exportLimit: number = CEILINGS.exports,
): ParsedModule {
  const sections = splitSections(bytes);
  const within = <T>(id: number, otherwise: T, read: (reader: Reader) => T): T => {
    const section = sections.get(id);
    if (section === undefined) return otherwise;
    const reader = new Reader(section.bytes, section.at, section.end);
    const value = read(reader);
    reader.expectEnd(`section ${id}`);
    return value;
  };
  within(SECTION.import, undefined, (reader) => {
    if (reader.u32() > 0)
      refuse('import', `the module imports ${reader.name()}.${reader.name()}; agents import nothing`);
  });
  const types = within(SECTION.type, [], readTypes);
  const functions = within(SECTION.function, [], (reader) =>
    Array.from({ length: reader.count('functions', CEILINGS.functions) }, () => reader.u32()),
  );
  const tables = within(SECTION.table, [] as ParsedModule['tables'], (r) => readTables(r, limits.tableElements));
  const memory = within(SECTION.memory, undefined as Limits | undefined, (reader) => {
    const count = reader.u32();
    if (count > 1) refuse('multi-memory', `${count} memories`);
    return count === 0 ? undefined : readLimits(reader, 'memory', limits.memoryPages);
  });
  const globals = within(SECTION.global, [] as GlobalType[], readGlobals);
  const exports = within(SECTION.export, [] as Export[], (reader) => readExports(reader, exportLimit));
  const elements = within(SECTION.element, 0, (reader) => countElements(reader, limits.tableElements));
  const data = within(SECTION.data, 0, countData);
  const slots = elements + tables.reduce((sum, { min }) => sum + min, 0);
  const instanceFuel =
    PRICES.instance + slots * PRICES.element + (memory?.min ?? 0) * PRICES.page + (data >>> PRICES.bulkShift);
  return { sections, types, functions, tables, memory, globals, exports, instanceFuel };
}

/** The parts of one function body: its local declarations (how many, and as bytes), how many locals, its instructions. */
export interface FunctionBody {
  readonly groups: number;
  readonly declarations: Uint8Array;
  readonly locals: number;
  readonly code: Reader;
}

export function* functionBodies(module: ParsedModule): Generator<FunctionBody> {
  const section = module.sections.get(SECTION.code);
  if (section === undefined) return;
  const reader = new Reader(section.bytes, section.at, section.end);
  const count = reader.count('function bodies', CEILINGS.functions);
  if (count !== module.functions.length)
    refuse('malformed', `${count} bodies for ${module.functions.length} functions`);
  for (let i = 0; i < count; i++) {
    const size = reader.u32();
    if (size > CEILINGS.functionBytes)
      refuse('limit', `function ${i} has ${size} bytes, the limit is ${CEILINGS.functionBytes}`);
    const code = reader.slice(size);
    const groups = code.count('local declarations', CEILINGS.locals);
    const start = code.at;
    let locals = 0;
    for (let left = groups; left > 0; left--) {
      locals += code.u32();
      readValueType(code);
      if (locals > CEILINGS.locals) refuse('limit', `function ${i} has over ${CEILINGS.locals} locals`);
    }
    yield { groups, declarations: code.bytes.subarray(start, code.at), locals, code };
  }
  reader.expectEnd('the code section');
}
