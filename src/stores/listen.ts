import pg from 'pg';
import { storeError } from './errors.ts';

/** `chimera_accepted`: tasks or batches wait for a dispatcher. `chimera_resolved`: a watermark may have moved. */
export type Channel = 'chimera_accepted' | 'chimera_resolved';

/**
 * Calls `onNotify` with each payload (`project/taskType`), and with an empty one after a lost connection was restored,
 * because notifications may have been missed. A notification is a hint, never the truth: poll as well.
 */
export type Listen = (channel: Channel, onNotify: (payload: string) => void) => Promise<{ close(): Promise<void> }>;

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/** {@link Listen} on connections of its own. The first connection must succeed; later ones are retried until closed. */
export function createListen(url: string): Listen {
  return async (channel, onNotify) => {
    let closed = false;
    let client: pg.Client | undefined;
    let timer: NodeJS.Timeout | undefined;

    async function connect(): Promise<void> {
      const next = new pg.Client({ connectionString: url, application_name: 'chimera-listen', keepAlive: true });
      next.on('error', () => undefined);
      try {
        await next.connect();
        await next.query(`LISTEN ${channel}`);
      } catch (error) {
        await next.end().catch(() => undefined);
        throw storeError(error);
      }
      if (closed) return next.end();
      next.on('notification', (message) => onNotify(message.payload ?? ''));
      next.on('end', () => reconnect(FIRST_PAUSE_MS));
      client = next;
    }

    function reconnect(pause: number): void {
      if (closed) return;
      timer = setTimeout(() => {
        connect().then(
          () => closed || onNotify(''),
          () => reconnect(Math.min(2 * pause, LONGEST_PAUSE_MS)),
        );
      }, pause);
    }

    await connect();
    return {
      async close() {
        closed = true;
        clearTimeout(timer);
        await client?.end().catch(() => undefined);
      },
    };
  };
}
