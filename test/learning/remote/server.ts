import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRemoteProvider } from '../../../src/learning/remote/provider.ts';
import type { RemoteProvider, RemoteProviderOptions } from '../../../src/learning/remote/types.ts';

export const KEY = 'sk-very-secret-4711';

export interface Asked {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
  /** Milliseconds since the process began. */
  readonly at: number;
}

/** What the server does with a request. */
export type Behaviour = (response: ServerResponse, asked: Asked) => void | Promise<void>;

export interface RemoteServer {
  readonly baseUrl: string;
  readonly asked: Asked[];
  /** Each request is answered by the next one; the last one stays. */
  behave(...behaviours: Behaviour[]): void;
  close(): Promise<void>;
}

/** A provider on loopback that behaves as it is told. */
export async function startRemoteServer(): Promise<RemoteServer> {
  const asked: Asked[] = [];
  let behaviours: Behaviour[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Asked['body'];
      const one: Asked = { path: request.url ?? '', headers: request.headers, body, at: performance.now() };
      asked.push(one);
      const behaviour = behaviours.length > 1 ? behaviours.shift() : behaviours[0];
      await behaviour?.(response, one);
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    behave: (...next) => {
      behaviours = next;
      asked.length = 0;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Answers with JSON. */
export const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Behaviour =>
  (response) =>
    void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

/** Answers with server-sent events, then does `end`. */
export const events =
  (data: readonly unknown[], end: (response: ServerResponse) => void = (response) => void response.end()): Behaviour =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    const text = data.map((one) => `data: ${typeof one === 'string' ? one : JSON.stringify(one)}\n\n`).join('');
    response.write(text, () => end(response));
  };

export const chat = (content: string, more: object = {}): object => ({
  choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 },
  ...more,
});

export const chunk = (content: string, finish: string | null = null): object => ({
  choices: [{ index: 0, delta: { content }, finish_reason: finish }],
});

export const usageChunk: object = { choices: [], usage: { prompt_tokens: 12, completion_tokens: 3 } };

/** A provider with a small model for each task, and little patience. */
export function providerAt(baseUrl: string, more: Partial<RemoteProviderOptions> = {}): RemoteProvider {
  return createRemoteProvider({
    name: 'vendor',
    baseUrl,
    apiKey: KEY,
    models: [
      {
        name: 'talker',
        remoteName: 'vendor/talker-1',
        tasks: ['generation'],
        pricePerMillionPromptTokens: 2,
        pricePerMillionCompletionTokens: 10,
        lengthParameter: 'max_tokens',
      },
      {
        name: 'embedder',
        remoteName: 'vendor/embedder-1',
        tasks: ['embedding'],
        pricePerMillionPromptTokens: 1,
        pricePerMillionCompletionTokens: 0,
        lengthParameter: 'max_tokens',
      },
    ],
    timeoutMs: 5_000,
    retries: { count: 2, firstDelayMs: 20, mostDelayMs: 1_500, seed: 'test' },
    answerBytes: 100_000,
    ...more,
  });
}
