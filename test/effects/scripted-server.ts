import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import tls from 'node:tls';
import type { SelfSigned } from './certificate.ts';

/** A request as it arrived. */
export interface Seen {
  readonly method: string;
  readonly target: string;
  /** Names in lower case; of a header that came twice, the last. */
  readonly headers: Readonly<Record<string, string>>;
  readonly head: string;
  readonly body: string;
}

export type Script = (socket: Socket, seen: Seen) => void;

/** A server on loopback that answers byte for byte what its script says, by path: `answer` for the usual. */
export class ScriptedServer {
  readonly seen: Seen[] = [];
  connections = 0;
  readonly #server: net.Server;
  readonly #sockets = new Set<Socket>();
  readonly #scripts = new Map<string, Script>();

  private constructor(certificate?: SelfSigned) {
    const accept = (socket: Socket): void => this.#accept(socket);
    this.#server = certificate === undefined ? net.createServer(accept) : tls.createServer(certificate, accept);
    this.#server.on('connection', (socket: Socket) => {
      this.connections++;
      this.#sockets.add(socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket)));
    });
    this.#server.on('tlsClientError', () => undefined);
    this.on('/good', answer(200, 'good'));
  }

  static async start(certificate?: SelfSigned): Promise<ScriptedServer> {
    const server = new ScriptedServer(certificate);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  on(path: string, script: Script): this {
    this.#scripts.set(path, script);
    return this;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(socket: Socket): void {
    let bytes = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = bytes.toString('latin1', 0, end);
      const [line = '', ...lines] = head.split('\r\n');
      const headers = Object.fromEntries(
        lines.map((one) => [one.slice(0, one.indexOf(':')).toLowerCase(), one.slice(one.indexOf(':') + 1).trim()]),
      );
      const body = bytes.subarray(end + 4);
      if (body.length < Number(headers['content-length'] ?? 0)) return;
      const [method = '', target = ''] = line.split(' ');
      const seen = { method, target, headers, head, body: body.toString() };
      this.seen.push(seen);
      socket.removeAllListeners('data');
      (this.#scripts.get(target.split('?')[0]!) ?? answer(404, ''))(socket, seen);
    });
  }
}

/** A whole and honest answer. */
export const answer =
  (status: number, body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}): Script =>
  (socket, { method }) => {
    const bytes = Buffer.from(body);
    const lines = Object.entries({ 'content-length': String(bytes.length), ...headers }).map(
      ([k, v]) => `${k}: ${v}\r\n`,
    );
    socket.write(`HTTP/1.1 ${status} Any\r\n${lines.join('')}\r\n`);
    socket.end(method === 'HEAD' ? '' : bytes);
  };

/** These bytes, and then the end of the stream or nothing more. */
export const raw =
  (text: string | Uint8Array, then: 'end' | 'hang' | 'reset' = 'end'): Script =>
  (socket) => {
    socket.write(text, () => {
      if (then === 'end') socket.end();
      else if (then === 'reset') socket.resetAndDestroy();
    });
  };

/** `head`, and then `piece` for ever, as fast as it is read. */
export const flood =
  (head: string, piece: string): Script =>
  (socket) => {
    const pour = (): void => {
      while (!socket.destroyed && socket.write(piece));
    };
    socket.write(head);
    socket.on('drain', pour);
    pour();
  };

/** `head`, and then one byte of `piece` every few milliseconds for ever. */
export const drip =
  (head: string, piece: string): Script =>
  (socket) => {
    socket.write(head);
    let at = 0;
    const timer = setInterval(() => socket.write(piece[at++ % piece.length]!), 5);
    socket.on('close', () => clearInterval(timer));
  };
