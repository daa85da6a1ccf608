import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { ChimeraError } from '../contracts/errors.ts';
import { hash } from 'node:crypto';
import type { AgentManifest } from '../contracts/records.ts';
import { hashOf } from '../core/canonical/canonical.ts';
import type {
  AdvanceJob,
  AdvanceResult,
  AgentRef,
  EvaluationColumns,
  EvaluationJob,
  PrepareJob,
  PrepareResult,
  PreparedInput,
  PublishedAgent,
  RunItemResult,
  RunJob,
} from './jobs.ts';
import { isUnanswered, withAnswers, type HostedModel, type ModelHost, type Unanswered } from './hosted.ts';
import { LruMap } from './lru.ts';
import { parseManifest } from './manifest.ts';
import { SandboxPool } from './pool/pool.ts';
import { sandboxFacts } from './facts.ts';
import type { SandboxFact } from './pool/walls.ts';
import type { Blob } from './protocol.ts';
import { noWasmtime } from './wasmtime/release.ts';

export interface FabricOptions {
  /** Sandbox processes. Default: the processors of this machine, at most 8. */
  readonly poolSize?: number;
  /** Bytes of a module or model by SHA-256; checked against the hash. */
  readonly resolve: (sha256: string) => Promise<Uint8Array>;
  /** Asks models that a sandbox cannot hold. Absent: there are none. */
  readonly hosted?: ModelHost;
  /** Executions that one batch holds. Default 64: some milliseconds of work. */
  readonly batchSize?: number;
  /** The file that a sandbox process runs; another one for tests. */
  readonly entry?: string;
  /** Where the wasmtime library is, or will be once it was fetched: for agents whose manifest asks for that engine. */
  readonly wasmtime?: string;
  /** The engine of agents to which any is right. Default `v8`, which needs no library. The answers are the same. */
  readonly engine?: 'v8' | 'wasmtime';
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Wall time of one batch in milliseconds, an infrastructure limit and no score. Default 60,000. */
  readonly deadlineMs?: number;
  /** Called after each batch with the executions done so far and in all. */
  readonly onProgress?: (done: number, total: number) => void;
  /** `run`: what comes back of the prepared input beside the record. Default `features`: payloads are large. */
  readonly want?: RunJob['want'];
}

/** The execution fabric: runs untrusted agents in sandbox processes. */
export interface Fabric {
  /**
   * Guards a module and tries one step of it, in a sandbox. Throws `CHIMERA_AGENT_REFUSED` (details.rule) for a module
   * that the guard refuses or that traps on the given sample, `CHIMERA_INVALID_INPUT` for a bad manifest.
   */
  publish(module: Uint8Array, manifest: AgentManifest, sample?: PreparedInput): Promise<PublishedAgent>;
  /** One agent on many items; the results are in the order of the items. */
  run(job: RunJob, options?: CallOptions): Promise<RunItemResult[]>;
  /** One long execution, as far as it comes without the world: see {@link AdvanceJob}. */
  advance(job: AdvanceJob, options?: CallOptions): Promise<AdvanceResult>;
  /** Payloads as agents would see them; untrusted bytes are parsed in a sandbox only. */
  prepare(job: PrepareJob, options?: CallOptions): Promise<PrepareResult[]>;
  /** Many agents on the same prepared items; columns for each agent, in the order of the agents. */
  evaluate(job: EvaluationJob, options?: CallOptions): Promise<EvaluationColumns[]>;
  /** The walls that are active on this machine. */
  facts(): readonly SandboxFact[];
  /** Process IDs of the sandboxes that are up. */
  pids(): number[];
  close(): void;
}

const DEFAULT_DEADLINE_MS = 60_000;
const DEFAULT_BATCH = 64;
/** Executions of one evaluation batch; all agents on a slice of the items, so that model answers are shared. */
const EVALUATION_BATCH = 1024;
const RESOLVED_BYTES = 128 * 1_048_576;

