import { ChimeraError, isChimeraError, type ErrorCode, type ErrorDetails } from '../../contracts/errors.ts';
import type { BaseLocation } from '../bases.ts';
import type { EngineOptions } from './engine.ts';
import type {
  ClassificationAnswer,
  ClassificationRequest,
  EmbeddingAnswer,
  EmbeddingRequest,
  GenerationAnswer,
  GenerationRequest,
} from './types.ts';

/* What the process that runs models and the one that started it say to each other. */

/** Requests and their answers, by the name of the call. */
export interface InferenceCalls {
  embed: { request: EmbeddingRequest; answer: EmbeddingAnswer };
  classify: { request: ClassificationRequest; answer: ClassificationAnswer };
  generate: { request: GenerationRequest; answer: GenerationAnswer };
}

/** What the child cannot know: where a base lies, the bytes of an adapter. */
export interface Findings {
  base: BaseLocation;
  adapter: Uint8Array;
}

/** What of an engine is a plain value. */
export type EngineSettings = Omit<EngineOptions, 'openBase' | 'loadAdapter'>;

/** A request as it is sent: a signal becomes a `cancel`, pieces of text come as `text`. */
export type SentRequest = Omit<InferenceCalls[keyof InferenceCalls]['request'], 'signal' | 'onText'>;

export type ToChild =
  | { readonly type: 'open'; readonly settings: EngineSettings }
  | { readonly type: 'call'; readonly id: number; readonly name: keyof InferenceCalls; readonly request: SentRequest }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'found'; readonly id: number; readonly value: Findings[keyof Findings] }
  | { readonly type: 'lost'; readonly id: number; readonly error: PlainError };

export type FromChild =
  | { readonly type: 'answer'; readonly id: number; readonly answer: InferenceCalls[keyof InferenceCalls]['answer'] }
  | { readonly type: 'failed'; readonly id: number; readonly error: PlainError }
  | { readonly type: 'text'; readonly id: number; readonly text: string }
  | { readonly type: 'find'; readonly id: number; readonly what: keyof Findings; readonly name: string };

/** An error that crosses between processes. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
}

export function toPlain(error: unknown): PlainError {
  if (isChimeraError(error)) return { code: error.code, details: error.details };
  return { code: 'CHIMERA_INTERNAL', details: { why: error instanceof Error ? error.message : String(error) } };
}

export const fromPlain = ({ code, details }: PlainError): ChimeraError => new ChimeraError(code, details);
