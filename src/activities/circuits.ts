import { ChimeraError, isChimeraError } from '../contracts/errors.ts';
import { Breakers, DEFAULT_BREAKER, type BreakerOptions } from '../effects/breaker.ts';
import type { AgentRef, Fabric } from '../fabric/index.ts';

/** Did a sandbox die of it, or overrun its wall time? */
export function isSandboxFault(error: unknown): error is ChimeraError {
  return isChimeraError(error, 'CHIMERA_SANDBOX_CRASHED') || isChimeraError(error, 'CHIMERA_WALL_DEADLINE');
}

/**
 * A fabric in which an agent that brings its sandbox down, time after time in a row, is left alone for a while: each of its runs
 * would cost a process, or a minute of one, that others wait for. Its runs fail at once with `CHIMERA_CIRCUIT_OPEN`, whose
 * details say when to try again. Agents that fail or trap are no such case.
 */
export function withCircuits(fabric: Fabric, options: Partial<BreakerOptions> = {}): Fabric {
  const { openMs } = { ...DEFAULT_BREAKER, ...options };
  const breakers = new Breakers(options);
  const guarded = async <R>({ sha256 }: AgentRef, work: () => Promise<R>): Promise<R> => {
    const outcome = await breakers.run<{ result: R } | { fault: ChimeraError }>(
      sha256,
      async () => {
        try {
          return { value: { result: await work() }, health: 'well' };
        } catch (fault) {
          if (!isSandboxFault(fault)) throw fault;
          return { value: { fault }, health: 'ill' };
        }
      },
      () => {
        const details = { agent: sha256.slice(0, 12), retryAfterMs: openMs };
        return { fault: new ChimeraError('CHIMERA_CIRCUIT_OPEN', details) };
      },
    );
    if ('fault' in outcome) throw outcome.fault;
    return outcome.result;
  };
  return {
    ...fabric,
    run: (job, call) => guarded(job.agent, () => fabric.run(job, call)),
    advance: (job, call) => guarded(job.agent, () => fabric.advance(job, call)),
  };
}
