import type { BaseLocation, WhichBase } from '../bases.ts';
import type { EngineOptions } from './engine.ts';
import type {
  ClassificationAnswer,
  ClassificationRequest,
  EmbeddingAnswer,
  EmbeddingRequest,
  GenerationAnswer,
  GenerationRequest,
} from './types.ts';

/** What of an engine is a plain value. */
export type EngineSettings = Omit<EngineOptions, 'openBase' | 'loadAdapter'>;

/** A request as it is sent: its signal is the call's, and pieces of text are events. */
type Sent<R> = Omit<R, 'signal' | 'onText'>;

/** What the process that runs models is asked; `open` comes first. */
export type InferenceCalls = {
  readonly open: { readonly input: EngineSettings; readonly output: void };
  readonly embed: { readonly input: Sent<EmbeddingRequest>; readonly output: EmbeddingAnswer };
  readonly classify: { readonly input: Sent<ClassificationRequest>; readonly output: ClassificationAnswer };
  readonly generate: { readonly input: Sent<GenerationRequest>; readonly output: GenerationAnswer };
};

/** What that process cannot know: where a base lies, the bytes of an adapter. */
export type Lookups = {
  readonly base: { readonly input: WhichBase & { readonly name: string }; readonly output: BaseLocation };
  readonly adapter: { readonly input: string; readonly output: Uint8Array };
};
