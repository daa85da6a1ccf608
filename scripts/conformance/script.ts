import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isChimeraError } from '../../src/contracts/errors.ts';
import { guardModule } from '../../src/fabric/guard/guard.ts';
import { parseModule } from '../../src/fabric/guard/module.ts';
import type { FunctionType } from '../../src/fabric/guard/module.ts';
import type { Ending, Engine, Subject } from './subject.ts';
import { fits, valueOf } from './values.ts';
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

/** What became of the test scripts. */
export interface Tally {
  modules: number;
  /** Modules that the guard does not take, by its rule. */
  readonly refused: Map<string, number>;
  /** Assertions that were run: each plain and guarded on every engine, or, of modules that are not valid, refused. */
  run: number;
  /** Of these: everywhere as the specification says. The others look at what a refused module was to have changed. */
  held: number;
  /** Assertions on modules that were refused. */
  skipped: number;
  /** Runs of assertions by engine and form. */
  readonly runs: Map<string, number>;
  readonly differing: string[];
}

export const newTally = (): Tally => ({
  modules: 0,
  refused: new Map(),
  run: 0,
  held: 0,
  skipped: 0,
  runs: new Map(),
  differing: [],
});

/** A module in all its forms, and what it exports. */
interface Instances {
  readonly subjects: readonly { readonly form: string; readonly subject: Subject }[];
  readonly functions: ReadonlyMap<string, FunctionType>;
  /** Types of exported globals. */
  readonly globals: ReadonlyMap<string, number>;
}

/** How an assertion ended, up to what the specification leaves open, and whether that is what it says. */
interface Verdict {
  readonly form: string;
  readonly text: string;
  readonly held: boolean;
}

const LIMITS = { memoryPages: 65_536, tableElements: 10_000_000 };

/** One script of the suite: runs every module that the guard accepts, plain and guarded on every engine, and compares. */
export class ScriptRunner {
  readonly #engines: readonly Engine[];
  readonly #tally: Tally;
  readonly #folder: string;
  readonly #named = new Map<string | undefined, Instances | undefined>();

  constructor(folder: string, engines: readonly Engine[], tally: Tally) {
    this.#folder = folder;
    this.#engines = engines;
    this.#tally = tally;
  }

  run(): void {
    const text = readFileSync(join(this.#folder, 'commands.json'), 'utf8');
    const { commands, source_filename: file } = JSON.parse(text) as { commands: Command[]; source_filename: string };
    try {
      for (const command of commands) this.#command(command, `${file}:${command.line}`);
    } finally {
      for (const engine of this.#engines) engine.release();
    }
  }

  #command(command: Command, at: string): void {
    const { type, action } = command;
    if (type === 'module' || type === 'assert_uninstantiable') {
      this.#tally.modules++;
      const instances = this.#instantiate(this.#bytes(command)!, at);
      if (type === 'module') for (const name of [undefined, command.name]) this.#named.set(name, instances);
    } else if (type === 'assert_invalid' || type === 'assert_malformed') {
      const bytes = this.#bytes(command);
      if (bytes !== undefined && !WebAssembly.validate(bytes)) this.#invalid(bytes, at);
    } else if (action !== undefined) {
      const instances = this.#named.get(action.module);
      if (instances === undefined) this.#tally.skipped++;
      else {
        const verdicts = instances.subjects.map((one) => verdict(one.form, one.subject, instances, command));
        this.#compare(verdicts, `${at} ${action.field}`);
      }
    }
  }

  #bytes(command: Command): Uint8Array<ArrayBuffer> | undefined {
    const name = command.binary_filename ?? command.filename ?? '';
    return name.endsWith('.wasm') ? new Uint8Array(readFileSync(join(this.#folder, name))) : undefined;
  }

  /** Neither the guard nor an engine may take it. */
  #invalid(bytes: Uint8Array<ArrayBuffer>, at: string): void {
    const taken = (form: string, is: boolean): Verdict => ({ form, text: is ? 'accepted' : 'refused', held: !is });
    const verdicts = this.#engines.map((engine) => taken(engine.name, engine.validate(bytes)));
    this.#compare([taken('guard', refusal(bytes) === undefined), ...verdicts], at);
  }

  /** All instances, or nothing where the module is refused or cannot be instantiated. */
  #instantiate(bytes: Uint8Array<ArrayBuffer>, at: string): Instances | undefined {
    const { refused } = this.#tally;
    const rule = refusal(bytes);
    if (rule !== undefined) {
      refused.set(rule, (refused.get(rule) ?? 0) + 1);
      return undefined;
    }
    const guarded = guardModule(bytes, { ...LIMITS, abi: 'any' });
    const made = this.#engines.flatMap((engine) => [
      { form: `${engine.name} plain`, subject: engine.instantiate(bytes) },
      { form: `${engine.name} guarded`, subject: engine.instantiate(bytes, guarded) },
    ]);
    this.#compare(
      made.map(({ form, subject }) => ({ form, text: 'trap' in subject ? subject.trap : 'an instance', held: true })),
      `${at} instantiation`,
    );
    const subjects = made.flatMap(({ form, subject }) => ('trap' in subject ? [] : [{ form, subject }]));
    if (subjects.length < made.length) return undefined;
    const { exports, types, functions, globals } = parseModule(bytes, LIMITS, Infinity);
    const ofKind = <T>(kind: number, typeOf: (index: number) => T): Map<string, T> =>
      new Map(exports.filter((one) => one.kind === kind).map(({ name, index }) => [name, typeOf(index)]));
    return {
      subjects,
      functions: ofKind(0, (index) => types[functions[index]!]!),
      globals: ofKind(3, (index) => globals[index]!.type),
    };
  }

  #compare(verdicts: readonly Verdict[], what: string): void {
    const { runs, differing } = this.#tally;
    this.#tally.run++;
    for (const { form } of verdicts) runs.set(form, (runs.get(form) ?? 0) + 1);
    if (new Set(verdicts.map(({ text }) => text)).size > 1) {
      differing.push(`${what}: ${verdicts.map(({ form, text }) => `${form} ${text}`).join(', ')}`);
    } else if (verdicts.every(({ held }) => held)) this.#tally.held++;
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

function verdict(form: string, subject: Subject, { functions, globals }: Instances, command: Command): Verdict {
  const { type, action, expected = [] } = command;
  const { field, args = [] } = action!;
  const ending: Ending =
    action!.type === 'get'
      ? { values: [subject.get(field, globals.get(field)!)] }
      : subject.call(field, functions.get(field)!, args.map(valueOf));
  if ('trap' in ending) {
    return { form, text: ending.trap, held: type === 'assert_trap' || type === 'assert_exhaustion' };
  }
  const fitting = type === 'assert_return' && expected.every((constant, i) => fits(constant, ending.values[i]!));
  const held = type === 'action' || fitting;
  return { form, text: held ? 'holds' : ending.values.map(show).join(), held };
}

const show = (value: bigint | string): string => (typeof value === 'bigint' ? `0x${value.toString(16)}` : value);
