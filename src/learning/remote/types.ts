import type {
  EmbeddingAnswer,
  EmbeddingRequest,
  GenerationAnswer,
  GenerationRequest,
  InferenceService,
  ServedModel,
  Usage,
} from '../inference/types.ts';

export type RemoteTask = 'embedding' | 'generation';

/** A model that somebody else serves. */
export interface RemoteModel {
  /** What callers here name it. */
  readonly name: string;
  /** What the provider calls it. */
  readonly remoteName: string;
  readonly tasks: readonly RemoteTask[];
  /** Money. */
  readonly pricePerMillionPromptTokens: number;
  readonly pricePerMillionCompletionTokens: number;
  /** How the provider calls the limit of an answer's tokens: servers know one or the other. */
  readonly lengthParameter: 'max_tokens' | 'max_completion_tokens';
}

export interface Retries {
  /** Attempts after the first. */
  readonly count: number;
  /** About so long before the first retry; twice as long before each next one, in milliseconds. */
  readonly firstDelayMs: number;
  /** No wait is longer. A provider that asks for a longer one is not asked again. */
  readonly mostDelayMs: number;
  /** Of the jitter. */
  readonly seed: string;
}

export interface RemoteProviderOptions {
  readonly name: string;
  /** Where `/chat/completions` and `/embeddings` are below, such as `https://api.example.com/v1`. */
  readonly baseUrl: string;
  /** Sent as a bearer token, to this URL and nowhere else. */
  readonly apiKey?: string;
  readonly models: readonly RemoteModel[];
  /** For one attempt, in milliseconds; of a stream the longest silence, and a tenth of the longest whole. */
  readonly timeoutMs: number;
  readonly retries: Retries;
  /** The most that an answer may have, decompressed. */
  readonly answerBytes: number;
}

/** What a call used and cost. */
export interface RemoteCost extends Usage {
  readonly provider: string;
  /** By the name it has here. */
  readonly model: string;
  readonly task: RemoteTask;
  /** Money. */
  readonly cost: number;
  /** The provider did not say what was used, or the call ended early: tokens are guessed from the texts. */
  readonly estimated: boolean;
}

/** Hears the cost of each call that a provider has worked on. Must not throw. */
export type OnCost = (cost: RemoteCost) => void;

/**
 * Models of a remote service. Besides the errors of {@link InferenceService}: `CHIMERA_RATE_LIMITED` and `CHIMERA_UNREACHABLE` after
 * the last retry, `CHIMERA_WALL_DEADLINE`, `CHIMERA_PROVIDER_FAILED` for an answer that is none.
 */
export interface RemoteProvider extends InferenceService {
  readonly name: string;
  readonly models: readonly ServedModel[];
  embed(request: EmbeddingRequest, onCost?: OnCost): Promise<EmbeddingAnswer>;
  generate(request: GenerationRequest, onCost?: OnCost): Promise<GenerationAnswer>;
}
