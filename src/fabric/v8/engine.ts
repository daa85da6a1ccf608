import { ChimeraError } from '../../contracts/errors.ts';
import type { ExecutionLimits } from '../../contracts/records.ts';
import type { StepEngine, StepEvent, StepResult, TrapKind } from '../../core/execution/types.ts';
import { DEPTH_EXPORT, FUEL_EXPORT } from '../guard/guard.ts';
import type { GuardedModule } from '../guard/guard.ts';
import { liftStepResult } from './lift.ts';
import { createMemories } from './memory.ts';
import { callStep } from './lower.ts';
import type { AgentExports } from './lower.ts';
import { Trap, classify } from './traps.ts';

type Counters = Readonly<Record<typeof FUEL_EXPORT | typeof DEPTH_EXPORT, WebAssembly.Global>>;

/** A step engine that answers at once. */
export interface SyncStepEngine extends StepEngine {
  step(state: Uint8Array, event: StepEvent, fuel: number): StepResult;
}

/** Compiles a guarded module. The caller keeps the result for as many engines as it likes. */
export function compileModule(module: GuardedModule): WebAssembly.Module {
  return new WebAssembly.Module(module.bytes);
}

/**
 * The V8 engine: guarded module, hand-written glue, one fresh instance a step and nothing kept between two steps; a
 * memory may be an earlier one that was wiped.
 * `cabi_post_step` is never called: the instance it would tidy up is gone by then. Only for child processes: the guard
 * bounds what an agent can do to V8, the process bounds the rest.
 */
export function createV8Engine(
  module: WebAssembly.Module,
  guarded: Pick<GuardedModule, 'instanceFuel' | 'memory'>,
  limits: ExecutionLimits,
): SyncStepEngine {
  const { instanceFuel } = guarded;
  const imports = createMemories(guarded);
  const depth = BigInt(limits.depth);
  return {
    step(state, event, fuel) {
      const granted = fuel - instanceFuel;
      if (granted < 0) return trapped('out-of-fuel', 'no fuel left for a fresh instance', fuel, 0);
      let agent: (AgentExports & Counters) | undefined;
      try {
        agent = new WebAssembly.Instance(module, imports()).exports as unknown as AgentExports & Counters;
        agent[FUEL_EXPORT].value = BigInt(granted);
        agent[DEPTH_EXPORT].value = depth;
        const pointer = callStep(agent, state, event);
        const left = Number(agent[FUEL_EXPORT].value as bigint);
        const memoryBytes = agent.memory.buffer.byteLength;
        if (left < 0) return trapped('out-of-fuel', `more than ${fuel} fuel in this step`, fuel, memoryBytes);
        const lifted = liftStepResult(agent.memory.buffer, pointer, limits);
        return { ok: true, fuel: fuel - left, memoryBytes, ...lifted };
      } catch (error) {
        return afterTrap(error, agent, fuel, instanceFuel, limits);
      }
    },
  };
}

function trapped(trap: TrapKind, message: string, fuel: number, memoryBytes: number): StepResult {
  return { ok: false, trap, message, fuel, memoryBytes };
}

/** The counters tell whether the guard's own `unreachable` was hit: then the text of the error says nothing. */
function afterTrap(
  error: unknown,
  agent: (AgentExports & Counters) | undefined,
  fuel: number,
  instanceFuel: number,
  limits: ExecutionLimits,
): StepResult {
  const memoryBytes = agent?.memory.buffer.byteLength ?? 0;
  const left = agent === undefined ? fuel - instanceFuel : Number(agent[FUEL_EXPORT].value as bigint);
  const used = fuel - Math.max(0, left);
  if (error instanceof Trap) return trapped(error.kind, error.message, used, memoryBytes);
  const kind = classify(error);
  if (kind === undefined) {
    throw new ChimeraError('CHIMERA_SANDBOX_CRASHED', { why: `the engine failed: ${String(error)}` }, { cause: error });
  }
  if (left < 0) return trapped('out-of-fuel', `more than ${fuel} fuel in this step`, fuel, memoryBytes);
  if (agent !== undefined && (agent[DEPTH_EXPORT].value as bigint) < 0n) {
    return trapped('stack-depth', `calls more than ${limits.depth} deep`, used, memoryBytes);
  }
  return trapped(kind, `the agent trapped: ${kind}`, used, memoryBytes);
}
