import { AGENT_WORLD, type ModuleReport } from '../../contracts/agents.ts';
import { isChimeraError } from '../../contracts/errors.ts';
import { sha256Hex } from '../../core/canonical/canonical.ts';
import { componentImports, coreModuleOf, isComponent } from './component.ts';
import type { GuardedModule } from './guard.ts';
import { SECTION, parseModule } from './module.ts';
import { Reader } from './reader.ts';

const NAMES = new Map(Object.entries(SECTION).map(([name, id]) => [id as number, name]));
const HEADER_BYTES = 8;
/** Sections and producers that are listed one by one: a module may be all custom sections. */
const MOST = 64;
/** A name that a module chose is cut here. */
const NAME_LENGTH = 128;

/**
 * The bill of materials of a module that the guard has passed: made from the same bytes with the same caps, so that it
 * says what runs. Runs where the guard does, in a sandbox: it reads untrusted bytes.
 * @param memoryPages the cap that `guarded` was made with
 */
export function reportModule(
  original: Uint8Array,
  guarded: GuardedModule,
  caps: { readonly memoryPages: number; readonly tableElements: number },
): ModuleReport {
  const component = isComponent(original);
  const core = component ? new Uint8Array(coreModuleOf(original)) : original;
  const { memory, tables, instanceFuel } = parseModule(core, caps);
  const { sections, producers } = readSections(core);
  return {
    world: AGENT_WORLD,
    source: { kind: component ? 'component' : 'module', sha256: guarded.sha256, bytes: original.length },
    core: { sha256: component ? sha256Hex(core) : guarded.sha256, bytes: core.length },
    guarded: { sha256: sha256Hex(guarded.bytes), bytes: guarded.bytes.length, memoryPages: caps.memoryPages },
    sections,
    exports: [...guarded.exports],
    imports: component ? componentImports(original).map(shown) : [],
    producers,
    ...(memory === undefined ? {} : { memory: { initial: memory.min, maximum: memory.max } }),
    tables: tables.map(({ min, max }) => ({ initial: min, maximum: max })),
    instanceFuel,
    priceVersion: guarded.priceVersion,
  };
}

/** What a module calls something, fit to be stored and shown. */
const shown = (name: string): string =>
  [...name.slice(0, NAME_LENGTH)].map((letter) => (/\p{C}/u.test(letter) ? '\ufffd' : letter)).join('');

function readSections(core: Uint8Array): Pick<ModuleReport, 'sections' | 'producers'> {
  const sections: ModuleReport['sections'] = [];
  let producers: ModuleReport['producers'] = [];
  let more = 0;
  let moreBytes = 0;
  const reader = new Reader(core, HEADER_BYTES);
  while (!reader.done) {
    const id = reader.byte();
    const body = reader.slice(reader.u32());
    const bytes = body.end - body.at;
    const custom = id === SECTION.custom ? customName(body) : undefined;
    if (custom === 'producers') producers = readProducers(body);
    if (sections.length < MOST) {
      const name = custom === undefined ? NAMES.get(id)! : `custom ${shown(custom)}`;
      sections.push({ name, bytes });
    } else {
      more++;
      moreBytes += bytes;
    }
  }
  if (more > 0) sections.push({ name: `${more} more`, bytes: moreBytes });
  return { sections, producers };
}

/** Custom sections are never run, so what is wrong in one is no reason to refuse the module. */
const tolerant = <T>(otherwise: T, read: () => T): T => {
  try {
    return read();
  } catch (error) {
    if (isChimeraError(error, 'CHIMERA_AGENT_REFUSED')) return otherwise;
    throw error;
  }
};

const customName = (body: Reader): string => tolerant('', () => body.name());

/** The producers section: fields, each a list of names with versions (WebAssembly/tool-conventions, ProducersSection.md). */
function readProducers(body: Reader): ModuleReport['producers'] {
  return tolerant([], () => {
    const found: ModuleReport['producers'] = [];
    for (let fields = body.count('producer fields', MOST); fields > 0; fields--) {
      const field = shown(body.name());
      for (let values = body.count('producers', MOST); values > 0; values--) {
        const producer = { field, name: shown(body.name()), version: shown(body.name()) };
        if (found.length < MOST) found.push(producer);
      }
    }
    return found;
  });
}
