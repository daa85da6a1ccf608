import { ChimeraError } from '../../contracts/errors.ts';
import type { ExecutionLimits } from '../../contracts/records.ts';
import type { StepEngine, StepEvent, StepResult, TrapKind } from '../../core/execution/types.ts';
import type { GuardedModule } from '../guard/guard.ts';
import type { AgentInstance, AgentModule } from './instance.ts';
import { liftStepResult } from './lift.ts';
import { callStep } from './lower.ts';
import { Trap } from './trap.ts';

/** A step engine that answers at once. */
export interface SyncStepEngine extends StepEngine {
  step(state: Uint8Array, event: StepEvent, fuel: number): StepResult;
}

/**
 * Runs steps of a compiled agent: one fresh instance a step and nothing kept between two. What a step is and what it costs
 * is decided here and in the guarded module, so that it is the same on every engine.
 * `cabi_post_step` is never called: the instance it would tidy up is gone by then. Only for child processes: the guard
 * bounds what an agent can do to the engine, the process bounds the rest.
 */
export function createStepEngine(
  module: AgentModule,
  { instanceFuel }: Pick<GuardedModule, 'instanceFuel'>,
  limits: ExecutionLimits,
): SyncStepEngine {
  return {
    step(state, event, fuel) {
      const granted = fuel - instanceFuel;
      if (granted < 0) return trapped('out-of-fuel', 'no fuel left for a fresh instance', fuel, 0);
      let agent: AgentInstance | undefined;
      try {
        agent = module.instantiate();
        agent.fuel = granted;
        agent.depth = limits.depth;
        const pointer = callStep(agent, state, event);
        const left = agent.fuel;
        const { memory } = agent;
        if (left < 0) return trapped('out-of-fuel', `more than ${fuel} fuel in this step`, fuel, memory.byteLength);
        const lifted = liftStepResult(memory, pointer, limits);
        return { ok: true, fuel: fuel - left, memoryBytes: memory.byteLength, ...lifted };
      } catch (error) {
        return afterTrap(error, module, agent, fuel, granted, limits);
      } finally {
        agent?.release();
      }
    },
  };
}

function trapped(trap: TrapKind, message: string, fuel: number, memoryBytes: number): StepResult {
  return { ok: false, trap, message, fuel, memoryBytes };
}

/**
 * A step that traps costs all the fuel that it was granted, on every engine: at a trap the meter's counter may be lost in a
 * local. What the host refuses of a step that returned costs what it used. The counters tell whether the guard's own
 * `unreachable` was hit: then the engine's word for it says nothing.
 */
function afterTrap(
  error: unknown,
  module: AgentModule,
  agent: AgentInstance | undefined,
  fuel: number,
  granted: number,
  limits: ExecutionLimits,
): StepResult {
  const kind = error instanceof Trap ? error.kind : module.classify(error);
  if (kind === undefined) {
    throw new ChimeraError('CHIMERA_SANDBOX_CRASHED', { why: `the engine failed: ${String(error)}` }, { cause: error });
  }
  const memoryBytes = agent?.memory.byteLength ?? 0;
  const left = agent?.fuel ?? granted;
  if (error instanceof Trap) return trapped(kind, error.message, fuel - Math.max(0, left), memoryBytes);
  if (left < 0) return trapped('out-of-fuel', `more than ${fuel} fuel in this step`, fuel, memoryBytes);
  if (agent !== undefined && agent.depth < 0) {
    return trapped('stack-depth', `calls more than ${limits.depth} deep`, fuel, memoryBytes);
  }
  return trapped(kind, `the agent trapped: ${kind}`, fuel, memoryBytes);
}
