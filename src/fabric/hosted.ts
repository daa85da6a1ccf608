import { ChimeraError } from '../contracts/errors.ts';

/*
 * Models that a sandbox cannot hold are asked by the host. An agent is pure: what it does up to its question is cheap and always
 * the same. So a sandbox that has no answer gives the question back instead of a result, and the run is made again with the answer.
 */

/** A question to a hosted model. */
export interface Question {
  /** SHA-256 of the model's artifact, or of a base model's weights. */
  readonly model: string;
  readonly text: string;
}

/** What a model says to a text: the probability of each label; of an embedding no labels, and the vector. */
export interface ModelAnswer {
  readonly labels: readonly string[];
  readonly scores: readonly number[];
}

export type AnsweredQuestion = Question & ModelAnswer;

/** A model that the host asks, and the effect by which agents do: a classifier's answer, or a base model's embedding. */
export interface HostedModel {
  readonly sha256: string;
  readonly effect: 'infer' | 'embed';
}

/** What a batch knows of hosted models. */
export interface HostedModels {
  /** Those that the batch's agents may ask. */
  readonly models: readonly HostedModel[];
  readonly answers: readonly AnsweredQuestion[];
}

/** In place of a result: what has to be asked first. */
export interface Unanswered {
  readonly questions: readonly Question[];
}

/** Asks one hosted model about many texts; the answers are in their order. */
export type AskModel = (model: string, texts: readonly string[], signal?: AbortSignal) => Promise<ModelAnswer[]>;

/** The models that a fabric's host asks for its sandboxes. */
export interface ModelHost {
  /** Are these the bytes of a model that a sandbox cannot hold? */
  readonly isHosted: (bytes: Uint8Array) => boolean;
  /** Base models that compute embeddings, by the SHA-256 of their weights: their bytes are no artifacts. */
  readonly encoders: ReadonlySet<string>;
  readonly ask: AskModel;
}

export const isUnanswered = (result: object): result is Unanswered => 'questions' in result;

/** More than any agent asks in one execution: each round answers all that an agent can ask before it hears an answer. */
const MOST_ROUNDS = 64;

/**
 * Runs `attempt` with what is known, asks what it leaves open, and runs it again, until nothing is open. `attempt` says what is
 * open; it is told all answers that it has asked for.
 */
export async function withAnswers<R>(
  models: readonly HostedModel[],
  ask: AskModel | undefined,
  signal: AbortSignal | undefined,
  attempt: (hosted: HostedModels | undefined) => Promise<R | Unanswered>,
): Promise<R> {
  if (models.length === 0) return (await attempt(undefined)) as R;
  if (ask === undefined) {
    throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'service that asks model', name: models[0]!.sha256 });
  }
  const answers = new Map<string, AnsweredQuestion>();
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const result = await attempt({ models, answers: [...answers.values()] });
    if (typeof result !== 'object' || result === null || !isUnanswered(result)) return result as R;
    const open = Map.groupBy(
      result.questions.filter((question) => !answers.has(keyOf(question))),
      ({ model }) => model,
    );
    for (const [model, questions] of open) {
      if (!models.some(({ sha256 }) => sha256 === model))
        throw new ChimeraError('CHIMERA_SANDBOX_CRASHED', { why: 'it asks an unknown model' });
      const texts = [...new Set(questions.map(({ text }) => text))];
      const scores = await ask(model, texts, signal);
      texts.forEach((text, i) => answers.set(keyOf({ model, text }), { model, text, ...scores[i]! }));
    }
  }
  throw new ChimeraError('CHIMERA_SANDBOX_CRASHED', { why: 'it asks hosted models without end' });
}

const keyOf = ({ model, text }: Question): string => `${model}:${text}`;
