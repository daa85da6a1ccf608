import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isChimeraError } from '../../src/contracts/errors.ts';
import { guardModule } from '../../src/fabric/guard/guard.ts';
import { parseModule } from '../../src/fabric/guard/module.ts';
import type { FunctionType } from '../../src/fabric/guard/module.ts';
import { instantiate } from './subject.ts';
import type { Ending, Subject } from './subject.ts';
import { fits, referenceOf } from './values.ts';
import type { Constant } from './values.ts';

interface Command {
  readonly type: string;
  readonly line: number;
  readonly name?: string;
  readonly filename?: string;
  readonly binary_filename?: string;
  readonly action?: {
    readonly type: string;
    readonly module?: string;
    readonly field: string;
    readonly args?: Constant[];
  };
  readonly expected?: Constant[];
}

/** What became of a test script. */
export interface Tally {
  modules: number;
  /** Modules that the guard does not take, by its rule. */
  readonly refused: Map<string, number>;
  /** Assertions run plain and guarded. */
  run: number;
  /** Of these: held plain and guarded, as the specification says. */
  held: number;
  /** Assertions on modules that were refused. */
  skipped: number;
  readonly differing: string[];
}

/** A module in both forms. */
interface Pair {
  readonly plain: Subject;
  readonly guarded: Subject;
  readonly types: ReadonlyMap<string, FunctionType>;
}

const LIMITS = { memoryPages: 65_536, tableElements: 10_000_000 };

/** Runs the script in `folder`, every module that the guard accepts plain and guarded, and compares the verdicts. */
export function runScript(folder: string, into: Tally): void {
  const text = readFileSync(join(folder, 'commands.json'), 'utf8');
  const { commands, source_filename: file } = JSON.parse(text) as { commands: Command[]; source_filename: string };
  const named = new Map<string | undefined, Pair | undefined>();
  const differs = (line: number, what: string): void => void into.differing.push(`${file}:${line} ${what}`);
  const bytesOf = (command: Command): Uint8Array<ArrayBuffer> | undefined => {
    const name = command.binary_filename ?? command.filename ?? '';
    return name.endsWith('.wasm') ? new Uint8Array(readFileSync(join(folder, name))) : undefined;
  };
  for (const command of commands) {
    const { type, line, action } = command;
    if (type === 'module' || type === 'assert_uninstantiable') {
      into.modules++;
      const pair = pairOf(bytesOf(command)!, into, (what) => differs(line, what));
      if (type === 'module') for (const name of [undefined, command.name]) named.set(name, pair);
    } else if (type === 'assert_invalid' || type === 'assert_malformed') {
      const bytes = bytesOf(command);
      if (bytes === undefined || WebAssembly.validate(bytes)) continue;
      into.run++;
      if (refusal(bytes) === undefined) differs(line, 'is accepted though it is not valid');
      else into.held++;
    } else if (action !== undefined) {
      const pair = named.get(action.module);
      if (pair === undefined) into.skipped++;
      else {
        into.run++;
        const [plain, guarded] = [pair.plain, pair.guarded].map((one) => verdict(one, pair.types, command));
        if (plain!.text !== guarded!.text) differs(line, `${action.field}: ${plain!.text}, guarded ${guarded!.text}`);
        else if (plain!.held) into.held++;
      }
    }
  }
}

function refusal(bytes: Uint8Array): string | undefined {
  try {
    guardModule(bytes, { ...LIMITS, abi: 'any' });
    return undefined;
  } catch (error) {
    if (!isChimeraError(error, 'CHIMERA_AGENT_REFUSED')) throw error;
    return String(error.details['rule']);
  }
}

/** Both instances, or nothing where the module is refused or cannot be instantiated. */
function pairOf(bytes: Uint8Array<ArrayBuffer>, into: Tally, differs: (what: string) => void): Pair | undefined {
  const rule = refusal(bytes);
  if (rule !== undefined) {
    into.refused.set(rule, (into.refused.get(rule) ?? 0) + 1);
    return undefined;
  }
  const plain = instantiate(bytes);
  const guarded = instantiate(bytes, guardModule(bytes, { ...LIMITS, abi: 'any' }));
  into.run++;
  if ('trap' in plain || 'trap' in guarded) {
    const [a, b] = [plain, guarded].map((one) => ('trap' in one ? one.trap : 'an instance'));
    if (a === b) into.held++;
    else differs(`instantiation: ${a}, guarded ${b}`);
    return undefined;
  }
  into.held++;
  const { exports, types, functions } = parseModule(bytes, LIMITS, Infinity);
  const functionTypes = exports
    .filter(({ kind }) => kind === 0)
    .map(({ name, index }) => [name, types[functions[index]!]!] as const);
  return { plain, guarded, types: new Map(functionTypes) };
}

/** What is compared: how a command ended, up to what the specification leaves open, and whether that is what it asserts. */
function verdict(
  subject: Subject,
  types: ReadonlyMap<string, FunctionType>,
  { type, action, expected = [] }: Command,
): { text: string; held: boolean } {
  if (action!.type === 'get') {
    const text = String(subject.get(action!.field));
    return { text, held: true };
  }
  const ending = subject.call(action!.field, types.get(action!.field)!, action!.args ?? []);
  if ('trap' in ending) return { text: ending.trap, held: type === 'assert_trap' || type === 'assert_exhaustion' };
  const returned = type === 'assert_return' || type === 'action';
  const held = returned && (type === 'action' || holds(ending, expected));
  return { text: held ? 'holds' : show(ending), held };
}

function holds(ending: Ending, expected: readonly Constant[]): boolean {
  if ('bits' in ending) return expected.every((constant, i) => fits(constant, ending.bits[i]!));
  if ('trap' in ending) return false;
  return expected.every((constant, i) => {
    const value = ending.values[i];
    if (typeof value === 'number' || typeof value === 'bigint') return fits(constant, BigInt(value));
    if (constant.type === 'funcref' && constant.value !== 'null') return typeof value === 'function';
    return value === referenceOf(constant);
  });
}

const show = (ending: Ending): string =>
  'bits' in ending
    ? ending.bits.map((bits) => `0x${bits.toString(16)}`).join()
    : 'trap' in ending
      ? ending.trap
      : String(ending.values);
