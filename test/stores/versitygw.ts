import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { defaultCacheDir } from '../../src/config/paths.ts';
import { goVersion } from '../../src/devstack/go-build.ts';
import { freePort } from '../../src/devstack/ports.ts';
import type { S3Options } from '../../src/stores/index.ts';

const MODULE = 'github.com/versity/versitygw/cmd/versitygw';
const VERSION = '1.8.0';

export interface S3Server {
  options(bucket: string): S3Options;
  stop(): Promise<void>;
}

/** The pinned S3 server, built once into the cache; or the reason why there is none. */
export async function s3Binary(): Promise<{ path: string } | { why: string }> {
  const folder = join(process.env['CHIMERA_CACHE'] ?? defaultCacheDir(process.env), 'bin');
  const path = join(folder, `versitygw-${VERSION}`);
  if (existsSync(path)) return { path };
  if ((await goVersion()) === undefined) return { why: 'Go is not installed' };
  mkdirSync(folder, { recursive: true });
  const draft = mkdtempSync(join(folder, 'versitygw-'));
  try {
    console.log(`      building ${MODULE} v${VERSION} (some minutes, once)`);
    await promisify(execFile)('go', ['install', `${MODULE}@v${VERSION}`], { env: { ...process.env, GOBIN: draft } });
    renameSync(join(draft, 'versitygw'), path);
    return { path };
  } catch (error) {
    return { why: `it does not build: ${(error as Error).message.split('\n').at(-2) ?? ''}` };
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** Starts a server with an empty folder, or says in a printed line why S3 is not tested here. */
export async function startS3(): Promise<S3Server | undefined> {
  const found = await s3Binary();
  if ('why' in found) {
    console.log(`      S3 is not tested here: ${found.why}`);
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), 'chimera-s3-'));
  const port = await freePort();
  const credentials = { accessKeyId: 'chimera', secretAccessKey: 'chimera-secret' };
  const server: ChildProcess = spawn(found.path, ['--port', `127.0.0.1:${port}`, '--quiet', 'posix', folder], {
    env: { ROOT_ACCESS_KEY: credentials.accessKeyId, ROOT_SECRET_KEY: credentials.secretAccessKey },
    stdio: 'ignore',
  });
  const endpoint = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries++) {
    const answered = await fetch(endpoint).then(
      () => true,
      () => false,
    );
    if (answered) break;
    if (tries > 200 || server.exitCode !== null) throw new Error('the S3 server does not start');
    await delay(50);
  }
  return {
    options: (bucket) => ({ bucket, prefix: 'some/folder', region: 'us-east-1', endpoint, credentials }),
    async stop() {
      const gone = new Promise((resolve) => server.once('exit', resolve));
      server.kill();
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
