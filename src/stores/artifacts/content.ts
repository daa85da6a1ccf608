import { createHash, randomUUID } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { ChimeraError, isChimeraError } from '../../contracts/errors.ts';
import type { ArtifactContent } from './artifact-store.ts';

/** Hex SHA-256 of bytes. */
export function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The bytes themselves, or `CHIMERA_ARTIFACT_CORRUPT` where they are not what their name says. */
export function verified(sha256: string, bytes: Uint8Array): Uint8Array {
  if (digest(bytes) !== sha256) throw new ChimeraError('CHIMERA_ARTIFACT_CORRUPT', { sha256 });
  return bytes;
}

export function notFound(sha256: string): ChimeraError {
  return new ChimeraError('CHIMERA_NOT_FOUND', { what: 'artifact', name: sha256 });
}

/** Whatever a medium throws, as the error that says so. */
export function mediumError(error: unknown): ChimeraError {
  if (isChimeraError(error)) return error;
  const why = error instanceof Error ? error.message || error.name : String(error);
  return new ChimeraError('CHIMERA_STORE_UNAVAILABLE', { why: `artifacts: ${why}` }, { cause: error });
}

/** A file with a content whose name is known now; whoever takes it moves or removes it. */
export interface Spooled {
  path: string;
  sha256: string;
  bytes: number;
}

/** Writes content into a new file of `folder`, flushed to the medium. Leaves nothing behind where it fails. */
export async function spool(content: ArtifactContent, folder: string): Promise<Spooled> {
  const path = join(folder, randomUUID());
  const hash = createHash('sha256');
  let bytes = 0;
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'wx');
    for await (const chunk of content instanceof Uint8Array ? [content] : content) {
      hash.update(chunk);
      bytes += chunk.byteLength;
      await file.writeFile(chunk);
    }
    await file.sync();
    await file.close();
    return { path, sha256: hash.digest('hex'), bytes };
  } catch (error) {
    await file?.close().catch(() => undefined);
    await rm(path, { force: true });
    throw error;
  }
}
