import type { RemoteCost } from '../../learning/remote/types.ts';
import type { Stores } from '../../stores/index.ts';
import type { Principal } from '../route.ts';

/** Writes down what calls of providers cost. */
export interface UsageRecorder {
  /** As the gateway tells it. A line that cannot be written is logged, with all that it says; the call goes on. */
  record(caller: Principal, cost: RemoteCost, usageId: string): void;
  /** Waits for what is being written. */
  settle(): Promise<void>;
}

export function createUsageRecorder(
  { usage }: Pick<Stores, 'usage'>,
  log: { error(details: object, message: string): void },
): UsageRecorder {
  const writing = new Set<Promise<void>>();
  return {
    record({ project, keyName }, cost, usageId) {
      const entry = { ...cost, usageId, caller: keyName };
      const written: Promise<void> = usage
        .put(project, entry)
        .catch((err: unknown) => log.error({ err, project, ...entry }, 'the use of a model was not written down'))
        .finally(() => void writing.delete(written));
      writing.add(written);
    },
    async settle() {
      await Promise.all(writing);
    },
  };
}
