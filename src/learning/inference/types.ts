import type { ChatMessage } from '../tokenizer/types.ts';

/** What answers: a base model, with an adapter of it where one is named. */
export interface ModelChoice {
  /** Name of the base model in the registry. */
  readonly base: string;
  /** Of the base; else the manifest's, or that which the adapter was trained beside. */
  readonly version?: string;
  /** SHA-256 of an adapter's artifact. */
  readonly adapter?: string;
}

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export interface EmbeddingRequest {
  readonly model: ModelChoice;
  readonly texts: readonly string[];
  /** Each text is run by itself: its answer is the same to the last bit, whoever else asks. */
  readonly alone?: boolean;
  readonly signal?: AbortSignal;
}

export interface EmbeddingAnswer {
  /** Mean-pooled and of length 1, one a text. */
  readonly vectors: readonly Float32Array[];
  readonly usage: Usage;
}

export interface ClassificationRequest {
  readonly model: ModelChoice & { readonly adapter: string };
  readonly texts: readonly string[];
  /** As in {@link EmbeddingRequest}. */
  readonly alone?: boolean;
  readonly signal?: AbortSignal;
}

export interface ClassificationAnswer {
  readonly labels: readonly string[];
  /** The probability of each label, one row a text. */
  readonly scores: readonly Float64Array[];
  readonly usage: Usage;
}

export interface GenerationRequest {
  readonly model: ModelChoice;
  /** A conversation, by the model's template, or a prompt as it is. */
  readonly prompt: string | readonly ChatMessage[];
  readonly maxTokens: number;
  /** 0: always the likeliest token. */
  readonly temperature: number;
  /** Draw from the likeliest tokens that together have this probability (Holtzman et al. 2020). */
  readonly topP: number;
  /** Texts that end the answer; they are not part of it. */
  readonly stop: readonly string[];
  /** The same seed, prompt and model give the same answer on one numeric profile. Without one each answer is another. */
  readonly seed?: string;
  readonly signal?: AbortSignal;
  /** Called with each piece of text as it comes. */
  readonly onText?: (text: string) => void;
}

export interface GenerationAnswer {
  readonly text: string;
  readonly finish: 'stop' | 'length';
  readonly usage: Usage;
}

export interface ServedModel {
  /** A base's name, or `name@` and eight digits of an adapter: what callers name. */
  readonly name: string;
  readonly choice: ModelChoice;
  readonly tasks: readonly ('embedding' | 'classification' | 'generation')[];
}

/**
 * Models that answer. Errors are of the one table: `CHIMERA_NOT_FOUND` for a model that is not there, `CHIMERA_INVALID_INPUT` for
 * a request that the model cannot take (a prompt longer than its context, a task it does not have), `CHIMERA_CANCELLED`.
 */
export interface InferenceService {
  embed(request: EmbeddingRequest): Promise<EmbeddingAnswer>;
  classify(request: ClassificationRequest): Promise<ClassificationAnswer>;
  generate(request: GenerationRequest): Promise<GenerationAnswer>;
  close(): Promise<void>;
}
