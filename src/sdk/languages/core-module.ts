import { isChimeraError } from '../../contracts/errors.ts';
import { Code } from '../../core/wasm/code.ts';
import { ByteWriter } from '../../core/wasm/bytes.ts';
import { encodeModule, type FunctionSpec } from '../../core/wasm/encoder.ts';
import { Reader } from '../../fabric/guard/reader.ts';

const SECTION = { coreModule: 1, component: 4, type: 1, import: 2, export: 7 } as const;
const KIND = { function: 0, table: 1, memory: 2, global: 3 } as const;
const HEADER_BYTES = 8;
/** How a core module begins, its version included. */
const MAGIC = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
/** Sections have IDs below this. */
const SECTION_IDS = 14;

/** Section bodies of a core module or component, in order. */
function* sections(bytes: Uint8Array): Generator<{ id: number; body: Uint8Array }> {
  const reader = new Reader(bytes, HEADER_BYTES);
  while (!reader.done) {
    const id = reader.byte();
    const { at, end } = reader.slice(reader.u32());
    yield { id, body: bytes.subarray(at, end) };
  }
}

/** The core modules of a component and of the components in it, in the order of the bytes. */
export function coreModules(component: Uint8Array): Uint8Array<ArrayBuffer>[] {
  const modules: Uint8Array<ArrayBuffer>[] = [];
  for (const { id, body } of sections(component)) {
    if (id === SECTION.coreModule) modules.push(new Uint8Array(body));
    if (id === SECTION.component) modules.push(...coreModules(body));
  }
  return modules;
}

/** A name by which another module of the same link is found. */
export interface LinkName {
  readonly module: string;
  readonly name: string;
}

/** An import that no module of the link serves. */
export interface OpenImport extends LinkName {
  readonly params: readonly number[];
  readonly results: readonly number[];
}

/** What a core module imports. */
export function importsOf(bytes: Uint8Array): LinkName[] {
  for (const { id, body } of sections(bytes)) {
    if (id !== SECTION.import) continue;
    const reader = new Reader(body);
    return Array.from({ length: reader.u32() }, () => {
      const from = { module: reader.name(), name: reader.name() };
      importedType(reader, reader.byte());
      return from;
    });
  }
  return [];
}

/** Names of what a core module exports. */
export function exportsOf(bytes: Uint8Array): string[] {
  for (const { id, body } of sections(bytes)) {
    if (id !== SECTION.export) continue;
    const reader = new Reader(body);
    return Array.from({ length: reader.u32() }, () => readExport(reader));
  }
  return [];
}

/** Passes over an export, and returns its name. */
function readExport(reader: Reader): string {
  const name = reader.name();
  reader.byte();
  reader.u32();
  return name;
}

/** Copies a module with its sections rewritten: `rewrite` returns a new body, or undefined to keep the old one. */
function mapSections(
  bytes: Uint8Array,
  rewrite: (id: number, body: Uint8Array) => Uint8Array | undefined,
): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter(bytes.length).raw(bytes.subarray(0, HEADER_BYTES));
  for (const { id, body } of sections(bytes)) out.byte(id).vector(rewrite(id, body) ?? body);
  return out.finish();
}

function readTypes(body: Uint8Array): Omit<OpenImport, keyof LinkName>[] {
  const reader = new Reader(body);
  const list = (): number[] => Array.from({ length: reader.u32() }, () => reader.byte());
  return Array.from({ length: reader.u32() }, () => {
    reader.byte();
    return { params: list(), results: list() };
  });
}

/** Passes over what an import says of its item. Returns the type's index for a function. */
function importedType(reader: Reader, kind: number): number | undefined {
  if (kind === KIND.function) return reader.u32();
  if (kind === KIND.global) reader.skip(2);
  else {
    if (kind === KIND.table) reader.byte();
    const limited = reader.byte() === 1;
    reader.u32();
    if (limited) reader.u32();
  }
  return undefined;
}

