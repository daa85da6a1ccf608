import { ChimeraError } from '../contracts/errors.ts';
import { deviceQueue, TASK_QUEUES } from '../contracts/names.ts';
import type { Manifest } from '../manifest/manifest.ts';

/** What one worker polls. */
export interface QueueRole {
  queue: string;
  kind: 'workflow' | 'activity' | 'device';
  slots: number;
}

/**
 * The queues of a role: `all`, `workflows`, `io`, `wasm`, or `device:<class>`. Slots come from temporal.yaml. `all` takes
 * every device class that the manifest gives a queue.
 * @throws ChimeraError `CHIMERA_NOT_FOUND` for an unknown role, naming the known ones.
 */
export function queuesOf(role: string, manifest: Manifest): QueueRole[] {
  const all = manifest.taskQueues.map(({ name, kind, slots }) => ({ queue: name, kind, slots }));
  if (role === 'all') return all;
  const queue = queueOf(role);
  const found = all.filter((entry) => entry.queue === queue);
  if (found.length > 0) return found;
  const devices = manifest.taskQueues.flatMap((entry) =>
    entry.kind === 'device' ? [`device:${entry.deviceClass}`] : [],
  );
  const known = ['all', 'workflows', 'io', 'wasm', ...devices].join(', ');
  throw new ChimeraError('CHIMERA_NOT_FOUND', { what: `worker role (known: ${known})`, name: role });
}

function queueOf(role: string): string | undefined {
  if (role.startsWith('device:')) return deviceQueue(role.slice('device:'.length));
  return (TASK_QUEUES as Record<string, string>)[role];
}
