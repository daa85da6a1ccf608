import { Buffer } from 'node:buffer';
import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import https, { type RequestOptions } from 'node:https';
import type { LookupFunction, Socket } from 'node:net';
import type { ErrorCode } from '../../contracts/errors.ts';
import type { HttpMethod } from './request.ts';

/** One request to one host whose addresses have been checked. */
export interface Exchange {
  readonly method: HttpMethod;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** The connection goes to one of these and nowhere else, whatever the name resolves to by then. */
  readonly addresses: readonly ResolvedAddress[];
  /** Asked once more about the address that the socket is connected to. */
  readonly mayConnect: (address: string, port: number) => boolean;
  readonly headerBytes: number;
  readonly bodyBytes: number;
  /** Certificates to trust instead of the machine's, PEM. */
  readonly ca?: string;
  readonly signal: AbortSignal;
}

export interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

export interface HttpResponse {
  readonly kind: 'response';
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Of a redirect: empty, it is not read. */
  readonly body: Uint8Array;
}

/** Why there is no response. */
export interface Fault {
  readonly kind: 'fault';
  readonly code: ErrorCode;
  /** The same on every machine: no error texts of the system, no addresses. */
  readonly why: string;
  /** Nothing of an answer came, and the next attempt may fare better. */
  readonly transient: boolean;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const MAX_INTERIM = 8;

const unreachable = (why: string, transient = false): Fault => ({
  kind: 'fault',
  code: 'CHIMERA_UNREACHABLE',
  why,
  transient,
});

const tooLarge = (what: string, limit: number): Fault => ({
  kind: 'fault',
  code: 'CHIMERA_TOO_LARGE',
  why: `${what} of the answer has more than ${limit} bytes`,
  transient: false,
});

/** Where a response with this status and these headers leads to, if it is a redirect. */
export function redirectOf(status: number, headers: IncomingHttpHeaders): string | undefined {
  return REDIRECTS.has(status) ? headers.location : undefined;
}

/**
 * Sends one request on a connection of its own and reads the answer within its limits. Nothing is shared between exchanges:
 * no agent, no kept connection, no TLS session, no proxy of the environment, and a lax parser or a lax TLS that the
 * process may have been started with do not hold. Never rejects; an aborted signal ends it as a fault.
 */
export function exchange(asked: Exchange): Promise<HttpResponse | Fault> {
  const { promise, resolve } = Promise.withResolvers<HttpResponse | Fault>();
  const request = (asked.url.protocol === 'https:' ? https : http).request(asked.url, optionsOf(asked));
  let phase: Phase = 'connecting';
  const end = (result: HttpResponse | Fault): void => {
    resolve(result);
    request.destroy();
  };
  request.on('socket', (socket: Socket) => {
    socket.once('connect', () => {
      phase = asked.url.protocol === 'https:' ? 'securing' : 'waiting';
      if (!asked.mayConnect(socket.remoteAddress ?? '', socket.remotePort ?? 0)) end(strayed);
    });
    socket.once('secureConnect', () => (phase = 'waiting'));
  });
  let interim = 0;
  request.on('information', () => {
    if (++interim > MAX_INTERIM) end(notHttp);
  });
  request.on('upgrade', () => end(notHttp));
  request.on('response', (response) => void read(response, asked).then(end));
  request.on('error', (error: NodeJS.ErrnoException) => end(faultOf(error, phase, asked)));
  request.end(asked.body);
  return promise;
}

type Phase = 'connecting' | 'securing' | 'waiting';

const strayed: Fault = {
  kind: 'fault',
  code: 'CHIMERA_FORBIDDEN',
  why: 'its address may not be reached',
  transient: false,
};
const notHttp = unreachable('it does not answer in HTTP');
const broken = unreachable('the connection broke before the answer was whole');

function optionsOf(asked: Exchange): RequestOptions {
  const { method, headers, body, headerBytes, ca, signal } = asked;
  return {
    method,
    headers: {
      'user-agent': 'chimera',
      ...headers,
      'accept-encoding': 'identity',
      ...(body === undefined ? {} : { 'content-length': body.length }),
    },
    agent: false,
    lookup: pinned(asked.addresses),
    maxHeaderSize: headerBytes,
    insecureHTTPParser: false,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    signal,
    ...(ca === undefined ? {} : { ca }),
  };
}

/** A lookup that knows only what was checked. */
function pinned(addresses: readonly ResolvedAddress[]): LookupFunction {
  return (_hostname, { all }, callback) => {
    const [first] = addresses;
    if (all === true) callback(null, [...addresses]);
    else callback(null, first?.address ?? '', first?.family);
  };
}

async function read(response: IncomingMessage, { method, bodyBytes }: Exchange): Promise<HttpResponse | Fault> {
  const status = response.statusCode ?? 0;
  const { headers } = response;
  const answer = (body: Uint8Array): HttpResponse => ({ kind: 'response', status, headers, body });
  if (redirectOf(status, headers) !== undefined) return answer(new Uint8Array(0));
  const hasBody = method !== 'HEAD' && status !== 204 && status !== 304;
  if (hasBody && Number(headers['content-length'] ?? 0) > bodyBytes) return tooLarge('the body', bodyBytes);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > bodyBytes) return tooLarge('the body', bodyBytes);
      chunks.push(chunk);
    }
  } catch {
    // An end before the promised length is an error of the stream as well.
    return broken;
  }
  return answer(Buffer.concat(chunks));
}

function faultOf({ code = '' }: NodeJS.ErrnoException, phase: Phase, { headerBytes }: Exchange): Fault {
  if (code === 'HPE_HEADER_OVERFLOW') return tooLarge('the header', headerBytes);
  if (code.startsWith('HPE_')) return notHttp;
  if (phase === 'connecting') return unreachable('no connection can be made', true);
  if (code === 'ECONNRESET' || code === 'EPIPE') return unreachable('the connection broke before an answer came', true);
  return phase === 'securing' ? unreachable('its TLS certificate or protocol is not valid') : notHttp;
}
