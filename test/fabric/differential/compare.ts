import { DEFAULT_LIMITS } from '../../../src/core/execution/limits.ts';
import type { StepResult } from '../../../src/core/execution/types.ts';
import { stream } from '../../../src/core/random/random.ts';
import type { AgentModule } from '../../../src/fabric/abi/instance.ts';
import { createStepEngine } from '../../../src/fabric/abi/step.ts';
import { guardModule } from '../../../src/fabric/guard/guard.ts';
import type { GuardedModule } from '../../../src/fabric/guard/guard.ts';
import { compileForV8 } from '../../../src/fabric/v8/engine.ts';
import { classify } from '../../../src/fabric/v8/traps.ts';
import { randomAgent } from './generator.ts';

export type Compile = (guarded: GuardedModule) => AgentModule;

const LIMITS = { ...DEFAULT_LIMITS, fuel: 3_000_000, memoryPages: 4 };
const ANSWER = 48 * 1024;

/** How a random agent ended: its trap or its memory, and its fuel. */
function outcome(result: StepResult): string {
  if (!result.ok) return `${result.trap}, fuel ${result.fuel}, memory ${result.memoryBytes}`;
  const { outcome: given, fuel, memoryBytes } = result;
  const answer = given.kind === 'done' ? Buffer.from(given.output).toString('latin1') : given.kind;
  return `${answer}, fuel ${fuel}, memory ${memoryBytes}`;
}

function onEngine(bytes: Uint8Array, compile: Compile, seed: bigint): StepResult {
  const guarded = guardModule(bytes, LIMITS);
  const compiled = compile(guarded);
  const body = { kind: 'start' as const, payload: new Uint8Array(0), features: new Float64Array(0) };
  try {
    const event = { turn: 0, seed, time: 0, body };
    return createStepEngine(compiled, guarded, LIMITS).step(new Uint8Array(0), event, LIMITS.fuel);
  } finally {
    compiled.release();
  }
}

/** The same step of the agent as it is, called as the glue would; an answer or a trap, no fuel. */
function unguarded(bytes: Uint8Array<ArrayBuffer>, seed: bigint): string {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  const agent = exports as { memory: WebAssembly.Memory } & Record<string, (...args: unknown[]) => number>;
  try {
    const [state, payload, features] = [1, 1, 8].map((alignment) => agent['cabi_realloc']!(0, 0, alignment, 0));
    agent['step']!(state, 0, 0, seed, 0n, 0, payload, 0, features, 0);
    return Buffer.from(agent.memory.buffer, 0, ANSWER).toString('latin1');
  } catch (error) {
    return classify(error) ?? String(error);
  }
}

export interface Difference {
  readonly trapped: boolean;
  /** What differs between whom; absent where all agree. */
  readonly what?: string;
}

/** Case `index` of `seed`: a random agent on every engine, and where no NaN's bits can be told, without the guard too. */
export function compareCase(seed: string, index: number, other?: Compile): Difference {
  const random = stream(seed, 0, index, 'differential');
  const nans = index % 2 === 0 ? 'hidden' : 'open';
  const bytes = randomAgent(random, nans);
  const event = (BigInt(random.u32()) << 32n) | BigInt(random.u32());
  const v8 = onEngine(bytes, compileForV8, event);
  const trapped = !v8.ok;
  if (other !== undefined && outcome(onEngine(bytes, other, event)) !== outcome(v8)) {
    return { trapped, what: `case ${index}: the engines differ` };
  }
  const stopped = !v8.ok && (v8.trap === 'out-of-fuel' || v8.trap === 'stack-depth');
  if (nans === 'open' || stopped) return { trapped };
  const answer =
    v8.ok && v8.outcome.kind === 'done' ? Buffer.from(v8.outcome.output).toString('latin1') : v8.ok ? '' : v8.trap;
  return answer === unguarded(bytes, event)
    ? { trapped }
    : { trapped, what: `case ${index}: the guard changes what it does` };
}
