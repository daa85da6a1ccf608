import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ChimeraError } from '../../contracts/errors.ts';
import {
  coreModules,
  exportsOf,
  importsOf,
  keepExports,
  renameImports,
  trapModule,
  type LinkName,
  type OpenImport,
} from './core-module.ts';

/** Names of the modules in the component, as its own parts import each other. */
const MAIN = 'main';
const RUNTIME = 'componentize_qjs_runtime.wasm';
const GLUE = 'wit-dylib.wasm';
const SHIM = 'shim';
const FIXUP = 'fixup';
/** The module that serves what the others import from the system. */
const SYSTEM = 'system';

const AGENT_EXPORTS = ['memory', 'cabi_realloc', 'step', 'cabi_post_step'];

/** Passes that leave only literals in constant expressions, which the guard wants, and drop what nobody reaches. */
const PASSES = ['--simplify-globals', '--precompute', '--simplify-globals', '--remove-unused-module-elements'];

/**
 * Makes one core module of the component that componentize-qjs makes: memory and snapshot, interpreter, glue of the
 * world, and what fills their tables. They share one memory and one stack, and each has its place in both, so that
 * linking them is giving their imports the names of each other's exports.
 * @param tool runs a tool of binaryen
 * @returns the interfaces of a system that it asked for, as `module/name`: what is left of them traps
 */
export async function linkQuickJs(
  component: Uint8Array,
  work: string,
  output: string,
  tool: (name: string, ...args: string[]) => Promise<void>,
): Promise<string[]> {
  const parts = partsOf(component);
  const exported = new Map([...parts].map(([name, module]) => [name, new Set(exportsOf(module))]));
  const files: string[] = [];
  const write = async (name: string, module: Uint8Array): Promise<void> => {
    const file = join(work, `${name}.core`);
    await writeFile(file, module);
    files.push(file, name);
  };
  const opened: OpenImport[] = [];
  for (const [name, module] of parts) {
    const linked = renameImports(module, SYSTEM, (from) => {
      const to = target(name, from);
      return exported.get(to.module)?.has(to.name) ? to : undefined;
    });
    opened.push(...linked.opened);
    await write(name, linked.module);
  }
  // Without a system there is no state of an adapter to it either.
  await write(
    SYSTEM,
    trapModule(opened, (name) => name.endsWith('reset_adapter_state')),
  );
  await tool('wasm-merge', ...files, '--all-features', '--skip-export-conflicts', '-o', output);
  await writeFile(output, keepExports(await readFile(output), AGENT_EXPORTS));
  await tool('wasm-opt', output, '--all-features', ...PASSES, '-o', output);
  return [...new Set(opened.map(({ name }) => name))].filter((name) => name.includes(':')).sort();
}

function partsOf(component: Uint8Array): Map<string, Uint8Array<ArrayBuffer>> {
  const modules = coreModules(component);
  const find = (what: string, fits: (module: Uint8Array<ArrayBuffer>) => boolean): Uint8Array<ArrayBuffer> => {
    const found = modules.find(fits);
    if (found !== undefined) return found;
    const why = `componentize-qjs made a component without its ${what}: another version than the one this was made for`;
    throw new ChimeraError('CHIMERA_SETUP', { what: 'the agent', why });
  };
  const exporting = (what: string, name: string): Uint8Array<ArrayBuffer> =>
    find(what, (module) => exportsOf(module).includes(name));
  const glue = exporting('glue', 'step');
  const shim = find(
    'shim',
    (module) => modules.indexOf(module) > modules.indexOf(glue) && exportsOf(module).includes('$imports'),
  );
  const fixup = find('fixup', (module) => importsOf(module).some((from) => from.module === RUNTIME));
  return new Map([
    [MAIN, withoutRealloc(exporting('memory', '__indirect_function_table'))],
    [RUNTIME, exporting('interpreter', 'wit_dylib_export_call')],
    [GLUE, withoutRealloc(glue)],
    [SHIM, shim],
    [FIXUP, fixup],
  ]);
}

/** Three parts export the allocator; the interpreter's is meant. */
const withoutRealloc = (module: Uint8Array): Uint8Array<ArrayBuffer> =>
  keepExports(
    module,
    exportsOf(module).filter((name) => name !== 'cabi_realloc'),
  );

/** Where an import of a part is found, after the conventions of dynamic linking (tool-conventions, DynamicLinking.md). */
function target(part: string, { module, name }: LinkName): LinkName {
  switch (module) {
    case 'env':
      if (name === '__memory_base' || name === '__table_base')
        return { module: MAIN, name: `${part}:${name.slice(2)}` };
      return { module: part === GLUE && /^(wit_dylib_|cabi_)/.test(name) ? RUNTIME : MAIN, name };
    case 'GOT.func':
      return { module: MAIN, name: `${RUNTIME}:${name}` };
    case 'GOT.mem':
      return { module: MAIN, name };
    default:
      return { module, name };
  }
}
