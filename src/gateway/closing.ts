import type { FastifyInstance } from 'fastify';

/** How long answers that are under way may take to end, in ms. */
const GRACE_MS = 5_000;

/**
 * Ends what is under way when the gateway closes. Fastify closes connections that are idle then; one that becomes so later would live
 * for the whole keep-alive time, and an answer as long as its model talks.
 * @returns a signal that is aborted when the gateway begins to close
 */
export function addClosing(app: FastifyInstance, graceMs = GRACE_MS): AbortSignal {
  const closing = new AbortController();
  app.addHook('preClose', (done) => {
    closing.abort(new Error('the service is closing'));
    setTimeout(() => app.server.closeAllConnections(), graceMs).unref();
    done();
  });
  app.addHook('onResponse', (_request, _reply, done) => {
    if (closing.signal.aborted) setImmediate(() => app.server.closeIdleConnections());
    done();
  });
  return closing.signal;
}
