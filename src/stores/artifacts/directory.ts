import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { failpoint } from '../../contracts/failpoint.ts';
import type { ArtifactRef } from '../../contracts/records.ts';
import { artifactKey, type ArtifactStore, type StoredArtifact } from './artifact-store.ts';
import { digest, mediumError, notFound, spool, verified } from './content.ts';

/** The bucket name of artifacts that lie in a directory. */
export const DIRECTORY_BUCKET = 'local';
const NAME = /^[0-9a-f]{64}$/;

/** Artifacts as files under `root`: written aside, flushed, then renamed, so that a crash leaves all or nothing. */
export function createDirectoryArtifacts(root: string): ArtifactStore {
  const incoming = join(root, 'incoming');
  const pathOf = (sha256: string): string => join(root, artifactKey(sha256));
  const refOf = (sha256: string, bytes: number): ArtifactRef => ({
    bucket: DIRECTORY_BUCKET,
    key: artifactKey(sha256),
    sha256,
    bytes,
  });

  /** Is it there in full? Then its time is renewed: the garbage collection must see that somebody wants it. */
  async function renew(sha256: string, bytes: number): Promise<boolean> {
    const path = pathOf(sha256);
    const found = await statOrNone(path);
    if (found?.size !== bytes) return false;
    const now = new Date();
    return utimes(path, now, now).then(
      () => true,
      () => false,
    );
  }

  async function put(content: Parameters<ArtifactStore['put']>[0]): Promise<ArtifactRef> {
    if (content instanceof Uint8Array) {
      const sha256 = digest(content);
      if (await renew(sha256, content.byteLength)) return refOf(sha256, content.byteLength);
    }
    await mkdir(incoming, { recursive: true });
    const { path, sha256, bytes } = await spool(content, incoming);
    const target = pathOf(sha256);
    await mkdir(dirname(target), { recursive: true });
    await rename(path, target);
    await syncFolder(dirname(target));
    return refOf(sha256, bytes);
  }

  return {
    async put(content) {
      const ref = await put(content).catch((error: unknown) => {
        throw mediumError(error);
      });
      failpoint('artifact.put');
      return ref;
    },

    async get({ sha256 }) {
      const bytes = await readFile(pathOf(sha256)).catch((error: NodeJS.ErrnoException) => {
        throw error.code === 'ENOENT' ? notFound(sha256) : mediumError(error);
      });
      return verified(sha256, bytes);
    },

    has: async ({ sha256 }) => (await statOrNone(pathOf(sha256))) !== undefined,

    async *list() {
      for (const fan of await names(join(root, 'sha256'))) {
        for (const sha256 of await names(join(root, 'sha256', fan))) {
          const found = NAME.test(sha256) ? await statOrNone(pathOf(sha256)) : undefined;
          if (found !== undefined) {
            yield { ...refOf(sha256, found.size), modifiedAt: found.mtime } satisfies StoredArtifact;
          }
        }
      }
    },

    async delete({ sha256 }, { unmodifiedSince } = {}) {
      const found = await statOrNone(pathOf(sha256));
      if (found === undefined || (unmodifiedSince !== undefined && found.mtime > unmodifiedSince)) return false;
      await rm(pathOf(sha256), { force: true }).catch((error: unknown) => {
        throw mediumError(error);
      });
      return true;
    },

    close: () => Promise.resolve(),
  };
}

async function statOrNone(path: string): Promise<{ size: number; mtime: Date } | undefined> {
  return stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw mediumError(error);
  });
}

async function names(folder: string): Promise<string[]> {
  const found = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw mediumError(error);
  });
  return found.sort();
}

/** A rename is durable only when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
