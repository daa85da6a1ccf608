import { fileURLToPath } from 'node:url';
import { ChimeraError } from '../../contracts/errors.ts';
import type { BaseLocation, WhichBase } from '../bases.ts';
import { CallProcess } from '../process/calls.ts';
import type { EngineSettings, InferenceCalls, Lookups } from './protocol.ts';
import type { GenerationRequest, InferenceService } from './types.ts';

const ENTRY = fileURLToPath(new URL('./child.ts', import.meta.url));

const MEGABYTE = 1_048_576;

const DEFAULTS: EngineSettings = {
  ...{ memoryBytes: 2048 * MEGABYTE, threads: 1, provider: 'cpu', activations: 'exact' },
  ...{ adapterBytes: 512 * MEGABYTE, keyBytes: 1024 * MEGABYTE },
  ...{ windowMs: 2, batchTexts: 32, batchTokens: 4096, cacheBytes: 64 * MEGABYTE },
};

/** Texts that may be under way together; a generation counts as one. */
const MOST_WAITING = 4096;

export interface InferenceOptions extends Partial<EngineSettings> {
  /** Where a base lies. @throws `CHIMERA_NOT_FOUND` where there is none of this name */
  readonly locate: (base: string, which: WhichBase) => Promise<BaseLocation>;
  /** The bytes of an adapter, see `encodeAdapter`. Throws as {@link locate} does. */
  readonly loadAdapter: (sha256: string) => Promise<Uint8Array>;
  /** Texts that may be under way together; more are turned away. */
  readonly mostWaiting?: number;
}

export interface RunningInference extends InferenceService {
  /** The process that runs models, while there is one. */
  readonly pid: number | undefined;
}

/**
 * Models that answer in a process of their own, so that nothing here waits for a run. It is started by the first request, and anew by the
 * first one after it died. Besides the errors of {@link InferenceService}: `CHIMERA_RATE_LIMITED` where too much is under way,
 * `CHIMERA_MODEL_CRASHED` (retryable) for what was under way when the process died.
 */
export function startInference(options: InferenceOptions): RunningInference {
  const { locate, loadAdapter, mostWaiting = MOST_WAITING, ...settings } = options;
  const lookups = {
    base: ({ name, ...which }: Lookups['base']['input']) => locate(name, which),
    adapter: loadAdapter,
  };
  let current: CallProcess<InferenceCalls, Lookups> | undefined;
  let waiting = 0;
  let closed = false;

  const start = (): CallProcess<InferenceCalls, Lookups> => {
    const started = new CallProcess<InferenceCalls, Lookups>(ENTRY, lookups);
    // Where that fails, so do the calls that come behind it.
    started.call('open', { ...DEFAULTS, ...settings }).catch(() => {});
    return started;
  };

  const call = async <N extends 'embed' | 'classify' | 'generate'>(
    name: N,
    given: Parameters<InferenceService[N]>[0],
    texts: number,
  ): Promise<InferenceCalls[N]['output']> => {
    const { signal, onText, ...request } = given as GenerationRequest;
    if (closed || signal?.aborted === true) throw new ChimeraError('CHIMERA_CANCELLED', { what: 'the request' });
    if (waiting > 0 && waiting + texts > mostWaiting) throw new ChimeraError('CHIMERA_RATE_LIMITED');
    if (current === undefined || current.ended) current = start();
    waiting += texts;
    // A call that is cancelled counts as long as the process works at it: who asks and hangs up takes no more than his share.
    const onOver = (): void => void (waiting -= texts);
    return current.call(name, request, { signal, onEvent: onText as (event: unknown) => void, onOver });
  };

  return {
    get pid() {
      return current?.ended === false ? current.pid : undefined;
    },
    embed: (request) => call('embed', request, request.texts.length),
    classify: (request) => call('classify', request, request.texts.length),
    generate: (request) => call('generate', request, 1),
    async close() {
      closed = true;
      await current?.close();
    },
  };
}
