import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';

/** Is nobody listening on this port? */
export async function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * A free port. Drawn below the range from which systems take the ports of outgoing connections, so that a server which
 * is restarted finds its port still free.
 */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    if (await isFree(port, host)) return port;
  }
}

/** The first free port of `preferred` (0 and undefined are skipped), else any free one. */
export async function pickPort(preferred: readonly (number | undefined)[], host = '127.0.0.1'): Promise<number> {
  for (const port of preferred) if (port !== undefined && port > 0 && (await isFree(port, host))) return port;
  return freePort(host);
}

/** Does somebody accept connections there? */
export async function isListening(port: number, host = '127.0.0.1', limitMs = 1000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host, timeout: limitMs });
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => done(true));
    socket.once('timeout', () => done(false));
    socket.once('error', () => done(false));
  });
}
