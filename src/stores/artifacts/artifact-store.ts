import type { ArtifactRef } from '../../contracts/records.ts';

/** What can be stored: bytes as they are, or a stream of them whose length is not known yet. */
export type ArtifactContent = Uint8Array | AsyncIterable<Uint8Array>;

/** What a listing says of a stored artifact. */
export interface StoredArtifact extends ArtifactRef {
  /** When it was last put, for the grace time of the garbage collection. */
  modifiedAt: Date;
}

/**
 * Bytes by their SHA-256. A put is durable when it returns, idempotent, and never seen half-done; the same content is
 * stored once. Throws `CHIMERA_STORE_UNAVAILABLE` where the medium fails.
 */
export interface ArtifactStore {
  put(content: ArtifactContent, options?: { kind?: string }): Promise<ArtifactRef>;
  /** Verified bytes: `CHIMERA_NOT_FOUND` where there are none, `CHIMERA_ARTIFACT_CORRUPT` where they do not match. */
  get(ref: Pick<ArtifactRef, 'sha256'>): Promise<Uint8Array>;
  has(ref: Pick<ArtifactRef, 'sha256'>): Promise<boolean>;
  /** Everything that is stored, by key. */
  list(): AsyncIterable<StoredArtifact>;
  /** Removes it, unless it was put again after `unmodifiedSince`. False where nothing was removed. */
  delete(ref: Pick<ArtifactRef, 'sha256'>, options?: { unmodifiedSince?: Date }): Promise<boolean>;
  close(): Promise<void>;
}

/** The key of a content: two hex digits fan out, and no key is the prefix folder of another. */
export function artifactKey(sha256: string): string {
  return `sha256/${sha256.slice(0, 2)}/${sha256}`;
}
