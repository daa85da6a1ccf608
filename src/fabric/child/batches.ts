import { isChimeraError } from '../../contracts/errors.ts';
import { canonicalBytes } from '../../core/canonical/canonical.ts';
import { drive, recordHash } from '../../core/execution/driver.ts';
import { effectiveLimits } from '../../core/execution/limits.ts';
import type { ExecutionRecord } from '../../core/execution/types.ts';
import { createStepEngine } from '../abi/step.ts';
import { DEFAULT_TABLE_ELEMENTS, guardModule } from '../guard/guard.ts';
import { reportModule } from '../guard/report.ts';
import { EVALUATION_STATUS } from '../jobs.ts';
import type {
  EvaluationColumns,
  EvaluationJob,
  ItemError,
  PrepareJob,
  PrepareResult,
  PreparedInput,
  RunItemResult,
  RunJob,
} from '../jobs.ts';
import { LruMap } from '../lru.ts';
import type { PublishJob, PublishReport } from '../protocol.ts';
import type { HostedModels, Question, Unanswered } from '../hosted.ts';
import { HostedAnswers, PureEffects, itemContext } from './effects.ts';
import type { InferenceCache } from './effects.ts';
import type { Library, ReadyAgent } from './library.ts';

/** What the batches of a process share. */
export interface Workplace {
  readonly library: Library;
  readonly cache: InferenceCache;
}

const CACHED_ANSWERS = 50_000;

export const newWorkplace = (library: Library): Workplace => ({ library, cache: new LruMap(CACHED_ANSWERS) });

/** An error as a message. */
export function itemError(error: unknown): ItemError {
  if (isChimeraError(error)) return { code: error.code, message: error.message, details: error.details };
  const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { code: 'CHIMERA_SANDBOX_CRASHED', message: why, details: { why } };
}

/** One agent on every item, in order. An item that cannot be prepared has an error instead of a record. */
export async function runBatch(
  { library, cache }: Workplace,
  job: RunJob,
  hosted?: HostedModels,
): Promise<(RunItemResult | Unanswered)[]> {
  const agent = library.agent(job.agent, job.taskType.limits);
  const validateOutput = library.validator(job.taskType.output as never);
  const prepare = library.preparation(job.taskType);
  const { capabilities, models } = job.agent.manifest;
  const load = library.model.bind(library);
  const known = new HostedAnswers(hosted, cache);
  const results: (RunItemResult | Unanswered)[] = [];
  for (const item of job.items) {
    const prepared = item.prepared ?? (await attempt(() => prepare(item.payload ?? {})));
    if ('error' in prepared) {
      results.push({ key: item.key, error: prepared.error });
      continue;
    }
    const { payload, features } = prepared;
    const effects = new PureEffects(itemContext(payload, item.recorded), models, load, cache, known);
    const input = { payload: canonicalBytes(payload), features };
    const driven = await drive({ ...agent, input, seed: item.seed, capabilities, effects, validateOutput });
    if (effects.questions.length > 0) {
      results.push({ questions: effects.questions });
      continue;
    }
    const record = job.onlyRecorded === true && effects.unrecorded ? unscorable(driven) : driven;
    const wanted = job.want === 'payload' ? { payload } : {};
    results.push({ key: item.key, record, recordHash: recordHash(record), features, ...wanted });
  }
  return results;
}

/** What an agent says that was refused what nobody has recorded is no answer to the task. */
function unscorable({ output: _, ...record }: ExecutionRecord): ExecutionRecord {
  const message = 'it asked the world for something that was not recorded for this task';
  return { ...record, status: 'failed', reason: { code: 'unrecorded-effect', message } };
}

/** Payloads as agents would see them. */
export async function prepareBatch({ library }: Workplace, job: PrepareJob): Promise<PrepareResult[]> {
  const prepare = library.preparation(job.taskType);
  const results: PrepareResult[] = [];
  for (const payload of job.payloads) results.push(await attempt(() => prepare(payload)));
  return results;
}

/** A payload that cannot be prepared is an answer; what is no ChimeraError is a bug, and the batch's end. */
async function attempt(prepare: () => Promise<PreparedInput>): Promise<PrepareResult> {
  try {
    return await prepare();
  } catch (error) {
    if (!isChimeraError(error)) throw error;
    return { error: itemError(error) };
  }
}

/** Every agent on every item: columns for each agent. All of it synchronous, for speed. */
export function evaluateBatch(
  { library, cache }: Workplace,
  job: EvaluationJob,
  hosted?: HostedModels,
): EvaluationColumns[] | Unanswered {
  const validateOutput = library.validator(job.taskType.output as never);
  const load = library.model.bind(library);
  const known = new HostedAnswers(hosted, cache);
  const questions: Question[] = [];
  const inputs = job.items.map(({ prepared, recorded, seed }) => ({
    seed,
    context: itemContext(prepared.payload, recorded),
    input: { payload: canonicalBytes(prepared.payload), features: prepared.features },
  }));
  const columns = job.agents.map((ref) => {
    const agent: ReadyAgent = library.agent(ref, job.taskType.limits);
    const { capabilities, models } = ref.manifest;
    const count = inputs.length;
    const columns = {
      status: new Uint8Array(count),
      output: new Array<EvaluationColumns['output'][number]>(count).fill(null),
      failure: new Array<EvaluationColumns['failure'][number]>(count).fill(null),
      fuel: new Float64Array(count),
      modelCalls: new Uint32Array(count),
    };
    inputs.forEach(({ seed, context, input }, row) => {
      const effects = new PureEffects(context, models, load, cache, known);
      const record = drive({ ...agent, input, seed, capabilities, effects, validateOutput }) as ExecutionRecord;
      questions.push(...effects.questions);
      const { completed, failed, unscorable } = EVALUATION_STATUS;
      columns.status[row] = effects.unrecorded ? unscorable : record.status === 'completed' ? completed : failed;
      columns.output[row] = record.output ?? null;
      columns.failure[row] = record.reason?.code ?? null;
      columns.fuel[row] = record.fuel;
      columns.modelCalls[row] = record.modelCalls;
    });
    return columns;
  });
  return questions.length > 0 ? { questions } : columns;
}

const NO_SAMPLE: PreparedInput = { payload: {}, features: new Float64Array(0) };

/** Guards a module and tries one step of it. */
export function publishBatch({ library }: Workplace, job: PublishJob): PublishReport {
  const limits = effectiveLimits(job.manifest.limits);
  const caps = { memoryPages: limits.memoryPages, tableElements: DEFAULT_TABLE_ELEMENTS };
  const guarded = guardModule(job.module, caps);
  const { payload, features } = job.sample ?? NO_SAMPLE;
  const body = { kind: 'start' as const, payload: canonicalBytes(payload), features };
  const event = { turn: 0, seed: 0n, time: 0, body };
  const compiled = library.compile(guarded);
  try {
    const step = createStepEngine(compiled, guarded, limits).step(new Uint8Array(0), event, limits.fuel);
    const trap = step.ok ? {} : { trap: step.trap };
    const smoke = { ok: step.ok, fuel: step.fuel, ...trap };
    return { sha256: guarded.sha256, module: reportModule(job.module, guarded, caps), smoke };
  } finally {
    compiled.release();
  }
}
