import { ChimeraError } from '../contracts/errors.ts';
import { deviceQueue } from '../contracts/names.ts';
import { probeProvider, type ProviderState } from '../learning/runtime/probe.ts';
import type { Provider } from '../learning/runtime/provider.ts';
import { deviceRuntimes, type Manifest } from '../manifest/manifest.ts';
import type { QueueRole } from './roles.ts';

/** A provider that is there answers in a few seconds; the first use of a card compiles its kernels. */
const PROBE_MS = 60_000;

/**
 * Those of a role's queues that this machine can work on: of devices, those whose provider is here. A worker of all roles leaves the
 * others to other machines and says so.
 * @throws ChimeraError `CHIMERA_SETUP` for a worker that was asked for one device class and cannot have it
 */
export async function withDevices(
  role: string,
  queues: readonly QueueRole[],
  manifest: Manifest,
  onProblem: (problem: ChimeraError) => void,
  probe: (provider: Provider) => Promise<ProviderState> = (provider) => probeProvider(provider, PROBE_MS),
): Promise<QueueRole[]> {
  const problems = new Map<string, ChimeraError>();
  const states = new Map<Provider, Promise<ProviderState>>();
  const served = new Set(queues.map(({ queue }) => queue));
  for (const [name, { provider }] of Object.entries(deviceRuntimes(manifest))) {
    const queue = deviceQueue(name);
    // Of the processor one can be sure.
    if (provider === 'cpu' || !served.has(queue)) continue;
    if (!states.has(provider)) states.set(provider, probe(provider));
    const { available, detail, action } = await states.get(provider)!;
    const why = `${provider}: ${detail}. ${action}`;
    if (!available) problems.set(queue, new ChimeraError('CHIMERA_SETUP', { what: `a device of class ${name}`, why }));
  }
  for (const problem of problems.values()) {
    if (role !== 'all') throw problem;
    onProblem(problem);
  }
  return queues.filter(({ queue }) => !problems.has(queue));
}
