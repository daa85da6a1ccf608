import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { modelDirectory } from '../../../src/learning/registry/cache.ts';
import { versionOf, type ModelEntry } from '../../../src/learning/registry/manifest.ts';
import { fetchModel, type FetchedModel, type FetchModelOptions } from '../../../src/learning/registry/sources.ts';
import { CONFIG, honest, serve, testModel, WEIGHTS, type FileServer, type Handler } from './fixture.ts';

const LIMITS = { connectMs: 20_000, idleMs: 20_000 };
const HALF = 150_000;

/** Says how much there is, and sends a half. */
const stalls: Handler = (response, file) => {
  response.setHeader('content-length', file.length);
  response.write(file.subarray(0, HALF));
};
const fails: Handler = (response) => {
  response.statusCode = 503;
  response.end();
};
const sends =
  (bytes: Uint8Array): Handler =>
  (response) => {
    response.end(bytes);
  };
describe('a base model from a hub', () => {
  let cacheDir: string;
  let server: FileServer;
  let model: ModelEntry;
  let directory: string;
  let weights: string;
  const partial = (): string => `${weights}.partial`;

  beforeEach(() => {
    cacheDir = mkdtempSync(join(tmpdir(), 'chimera-hub-'));
  });
  afterEach(async () => {
    await server.close();
    rmSync(cacheDir, { recursive: true });
  });

  const hub = async (...handlers: Handler[]): Promise<void> => {
    server = await serve(...handlers);
    model = testModel({ kind: 'hub', url: server.url });
    directory = modelDirectory(cacheDir, 'tiny', versionOf(model));
    weights = join(directory, 'model.safetensors');
  };
  const fetchIt = (options: Partial<FetchModelOptions> = {}): Promise<FetchedModel> =>
    fetchModel(model, { cacheDir, limits: LIMITS, ...options });
  const beginWith = (bytes: Uint8Array): void => {
    mkdirSync(directory, { recursive: true });
    writeFileSync(partial(), bytes);
  };
  const isWhole = (): void => {
    assert.deepEqual(readdirSync(directory).sort(), ['config.json', 'model.safetensors']);
    assert.deepEqual(readFileSync(weights), WEIGHTS);
    assert.deepEqual(readFileSync(join(directory, 'config.json')), CONFIG);
  };
  const refused = async (why: RegExp, options: Partial<FetchModelOptions> = {}): Promise<void> => {
    await assert.rejects(fetchIt(options), (error) => {
      assert.ok(isChimeraError(error, 'CHIMERA_MODEL_UNAVAILABLE'), String(error));
      assert.match(error.message, why);
      assert.equal(error.details.problems?.[0]?.path, `hub ${server.url}`);
      return true;
    });
    assert.ok(!existsSync(weights), 'nothing lies where the weights belong');
    assert.ok(!existsSync(join(directory, '.lock')));
  };

  it('is downloaded, checked and kept; the second time it comes from the cache', async () => {
    await hub(honest);
    const progress: [number, number][] = [];
    const total = WEIGHTS.length + CONFIG.length;
    const onProgress = (bytes: number, of: number): unknown => progress.push([bytes, of]);
    assert.deepEqual(await fetchIt({ onProgress }), { directory, source: `hub ${server.url}` });
    isWhole();
    assert.deepEqual(progress.at(-1), [total, total]);
    assert.ok(progress.every(([bytes], i) => bytes > (progress[i - 1]?.[0] ?? 0)));
    assert.deepEqual(await fetchIt(), { directory, source: 'cache' });
    assert.deepEqual(server.asked, ['model.safetensors', 'config.json']);
  });

  it('is refused with the path where the cache cannot be written', async () => {
    await hub(honest);
    const file = join(cacheDir, 'a-file');
    writeFileSync(file, '');
    await assert.rejects(fetchIt({ cacheDir: file }), {
      code: 'CHIMERA_SETUP',
      message: /the cache of base models[^]*a-file/,
    });
  });

  it('is downloaded again where a file in the cache was changed, and only that file', async () => {
    await hub(honest);
    await fetchIt();
    const lines: string[] = [];
    writeFileSync(join(directory, 'config.json'), 'x'.repeat(CONFIG.length));
    await fetchIt({ onLine: (line) => lines.push(line) });
    isWhole();
    assert.match(lines[0]!, /not used: config\.json has SHA-256 .* it is removed/);
    assert.deepEqual(server.asked, ['model.safetensors', 'config.json', 'config.json']);
  });

  it('goes on where an earlier download ended, with exactly the bytes that are missing', async () => {
    await hub(honest);
    beginWith(WEIGHTS.subarray(0, 123_457));
    const progress: number[] = [];
    await fetchIt({ onProgress: (bytes) => progress.push(bytes) });
    isWhole();
    assert.deepEqual(server.asked, ['model.safetensors from 123457', 'config.json']);
    assert.ok(progress[0]! > 123_457);
  });

  it('goes on by itself where the connection breaks off', async () => {
    await hub(stalls, honest);
    await fetchIt({ onProgress: (bytes) => bytes === HALF && server.breakOff() });
    isWhole();
    assert.deepEqual(server.asked, ['model.safetensors', `model.safetensors from ${HALF}`, 'config.json']);
  });

  it('keeps what has come where the server does not send the rest', async () => {
    await hub(stalls, fails);
    await refused(/HTTP 503/, { onProgress: (bytes) => bytes === HALF && server.breakOff() });
    assert.deepEqual(readFileSync(partial()), WEIGHTS.subarray(0, HALF));
    assert.deepEqual(server.asked, ['model.safetensors', `model.safetensors from ${HALF}`]);
  });

  for (const [what, answer] of [
    ['ignores the range', (response, file) => honest(response, file, 0, undefined as never)],
    [
      'sends another range',
      (response, file, from) => {
        if (from === 0) return honest(response, file, 0, undefined as never);
        response.statusCode = 206;
        response.setHeader('content-range', `bytes 7-${file.length - 1}/${file.length}`);
        response.end(file.subarray(7));
      },
    ],
    [
      'refuses the range',
      (response, file, from) => {
        if (from === 0) return honest(response, file, 0, undefined as never);
        response.statusCode = 416;
        response.end();
      },
    ],
  ] satisfies [string, Handler][])
    it(`begins anew where the server ${what}`, async () => {
      await hub(answer);
      beginWith(WEIGHTS.subarray(0, HALF));
      await fetchIt();
      isWhole();
    });

  it('begins anew where the beginning that lay there was of something else, and where too much lay there', async () => {
    await hub(honest);
    beginWith(Buffer.alloc(HALF));
    await fetchIt();
    isWhole();
    rmSync(directory, { recursive: true });
    beginWith(Buffer.alloc(WEIGHTS.length + 1));
    await fetchIt();
    isWhole();
    assert.deepEqual(
      server.asked.filter((name) => name.startsWith('model')),
      [`model.safetensors from ${HALF}`, 'model.safetensors', 'model.safetensors'],
    );
  });

  it('needs no server for a download that ended just before it was moved to its place', async () => {
    await hub(honest);
    beginWith(WEIGHTS);
    await fetchIt();
    isWhole();
    assert.deepEqual(server.asked, ['config.json']);
  });

  it('is refused and removed where its hash is another one', async () => {
    const wrong = Buffer.from(WEIGHTS);
    wrong[HALF]! ^= 1;
    await hub(sends(wrong));
    await refused(/model\.safetensors has SHA-256 [0-9a-f]{64}, pinned is [0-9a-f]{64}; it was removed/);
    assert.deepEqual(readdirSync(directory), []);
  });

  it('is refused where the server has more or fewer bytes than are pinned, said beforehand or not', async () => {
    const more = Buffer.concat([WEIGHTS, Buffer.alloc(9)]);
    await hub((response) => {
      response.setHeader('content-length', more.length);
      response.end(more);
    });
    await refused(/it has 300009 bytes, pinned are 300000/);
    await server.close();
    await hub((response) => {
      response.write(more.subarray(0, 10));
      response.end(more.subarray(10));
    });
    await refused(/it has more than the pinned 300000 bytes/);
    assert.deepEqual(readdirSync(directory), [], 'what came is not the beginning of our file');
    await server.close();
    await hub((response) => {
      response.write(WEIGHTS.subarray(0, 10));
      response.end();
    });
    await refused(/broke off after 10 of 300000 bytes/);
  });

  it('is refused by a server that does not have it, or is not there', async () => {
    await hub((response) => {
      response.statusCode = 404;
      response.end();
    });
    await refused(/HTTP 404/);
    await server.close();
    await refused(/ECONNREFUSED/);
  });

  it('is given up where the server does not answer, or sends no more', async () => {
    await hub(() => undefined);
    await refused(/no answer within 50 ms/, { limits: { ...LIMITS, connectMs: 50 } });
    await server.close();
    await hub(stalls);
    await refused(/broke off after \d+ of 300000 bytes: no byte for 50 ms/, { limits: { ...LIMITS, idleMs: 50 } });
    const kept = readFileSync(partial());
    assert.deepEqual(kept, WEIGHTS.subarray(0, kept.length));
  });

  it('follows redirects to servers of the manifest, and to no other without https', async () => {
    const to =
      (url: () => string): Handler =>
      (response) => {
        response.writeHead(302, { location: url() });
        response.end();
      };
    await hub(
      to(() => '/moved/model.safetensors'),
      honest,
    );
    await fetchIt();
    isWhole();
    rmSync(directory, { recursive: true });

    const other = await serve(honest);
    await server.close();
    await hub(to(() => `${other.url}model.safetensors`));
    try {
      await refused(/it redirects to http:\/\/127\.0\.0\.1:\d+, which is neither https nor named in the manifest/);
      assert.deepEqual(other.asked, []);
      model.sources.push({ kind: 'hub', url: other.url });
      await fetchIt();
      isWhole();
    } finally {
      await other.close();
    }
    rmSync(directory, { recursive: true });
    await server.close();
    await hub(to(() => '/tiny/model.safetensors'));
    await refused(/it redirects more than 5 times/);
  });

  it('is downloaded once where two ask at the same time', async () => {
    await hub(honest);
    const lines: string[] = [];
    const onLine = (line: string): unknown => lines.push(line);
    const both = await Promise.all([fetchIt({ onLine }), fetchIt({ onLine })]);
    assert.deepEqual(both.map(({ source }) => source).sort(), ['cache', `hub ${server.url}`]);
    assert.ok(lines.includes(`waiting for process ${process.pid}, which downloads it`));
    assert.deepEqual(server.asked, ['model.safetensors', 'config.json']);
    isWhole();
  });

  it('can be cancelled, and the next download goes on from there', async () => {
    await hub(stalls, honest);
    const cancel = new AbortController();
    const onProgress = (bytes: number): void => {
      if (bytes === HALF) cancel.abort();
    };
    await assert.rejects(fetchIt({ onProgress, signal: cancel.signal }), {
      code: 'CHIMERA_CANCELLED',
      message: /the download of tiny was cancelled/,
    });
    assert.equal(statSync(partial()).size, HALF);
    assert.ok(!existsSync(join(directory, '.lock')));
    await fetchIt();
    isWhole();
    assert.equal(server.asked[1], `model.safetensors from ${HALF}`);
  });

  it('can be cancelled while it waits for another', async () => {
    await hub(stalls);
    const [first, second] = [new AbortController(), new AbortController()];
    const begun = Promise.withResolvers<void>();
    const downloading = fetchIt({ signal: first.signal, onProgress: () => begun.resolve() });
    await begun.promise;
    await assert.rejects(fetchIt({ signal: second.signal, onLine: () => second.abort() }), {
      code: 'CHIMERA_CANCELLED',
    });
    first.abort();
    await assert.rejects(downloading, { code: 'CHIMERA_CANCELLED' });
  });
});