/**
 * Gives the imports of a module the names of what they are linked to. Functions for which `resolve` has none are
 * imported from `open`, and listed.
 */
export function renameImports(
  bytes: Uint8Array,
  open: string,
  resolve: (from: LinkName) => LinkName | undefined,
): { readonly module: Uint8Array<ArrayBuffer>; readonly opened: OpenImport[] } {
  const opened: OpenImport[] = [];
  let types: Omit<OpenImport, keyof LinkName>[] = [];
  const utf8 = new TextEncoder();
  const module = mapSections(bytes, (id, body) => {
    if (id === SECTION.type) types = readTypes(body);
    if (id !== SECTION.import) return undefined;
    const reader = new Reader(body);
    const count = reader.u32();
    const out = new ByteWriter(body.length).unsigned(count);
    for (let i = 0; i < count; i++) {
      const from = { module: reader.name(), name: reader.name() };
      const start = reader.at;
      const type = importedType(reader, reader.byte());
      const to = resolve(from) ?? { module: open, name: `${from.module}/${from.name}` };
      if (to.module === open && type !== undefined) opened.push({ ...to, ...types[type]! });
      out.vector(utf8.encode(to.module)).vector(utf8.encode(to.name)).raw(body.subarray(start, reader.at));
    }
    return out.finish();
  });
  return { module, opened };
}

/** A module that exports each of the open imports: what is called traps, unless `harmless` says that nothing need happen. */
export function trapModule(
  opened: readonly OpenImport[],
  harmless: (name: string) => boolean,
): Uint8Array<ArrayBuffer> {
  const unique = new Map(opened.map((entry) => [entry.name, entry]));
  const functions = [...unique.values()].map(({ name, params, results }): FunctionSpec => ({
    params,
    results,
    code: harmless(name) ? new Code() : new Code().op('unreachable'),
    export: name,
  }));
  return encodeModule({ functions });
}

/** The module with its one memory exported, too. */
export function exportMemory(bytes: Uint8Array, name: string): Uint8Array<ArrayBuffer> {
  return mapSections(bytes, (id, body) => {
    if (id !== SECTION.export) return undefined;
    const reader = new Reader(body);
    const out = new ByteWriter(body.length + 64).unsigned(reader.u32() + 1).raw(body.subarray(reader.at));
    return out.name(name).byte(KIND.memory).unsigned(0).finish();
  });
}

/**
 * The core modules that lie in a file of another kind, one behind the other or alone: from each magic number on as far as
 * there are sections, where the engine takes that for a module.
 */
export function* embeddedModules(file: Uint8Array): Generator<Uint8Array<ArrayBuffer>> {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length);
  for (let start = bytes.indexOf(MAGIC); start >= 0; start = bytes.indexOf(MAGIC, start + MAGIC.length)) {
    const reader = new Reader(bytes, start + HEADER_BYTES);
    let end = reader.at;
    try {
      // The magic number of a neighbour would pass for a custom section.
      while (reader.byte() < SECTION_IDS && !MAGIC.equals(bytes.subarray(end, end + MAGIC.length))) {
        reader.slice(reader.u32());
        end = reader.at;
      }
    } catch (error) {
      if (!isChimeraError(error, 'CHIMERA_AGENT_REFUSED')) throw error;
    }
    const module = new Uint8Array(bytes.subarray(start, end));
    if (WebAssembly.validate(module)) yield module;
  }
}

/** The module with no other exports than these. */
export function keepExports(bytes: Uint8Array, kept: readonly string[]): Uint8Array<ArrayBuffer> {
  return mapSections(bytes, (id, body) => {
    if (id !== SECTION.export) return undefined;
    const reader = new Reader(body);
    const entries: Uint8Array[] = [];
    for (let left = reader.u32(); left > 0; left--) {
      const start = reader.at;
      const name = readExport(reader);
      if (kept.includes(name)) entries.push(body.subarray(start, reader.at));
    }
    const out = new ByteWriter(256).unsigned(entries.length);
    for (const entry of entries) out.raw(entry);
    return out.finish();
  });
}
