import type { ModuleReport } from '../contracts/agents.ts';
import type { AgentManifest } from '../contracts/records.ts';
import type { TrapKind } from '../core/execution/types.ts';
import type {
  AdvanceJob,
  AdvanceResult,
  EvaluationColumns,
  EvaluationJob,
  ItemError,
  PrepareJob,
  PreparedInput,
  PrepareResult,
  RunItemResult,
  RunJob,
} from './jobs.ts';
import type { HostedModels, Unanswered } from './hosted.ts';
import { packList, unpackList } from './pool/columns.ts';
import type { Column } from './pool/columns.ts';

/** The flag by which a child process is told where the wasmtime library is: then it runs agents on that. */
export const WASMTIME_FLAG = '--wasmtime=';

/** Work for a child process, sent whole: one message there, one back. */
export type Batch =
  | { readonly kind: 'run'; readonly job: RunJob; readonly hosted?: HostedModels }
  | { readonly kind: 'advance'; readonly job: AdvanceJob; readonly hosted?: HostedModels }
  | { readonly kind: 'evaluate'; readonly job: EvaluationJob; readonly hosted?: HostedModels }
  | { readonly kind: 'prepare'; readonly job: PrepareJob }
  | { readonly kind: 'publish'; readonly job: PublishJob };

export interface PublishJob {
  readonly module: Uint8Array;
  readonly manifest: AgentManifest;
  /** An input to try the agent on. */
  readonly sample?: PreparedInput;
}

export interface PublishReport {
  readonly sha256: string;
  readonly module: ModuleReport;
  readonly smoke: { readonly ok: boolean; readonly trap?: TrapKind; readonly fuel: number };
}

export interface BatchResults {
  readonly run: readonly (RunItemResult | Unanswered)[];
  readonly advance: AdvanceResult | Unanswered;
  readonly evaluate: readonly EvaluationColumns[] | Unanswered;
  readonly prepare: readonly PrepareResult[];
  readonly publish: PublishReport;
}

export interface Blob {
  readonly sha256: string;
  readonly bytes: Uint8Array;
}

export type ToChild =
  | { readonly type: 'blobs'; readonly blobs: readonly Blob[] }
  | { readonly type: 'evict'; readonly sha256s: readonly string[] }
  | ({ readonly type: 'batch'; readonly id: number } & PackedBatch);

export type FromChild =
  | { readonly type: 'ready' }
  /** The result as {@link packResult} makes it. */
  | { readonly type: 'done'; readonly id: number; readonly result: unknown; readonly cpuSeconds: number }
  | { readonly type: 'failed'; readonly id: number; readonly error: ItemError; readonly cpuSeconds: number };

/** A batch that left its list out, and that list. */
export interface PackedBatch {
  readonly batch: Batch;
  readonly list?: { readonly column: Column; readonly length: number };
}

const listOf = (batch: Batch): readonly unknown[] | undefined =>
  batch.kind === 'run' || batch.kind === 'evaluate'
    ? batch.job.items
    : batch.kind === 'prepare'
      ? batch.job.payloads
      : undefined;

function withList(batch: Batch, list: readonly unknown[]): Batch {
  const name = batch.kind === 'prepare' ? 'payloads' : 'items';
  return { ...batch, job: { ...batch.job, [name]: list } } as Batch;
}

/** A batch as it is sent: what is many alike goes in columns. */
export function packBatch(batch: Batch): PackedBatch {
  const list = listOf(batch);
  if (list === undefined) return { batch };
  return { batch: withList(batch, []), list: { column: packList(list), length: list.length } };
}

export const unpackBatch = ({ batch, list }: PackedBatch): Batch =>
  list === undefined ? batch : withList(batch, unpackList(list.column, list.length));

/** Does a batch of this kind have a result for each of its list? */
const answersEach = ({ kind }: Batch): boolean => kind === 'run' || kind === 'prepare';

/** What a batch gave, as it is sent back. */
export const packResult = (batch: Batch, result: unknown): unknown =>
  answersEach(batch) ? packList(result as unknown[]) : result;

/** @throws {TypeError} where a list came back that cannot be read */
export const unpackResult = (batch: Batch, result: unknown): unknown =>
  answersEach(batch) ? unpackList(result as Column, listOf(batch)!.length) : result;
