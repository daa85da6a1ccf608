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

/** The flag by which a child process is told where the wasmtime library is: then it runs agents on that. */
export const WASMTIME_FLAG = '--wasmtime=';

/** Work for a child process, sent whole: one message there, one back. */
export type Batch =
  | { readonly kind: 'run'; readonly job: RunJob }
  | { readonly kind: 'advance'; readonly job: AdvanceJob }
  | { readonly kind: 'evaluate'; readonly job: EvaluationJob }
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
  readonly run: readonly RunItemResult[];
  readonly advance: AdvanceResult;
  readonly evaluate: readonly EvaluationColumns[];
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
  | { readonly type: 'batch'; readonly id: number; readonly batch: Batch };

export type FromChild =
  | { readonly type: 'ready' }
  | { readonly type: 'done'; readonly id: number; readonly result: unknown; readonly cpuSeconds: number }
  | { readonly type: 'failed'; readonly id: number; readonly error: ItemError; readonly cpuSeconds: number };
