import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ChimeraError } from '../contracts/errors.ts';

export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * Serves `text()` as /metrics on 127.0.0.1; port 0 takes a free one. It never keeps the process alive.
 * @throws ChimeraError `CHIMERA_SETUP` where the port is taken.
 */
export async function serveMetrics(text: () => Promise<string>, port: number): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    if (request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    text().then(
      (body) => response.writeHead(200, { 'content-type': METRICS_CONTENT_TYPE }).end(body),
      () => response.writeHead(500).end(),
    );
  }).unref();
  await listen(server, port);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(new ChimeraError('CHIMERA_SETUP', { what: `metrics port ${port}`, why: error.message }, { cause: error })),
    );
    server.listen({ port, host: '127.0.0.1' }, resolve);
  });
}
