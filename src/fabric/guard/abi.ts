import type { Export, FunctionType, ParsedModule } from './module.ts';
import { refuse } from './refusal.ts';

const I32 = 0x7f;
const I64 = 0x7e;

/** `step` of `wit/agent.wit`, flattened after the canonical ABI (state, event with its joined payload) -> result pointer. */
const STEP: FunctionType = {
  params: [I32, I32, I32, I64, I64, I32, I32, I32, I32, I32],
  results: [I32],
};
const REALLOC: FunctionType = { params: [I32, I32, I32, I32], results: [I32] };
const POST_STEP: FunctionType = { params: [I32], results: [] };

/** Exported functions of the agent world. */
export const ABI_FUNCTIONS: ReadonlyMap<string, FunctionType> = new Map([
  ['step', STEP],
  ['cabi_realloc', REALLOC],
  ['cabi_post_step', POST_STEP],
]);

/** Exports that toolchains add and that nobody needs: allowed, and dropped from the guarded module. */
const IGNORED = new Set([
  '__data_end',
  '__heap_base',
  '__heap_end',
  '__stack_pointer',
  '__memory_base',
  '__table_base',
]);

const same = (a: FunctionType, b: FunctionType): boolean =>
  a.params.join() === b.params.join() && a.results.join() === b.results.join();

/** The exports that stay, in the module's order. Refuses unlisted names, wrong kinds and signatures, and what is missing. */
export function checkAbi(module: ParsedModule): readonly Export[] {
  const kept: Export[] = [];
  for (const entry of module.exports) {
    if (IGNORED.has(entry.name) && entry.kind === 3) continue;
    const type = ABI_FUNCTIONS.get(entry.name);
    if (type === undefined && entry.name !== 'memory') {
      refuse('export', `${JSON.stringify(entry.name)} is not an export of an agent`);
    }
    if (entry.kind !== (type === undefined ? 2 : 0)) refuse('abi', `export ${entry.name} is of the wrong kind`);
    if (type !== undefined) {
      const actual = module.types[module.functions[entry.index] ?? -1];
      if (actual === undefined || !same(actual, type)) refuse('abi', `function ${entry.name} has another signature`);
    }
    kept.push(entry);
  }
  for (const name of ['memory', 'cabi_realloc', 'step']) {
    if (!kept.some((entry) => entry.name === name)) refuse('abi', `the module does not export ${name}`);
  }
  return kept;
}
