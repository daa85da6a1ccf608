import { hex } from './instruction.ts';
import { Reader } from './reader.ts';
import { refuse } from './refusal.ts';

/** Magic number, version 13, layer 1 (component model, design/mvp/Binary.md). */
const COMPONENT_HEADER = [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0];
const SECTION = { custom: 0, coreModule: 1, coreInstance: 2, coreType: 3, alias: 6, type: 7, canon: 8 } as const;
const IMPORT_SECTION = 10;
const EXPORT_SECTION = 11;
/** Sections that say how the core module is wrapped: `wit/agent.wit` fixes that, so they are passed over. */
const WRAPPING: ReadonlySet<number> = new Set(Object.values(SECTION));

/** The interface that names the types of the world; there is nothing to call in it. */
const TYPES_INTERFACE = 'chimera:agent/types@1.0.0';
/** Kinds of imports: an instance by its type, and a type that is equal to one known. */
const INSTANCE = 5;
const TYPE = 3;
const EQUAL = 0;
const MAX_IMPORTS = 16;

/** Is this a component (layer 1 of the binary format) and not a core module? */
export function isComponent(bytes: Uint8Array): boolean {
  return bytes.length >= COMPONENT_HEADER.length && COMPONENT_HEADER.every((byte, at) => bytes[at] === byte);
}

/** The names of an import or export section, each of which starts with one byte that says how it is written. */
function readExternalName(reader: Reader): string {
  const form = reader.byte();
  if (form > 1) refuse('component', `a name of form ${hex(form)}`);
  return reader.name();
}

/** The names of what is imported; anything that could be called is refused. */
function checkImports(reader: Reader): string[] {
  const names: string[] = [];
  for (let left = reader.count('imports', MAX_IMPORTS); left > 0; left--) {
    const name = readExternalName(reader);
    const kind = reader.byte();
    const onlyTypes = kind === TYPE ? reader.byte() === EQUAL : kind === INSTANCE && name === TYPES_INTERFACE;
    if (!onlyTypes) {
      refuse('import', `the component imports ${JSON.stringify(name)}; agents import nothing`);
    }
    reader.u32();
    names.push(name);
  }
  reader.expectEnd('the import section');
  return names;
}

function checkExports(reader: Reader): void {
  for (let left = reader.count('exports', 1); left > 0; left--) {
    const name = readExternalName(reader);
    if (name !== 'step') refuse('export', `${JSON.stringify(name)} is not an export of an agent`);
  }
}

/**
 * The core module of a component, as a view of its bytes. The component must hold exactly one core module and nothing
 * that runs besides it: no nested components, no start, no imports but the types of `wit/agent.wit`, no export but
 * `step`. How it is wrapped is dropped unread, because the engines call the core module by the canonical ABI. Refuses by
 * {@link refuse}; the module taken out has still to pass the guard.
 */
export function coreModuleOf(component: Uint8Array): Uint8Array {
  const reader = new Reader(component, COMPONENT_HEADER.length);
  let core: Reader | undefined;
  while (!reader.done) {
    const id = reader.byte();
    const body = reader.slice(reader.u32());
    if (id === IMPORT_SECTION) checkImports(body);
    else if (id === EXPORT_SECTION) checkExports(body);
    else if (!WRAPPING.has(id)) refuse('component', `section ${id} is none of a component with one core module`);
    if (id !== SECTION.coreModule) continue;
    if (core !== undefined) refuse('component', 'the component holds several core modules');
    core = body;
  }
  if (core === undefined) return refuse('component', 'the component holds no core module');
  return core.bytes.subarray(core.at, core.end);
}

/** What a component that {@link coreModuleOf} accepts imports: types, by their names. */
export function componentImports(component: Uint8Array): string[] {
  const reader = new Reader(component, COMPONENT_HEADER.length);
  const names: string[] = [];
  while (!reader.done) {
    const id = reader.byte();
    const body = reader.slice(reader.u32());
    if (id === IMPORT_SECTION) names.push(...checkImports(body));
  }
  return names;
}
