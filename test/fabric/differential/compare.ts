import { setFlagsFromString } from 'node:v8';
import { DEFAULT_LIMITS } from '../../../src/core/execution/limits.ts';
import type { StepResult } from '../../../src/core/execution/types.ts';
import { stream } from '../../../src/core/random/random.ts';
import type { AgentInstance, AgentModule } from '../../../src/fabric/abi/instance.ts';
import { createStepEngine } from '../../../src/fabric/abi/step.ts';
import { guardModule } from '../../../src/fabric/guard/guard.ts';
import type { GuardedModule } from '../../../src/fabric/guard/guard.ts';
import { compileForV8 } from '../../../src/fabric/v8/engine.ts';
import { classify } from '../../../src/fabric/v8/traps.ts';
import { randomAgent } from './generator.ts';
import type { NanBits } from './layout.ts';

export type Compile = (guarded: GuardedModule) => AgentModule;

const MEMORY_PAGES = 4;
const FUEL = 300_000;

/** One case: a random agent and what it is run with. */
export interface Case {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly nans: NanBits;
  readonly seed: bigint;
  readonly depth: number;
  /** Of the fuel that it takes, or of a little where it traps: what it is granted in another run. */
  readonly share: number;
  /** V8's second compiler, which programs come to that run for long, and not its first. */
  readonly optimised: boolean;
}

export function makeCase(seed: string, index: number): Case {
  const random = stream(seed, 0, index, 'differential');
  const nans = index % 2 === 0 ? 'hidden' : 'open';
  const optimised = index % 4 > 1;
  const bytes = randomAgent(random, nans);
  const event = (BigInt(random.u32()) << 32n) | BigInt(random.u32());
  return { bytes, nans, seed: event, depth: random.pick([12, 60, 300, 1024]), share: random.uniform(), optimised };
}

/** What a step came to, and the whole memory that it left. */
interface Run {
  readonly result: StepResult;
  readonly memory: Uint8Array | undefined;
}

/** Runs of one agent on one engine, with whatever fuel. */
class Subject {
  readonly #case: Case;
  readonly #module: AgentModule;
  readonly #guarded: GuardedModule;
  readonly #watched = new WeakSet<AgentInstance>();
  #memory: Uint8Array | undefined;

  constructor(one: Case, guarded: GuardedModule, compile: Compile) {
    this.#case = one;
    this.#guarded = guarded;
    const compiled = compile(guarded);
    this.#module = { ...compiled, instantiate: () => this.#watch(compiled.instantiate()) };
  }