export function createFabric(options: FabricOptions): Fabric {
  const poolSize = options.poolSize ?? Math.min(8, availableParallelism());
  const entry = options.entry ?? fileURLToPath(new URL('./child/main.ts', import.meta.url));
  const { wasmtime } = options;
  /** A pool an engine: only processes that run wasmtime may load native code. Neither starts one before there is work. */
  const pools = {
    v8: new SandboxPool({ size: poolSize, entry }),
    wasmtime: wasmtime === undefined ? undefined : new SandboxPool({ size: poolSize, entry, wasmtime }),
  };
  const poolOf = (engine: keyof typeof pools): SandboxPool => {
    const pool = pools[engine];
    if (pool === undefined) throw noWasmtime('nobody has said where its library is');
    return pool;
  };
  /** One batch, one engine: agents to which any is right may be among those that want wasmtime. */
  const poolFor = (manifests: readonly AgentManifest[]): SandboxPool =>
    poolOf(manifests.some(({ engine }) => engine === 'wasmtime') ? 'wasmtime' : (options.engine ?? 'v8'));
  const resolved = new LruMap<string, Uint8Array>(RESOLVED_BYTES);

  const resolveBlob = async (sha256: string): Promise<Blob> => {
    const known = resolved.get(sha256);
    if (known !== undefined) return { sha256, bytes: known };
    const bytes = await options.resolve(sha256);
    if (hash('sha256', bytes) !== sha256) throw new ChimeraError('CHIMERA_ARTIFACT_CORRUPT', { sha256 });
    resolved.set(sha256, bytes, bytes.length);
    return { sha256, bytes };
  };
  /** What a batch of these agents needs: the bytes that sandboxes hold, and the models that the host asks for them. */
  const materialOf = async (agents: readonly AgentRef[]): Promise<{ blobs: Blob[]; models: HostedModel[] }> => {
    const named = new Set(agents.flatMap(({ sha256, manifest }) => [sha256, ...Object.values(manifest.models)]));
    const encoders = [...named].filter((sha256) => options.hosted?.encoders.has(sha256) === true);
    for (const sha256 of encoders) named.delete(sha256);
    const blobs = await Promise.all([...named].map(resolveBlob));
    const isHosted = ({ bytes }: Blob): boolean => options.hosted?.isHosted(bytes) === true;
    return {
      blobs: blobs.filter((blob) => !isHosted(blob)),
      models: [
        ...blobs.filter(isHosted).map(({ sha256 }): HostedModel => ({ sha256, effect: 'infer' })),
        ...encoders.map((sha256): HostedModel => ({ sha256, effect: 'embed' })),
      ],
    };
  };
  const limitsOf = (
    { deadlineMs }: CallOptions,
    signal: AbortSignal | undefined,
  ): { deadlineMs: number; signal?: AbortSignal } => ({
    deadlineMs: deadlineMs ?? DEFAULT_DEADLINE_MS,
    ...(signal === undefined ? {} : { signal }),
  });
  /** Runs `work` on each slice of `items`; the first error cancels the slices that are left. */
  const sliced = async <T, R>(
    items: readonly T[],
    size: number,
    call: CallOptions,
    work: (slice: readonly T[], signal: AbortSignal | undefined) => Promise<R>,
  ): Promise<R[]> => {
    if (items.length > 0 && items.length <= size) {
      const result = await work(items, call.signal);
      call.onProgress?.(items.length, items.length);
      return [result];
    }
    const stop = new AbortController();
    const signal = call.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, call.signal]);
    const slices = Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
      items.slice(i * size, (i + 1) * size),
    );
    let done = 0;
    try {
      return await Promise.all(
        slices.map(async (slice) => {
          const result = await work(slice, signal);
          done += slice.length;
          call.onProgress?.(done, items.length);
          return result;
        }),
      );
    } catch (error) {
      stop.abort();
      throw error;
    }
  };

  return {
    async publish(module, manifest, sample) {
      parseManifest(manifest);
      const job = { module, manifest, ...(sample === undefined ? {} : { sample }) };
      const report = await poolFor([manifest]).submit(
        { kind: 'publish', job },
        { blobs: [], deadlineMs: DEFAULT_DEADLINE_MS },
      );
      const { sha256, smoke } = report;
      if (sample !== undefined && !smoke.ok) {
        throw new ChimeraError('CHIMERA_AGENT_REFUSED', {
          why: `smoke: ${smoke.trap}`,
          rule: 'smoke',
          trap: smoke.trap,
        });
      }
      return { id: hashOf({ module: sha256, manifest }), manifest, ...report };
    },
    async run(job, call = {}) {
      const pool = poolFor([job.agent.manifest]);
      const { blobs, models } = await materialOf([job.agent]);
      const want = call.want === undefined ? {} : { want: call.want };
      const results = await sliced(job.items, options.batchSize ?? DEFAULT_BATCH, call, async (items, signal) => {
        const done: RunItemResult[] = new Array<RunItemResult>(items.length);
        let open = items.map((_, i) => i);
        return withAnswers<RunItemResult[]>(models, options.hosted?.ask, signal, async (hosted) => {
          const part = { ...job, items: open.map((i) => items[i]!), ...want };
          const batch = { kind: 'run' as const, job: part, ...(hosted === undefined ? {} : { hosted }) };
          const answers = await pool.submit(batch, { blobs, ...limitsOf(call, signal) });
          const questions: Unanswered['questions'][number][] = [];
          open = open.filter((i, at) => {
            const answer = answers[at]!;
            if (isUnanswered(answer)) questions.push(...answer.questions);
            else done[i] = answer;
            return isUnanswered(answer);
          });
          return open.length === 0 ? done : { questions };
        });
      });
      return results.flat();
    },
    async advance(job, call = {}) {
      const { blobs, models } = await materialOf([job.agent]);
      const pool = poolFor([job.agent.manifest]);
      return withAnswers<AdvanceResult>(models, options.hosted?.ask, call.signal, (hosted) =>
        pool.submit(
          { kind: 'advance', job, ...(hosted === undefined ? {} : { hosted }) },
          { blobs, ...limitsOf(call, call.signal) },
        ),
      );
    },
    async prepare(job, call = {}) {
      const pool = poolFor([]);
      const results = await sliced(job.payloads, options.batchSize ?? DEFAULT_BATCH, call, (payloads, signal) =>
        pool.submit({ kind: 'prepare', job: { ...job, payloads } }, { blobs: [], ...limitsOf(call, signal) }),
      );
      return results.flat();
    },
    async evaluate(job, call = {}) {
      const pool = poolFor(job.agents.map(({ manifest }) => manifest));
      const { blobs, models } = await materialOf(job.agents);
      const size = Math.max(1, Math.floor(EVALUATION_BATCH / Math.max(1, job.agents.length)));
      const parts = await sliced(job.items, size, call, (items, signal) =>
        withAnswers<readonly EvaluationColumns[]>(models, options.hosted?.ask, signal, (hosted) =>
          pool.submit(
            { kind: 'evaluate', job: { ...job, items }, ...(hosted === undefined ? {} : { hosted }) },
            { blobs, ...limitsOf(call, signal) },
          ),
        ),
      );
      return job.agents.map((_, agent) => joinColumns(parts.map((part) => part[agent]!)));
    },
    facts: () => sandboxFacts(wasmtime),
    pids: () => [...pools.v8.pids, ...(pools.wasmtime?.pids ?? [])],
    close() {
      pools.v8.close();
      pools.wasmtime?.close();
    },
  };
}

function joinColumns(parts: readonly EvaluationColumns[]): EvaluationColumns {
  const count = parts.reduce((sum, { status }) => sum + status.length, 0);
  const status = new Uint8Array(count);
  const fuel = new Float64Array(count);
  const modelCalls = new Uint32Array(count);
  let at = 0;
  for (const part of parts) {
    status.set(part.status, at);
    fuel.set(part.fuel, at);
    modelCalls.set(part.modelCalls, at);
    at += part.status.length;
  }
  return {
    status,
    output: parts.flatMap(({ output }) => output),
    failure: parts.flatMap(({ failure }) => failure),
    fuel,
    modelCalls,
  };
}
