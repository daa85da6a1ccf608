import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type PutObjectCommandInput,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { failpoint } from '../../contracts/failpoint.ts';
import type { ArtifactRef } from '../../contracts/records.ts';
import { artifactKey, type ArtifactContent, type ArtifactStore } from './artifact-store.ts';
import { digest, mediumError, notFound, spool, verified } from './content.ts';

export interface S3Options {
  bucket: string;
  /** Folder of the keys in the bucket. Default: none. */
  prefix?: string;
  region: string;
  /** Absent: AWS itself. Other services are addressed by path. */
  endpoint?: string;
  /** Absent: the AWS SDK's own chain. */
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
}

/** Above this, content goes up in parts of this size. */
const PART_BYTES = 8 * 1024 * 1024;
/** An object that is put again is written again when it is older, so that the garbage collection sees it as young. */
const RENEW_AFTER_MS = 3_600_000;

interface Source {
  sha256: string;
  bytes: number;
  body(): NonNullable<PutObjectCommandInput['Body']>;
}

/** Artifacts as objects of an S3 service that has conditional writes. The bucket is made where it is missing. */
export function createS3Artifacts(options: S3Options): ArtifactStore {
  const { bucket, region, endpoint, credentials } = options;
  const prefix = options.prefix ? `${options.prefix.replace(/\/+$/, '')}/` : '';
  const client = new S3Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(credentials === undefined ? {} : { credentials }),
  });
  const objectKey = (sha256: string): string => `${prefix}${artifactKey(sha256)}`;
  const refOf = (sha256: string, bytes: number): ArtifactRef => ({ bucket, key: objectKey(sha256), sha256, bytes });

  async function head(sha256: string): Promise<{ bytes: number; modifiedAt: Date } | undefined> {
    try {
      const found = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: objectKey(sha256) }));
      return { bytes: found.ContentLength ?? 0, modifiedAt: found.LastModified ?? new Date(0) };
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw mediumError(error);
    }
  }

  async function upload(source: Source, condition: { IfNoneMatch?: string }): Promise<void> {
    const params = { Bucket: bucket, Key: objectKey(source.sha256), Body: source.body(), ...condition };
    if (source.bytes > PART_BYTES) {
      await new Upload({ client, params: { ...params, ChecksumAlgorithm: 'CRC32' }, partSize: PART_BYTES }).done();
      return;
    }
    const ChecksumSHA256 = Buffer.from(source.sha256, 'hex').toString('base64');
    await client.send(new PutObjectCommand({ ...params, ContentLength: source.bytes, ChecksumSHA256 }));
  }

  /** Is it there in full, and young enough not to be collected soon? */
  async function isFresh({ sha256, bytes }: Source): Promise<boolean> {
    const found = await head(sha256);
    return found?.bytes === bytes && Date.now() - found.modifiedAt.getTime() < RENEW_AFTER_MS;
  }

  async function store(source: Source): Promise<ArtifactRef> {
    const ref = refOf(source.sha256, source.bytes);
    // A large content is not sent only to be refused at its end.
    if (source.bytes > PART_BYTES && (await isFresh(source))) return ref;
    try {
      await upload(source, { IfNoneMatch: '*' });
    } catch (error) {
      if (nameOf(error) === 'NoSuchBucket') {
        await createBucket();
        await upload(source, { IfNoneMatch: '*' }).catch(unlessExists);
      } else if (existsAlready(error)) {
        if (!(await isFresh(source))) await upload(source, {});
      } else {
        throw error;
      }
    }
    return ref;
  }

  async function createBucket(): Promise<void> {
    await client.send(new CreateBucketCommand({ Bucket: bucket })).catch((error: unknown) => {
      if (!['BucketAlreadyOwnedByYou', 'BucketAlreadyExists'].includes(nameOf(error))) throw error;
    });
  }

  /** A stream goes through a file first: its key is known only at its end. */
  async function putStream(content: ArtifactContent): Promise<ArtifactRef> {
    const folder = await mkdtemp(join(tmpdir(), 'chimera-put-'));
    try {
      const { path, sha256, bytes } = await spool(content, folder);
      return await store({ sha256, bytes, body: () => createReadStream(path) });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  return {
    async put(content) {
      const putting =
        content instanceof Uint8Array
          ? store({ sha256: digest(content), bytes: content.byteLength, body: () => content })
          : putStream(content);
      const ref = await putting.catch((error: unknown) => {
        throw mediumError(error);
      });
      failpoint('artifact.put');
      return ref;
    },

    async get({ sha256 }) {
      try {
        const found = await client.send(new GetObjectCommand({ Bucket: bucket, Key: objectKey(sha256) }));
        return verified(sha256, (await found.Body?.transformToByteArray()) ?? new Uint8Array());
      } catch (error) {
        throw statusOf(error) === 404 ? notFound(sha256) : mediumError(error);
      }
    },

    has: async ({ sha256 }) => (await head(sha256)) !== undefined,

    async *list() {
      let token: string | undefined;
      do {
        const page = await client
          .send(
            new ListObjectsV2Command({
              Bucket: bucket,
              Prefix: `${prefix}sha256/`,
              ...(token === undefined ? {} : { ContinuationToken: token }),
            }),
          )
          .catch((error: unknown) => {
            if (nameOf(error) === 'NoSuchBucket') return undefined;
            throw mediumError(error);
          });
        for (const object of page?.Contents ?? []) {
          const sha256 = object.Key?.slice(-64);
          if (sha256 !== undefined && object.Key === objectKey(sha256)) {
            yield { ...refOf(sha256, object.Size ?? 0), modifiedAt: object.LastModified ?? new Date(0) };
          }
        }
        token = page?.NextContinuationToken;
      } while (token !== undefined);
    },

    async delete({ sha256 }, { unmodifiedSince } = {}) {
      const found = await head(sha256);
      if (found === undefined || (unmodifiedSince !== undefined && found.modifiedAt > unmodifiedSince)) return false;
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: objectKey(sha256) })).catch((error: unknown) => {
        throw mediumError(error);
      });
      return true;
    },

    close() {
      client.destroy();
      return Promise.resolve();
    },
  };
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata?.httpStatusCode;
}

/** 412: it is there; 409: somebody else is putting the same content at this moment. */
function existsAlready(error: unknown): boolean {
  return statusOf(error) === 412 || nameOf(error) === 'ConditionalRequestConflict';
}

function unlessExists(error: unknown): void {
  if (!existsAlready(error)) throw error;
}
