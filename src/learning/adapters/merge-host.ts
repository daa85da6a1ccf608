import { fileURLToPath } from 'node:url';
import { CallProcess } from '../process/calls.ts';
import type { TiesOptions } from './ties-merge.ts';

const ENTRY = fileURLToPath(new URL('./merge-child.ts', import.meta.url));

export interface TiesJob extends TiesOptions {
  /** The files of the adapters. */
  readonly adapters: readonly Uint8Array[];
  readonly weights: readonly number[];
}

export interface MergedFile {
  readonly bytes: Uint8Array;
  /** What the rank does not hold, see `TiesMerge`. */
  readonly error: number;
}

export type MergeCalls = { readonly ties: { readonly input: TiesJob; readonly output: MergedFile } };

/** `tiesMerge` in a process of its own. Throws as it does, and `CHIMERA_MODEL_CRASHED`. */
export async function tiesMergeFiles(job: TiesJob): Promise<MergedFile> {
  const child = new CallProcess<MergeCalls>(ENTRY, {});
  try {
    return await child.call('ties', job);
  } finally {
    child.kill();
  }
}
