import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ModelEntry, ModelSource } from '../../../src/learning/registry/manifest.ts';

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Bytes that differ everywhere, so that one in the wrong place is noticed. */
export const WEIGHTS = Buffer.from(Uint32Array.from({ length: 75_000 }, (_, i) => Math.imul(i, 2_654_435_761)).buffer);
export const CONFIG = Buffer.from('{"hidden_size": 4}');
export const FILES: Readonly<Record<string, Buffer>> = { 'model.safetensors': WEIGHTS, 'config.json': CONFIG };

/** A model of two files, from these sources. */
export function testModel(...sources: readonly ModelSource[]): ModelEntry {
  return {
    name: 'tiny',
    description: 'a model for tests',
    licence: 'MIT',
    home: 'https://models.test/tiny',
    files: Object.entries(FILES).map(([name, bytes]) => ({ name, bytes: bytes.length, sha256: sha256(bytes) })),
    sources: [...sources],
  };
}

export interface FileServer {
  /** With a slash at its end. */
  readonly url: string;
  /** `NAME` or `NAME from BYTE`, one a request. */
  readonly asked: string[];
  /** Ends every connection, whatever is under way. */
  breakOff(): void;
  close(): Promise<void>;
}

export type Handler = (response: ServerResponse, file: Buffer, from: number, request: IncomingMessage) => void;

/** Answers as it should, ranges included. */
export const honest: Handler = (response, file, from) => {
  if (from > 0) {
    response.statusCode = 206;
    response.setHeader('content-range', `bytes ${from}-${file.length - 1}/${file.length}`);
  }
  response.setHeader('content-length', file.length - from);
  response.end(file.subarray(from));
};

/** A server of {@link FILES}; `handlers` in turn answer for the weights, the last one from then on. */
export async function serve(...handlers: readonly Handler[]): Promise<FileServer> {
  const asked: string[] = [];
  let turn = 0;
  const server = createServer((request, response) => {
    const name = request.url!.split('/').at(-1)!;
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    asked.push(from === 0 ? name : `${name} from ${from}`);
    const handler = name === 'model.safetensors' ? handlers[Math.min(turn++, handlers.length - 1)]! : honest;
    handler(response, FILES[name]!, from, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/tiny/`,
    asked,
    breakOff: () => server.closeAllConnections(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
