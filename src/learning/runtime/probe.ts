import { fileURLToPath } from 'node:url';
import { isChimeraError } from '../../contracts/errors.ts';
import { CallProcess } from '../process/calls.ts';
import type { Provider } from './provider.ts';

const ENTRY = fileURLToPath(new URL('./probe-child.ts', import.meta.url));

/** Whether graphs can be run by a provider on this machine. */
export interface ProviderState {
  readonly provider: Provider;
  readonly available: boolean;
  /** What was found: how exact it is, or why it cannot be used. */
  readonly detail: string;
  /** What would make it available; empty where it is. */
  readonly action: string;
}

export type ProbeCalls = {
  readonly probe: { readonly input: Provider; readonly output: ProviderState };
};

/**
 * Trains a tiny model by a provider and compares its gradient with the processor's. Never throws: it happens in a process of its
 * own, since a driver may take its process down or never come back.
 * @param deadlineMs how long that may take
 */
export async function probeProvider(
  provider: Provider,
  deadlineMs: number,
  entry: string = ENTRY,
): Promise<ProviderState> {
  const failed = (detail: string, action: string): ProviderState => ({ provider, available: false, detail, action });
  const child = new CallProcess<ProbeCalls>(entry, {}, { quiet: true });
  const { promise: late, resolve } = Promise.withResolvers<ProviderState>();
  const timer = setTimeout(
    () => resolve(failed(`it did not answer within ${deadlineMs} ms`, 'Look whether its driver works.')),
    deadlineMs,
  );
  try {
    return await Promise.race([child.call('probe', provider), late]);
  } catch (error) {
    const died = isChimeraError(error, 'CHIMERA_MODEL_CRASHED');
    const why = isChimeraError(error) ? String(error.details['why']) : String(error);
    const detail = died ? `the process that tried it died: ${why}` : `trying it failed: ${why}`;
    return failed(detail, 'Look whether its driver fits its libraries.');
  } finally {
    clearTimeout(timer);
    child.kill();
  }
}