  run(fuel: number): Run {
    this.#memory = undefined;
    const limits = { ...DEFAULT_LIMITS, fuel, depth: this.#case.depth, memoryPages: MEMORY_PAGES };
    const body = { kind: 'start' as const, payload: new Uint8Array(0), features: new Float64Array(0) };
    const event = { turn: 0, seed: this.#case.seed, time: 0, body };
    const engine = createStepEngine(this.#module, this.#guarded, limits);
    const result = engine.step(new Uint8Array(0), event, fuel);
    return { result, memory: this.#memory };
  }

  release(): void {
    this.#module.release();
  }

  /** Keeps a copy of an instance's memory when it is given back; it may be one that was watched before. */
  #watch(instance: AgentInstance): AgentInstance {
    if (this.#watched.has(instance)) return instance;
    this.#watched.add(instance);
    const release = instance.release.bind(instance);
    instance.release = () => {
      this.#memory = new Uint8Array(instance.memory).slice();
      release();
    };
    return instance;
  }
}

/** What differs between two runs; empty where nothing does. */
function differences(a: Run, b: Run): string[] {
  const { result: one } = a;
  const { result: two } = b;
  const found: string[] = [];
  const name = (result: StepResult): string => (result.ok ? result.outcome.kind : result.trap);
  if (name(one) !== name(two)) found.push(`${name(one)} and ${name(two)}`);
  else if (one.ok && two.ok && !sameOutput(one, two)) found.push('output');
  if (one.fuel !== two.fuel) found.push(`fuel ${one.fuel} and ${two.fuel}`);
  if (one.memoryBytes !== two.memoryBytes || !same(a.memory, b.memory)) found.push('memory');
  return found;
}

function sameOutput(one: StepResult & { ok: true }, two: StepResult & { ok: true }): boolean {
  const [a, b] = [one, two].map(({ outcome }) => (outcome.kind === 'done' ? outcome.output : undefined));
  return same(a, b) && same(one.state, two.state) && one.log.join('\n') === two.log.join('\n');
}

const same = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;

/** The same step of the agent as it is, called as the glue would; its trap, and its memory. No fuel, no depth. */
function unguarded({ bytes, seed }: Case): { trap: string | undefined; memory: Uint8Array | undefined } {
  let memory: WebAssembly.Memory | undefined;
  let trap: string | undefined;
  try {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    const agent = exports as { memory: WebAssembly.Memory } & Record<string, (...args: unknown[]) => number>;
    memory = agent.memory;
    const [state, payload, features] = [1, 1, 8].map((alignment) => agent['cabi_realloc']!(0, 0, alignment, 0));
    agent['step']!(state, 0, 0, seed, 0n, 0, payload, 0, features, 0);
  } catch (error) {
    trap = classify(error) ?? String(error);
  }
  return { trap, memory: memory === undefined ? undefined : new Uint8Array(memory.buffer) };
}

export interface Verdict {
  /** How it ended with fuel enough. */
  readonly ended: string;
  /** Runs that were compared. */
  readonly runs: number;
  /** What differs between whom; empty where all agree. */
  readonly differs: readonly string[];
}

/**
 * A case on V8, on the other engine, and, where no NaN's bits can be told, without the guard: with fuel enough; with exactly
 * what it took and with one less; with a share of that. Sets V8's compiler for this process.
 */
export function compareCase(one: Case, other?: Compile): Verdict {
  setFlagsFromString(one.optimised ? '--no-liftoff' : '--liftoff');
  const guarded = guardModule(one.bytes, { memoryPages: MEMORY_PAGES });
  const subjects = [compileForV8, ...(other === undefined ? [] : [other])].map(
    (compile) => new Subject(one, guarded, compile),
  );
  const [v8, native] = subjects as [Subject, Subject | undefined];
  const differs: string[] = [];
  let runs = 0;
  const both = (fuel: number): Run => {
    const run = v8.run(fuel);
    runs++;
    if (native === undefined) return run;
    runs++;
    for (const what of differences(run, native.run(fuel))) differs.push(`the engines differ at ${fuel} fuel: ${what}`);
    return run;
  };
  try {
    const full = both(FUEL);
    const { result } = full;
    const ended = result.ok ? result.outcome.kind : result.trap;
    if (result.ok) {
      for (const what of differences(full, both(result.fuel))) differs.push(`exact fuel is not the same: ${what}`);
      const { result: starved } = both(result.fuel - 1);
      if (starved.ok || starved.trap !== 'out-of-fuel') differs.push('less fuel than it takes is enough');
    }
    both(Math.floor(one.share * (result.ok ? result.fuel : FUEL / 50)));
    if (one.nans === 'hidden' && ended !== 'out-of-fuel' && ended !== 'stack-depth') {
      const plain = unguarded(one);
      runs++;
      // What a step returned is judged by the glue, which nobody calls here.
      const returned = result.ok || result.trap === 'bad-outcome' ? 'done' : ended;
      if ((plain.trap ?? 'done') !== returned) differs.push(`the guard changes ${plain.trap ?? 'done'} to ${ended}`);
      else if (!same(plain.memory, full.memory)) differs.push('the guard changes the memory');
    }
    return { ended, runs, differs };
  } finally {
    for (const subject of subjects) subject.release();
  }
}
