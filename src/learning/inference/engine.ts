import { ChimeraError, invalidInput, type Problem } from '../../contracts/errors.ts';
import { EncoderQueue, type BatchOptions } from './encoder-queue.ts';
import { Generation } from './generation.ts';
import { Models, type Chosen, type ModelOptions } from './models.ts';
import { Room } from './room.ts';
import { probabilities } from './sampling.ts';
import { Turns } from './turns.ts';
import type {
  ClassificationAnswer,
  ClassificationRequest,
  EmbeddingAnswer,
  EmbeddingRequest,
  GenerationAnswer,
  GenerationRequest,
  InferenceService,
} from './types.ts';

/** Generations that take turns; others wait for one of them to end. */
const TOGETHER = 8;

export interface EngineOptions extends ModelOptions, BatchOptions {
  /**
   * What keys and values of generations that take turns may take together, each counted as long as its prompt and its answer may get.
   * One takes its turns whatever that is, others wait.
   */
  readonly keyBytes: number;
}

/**
 * Models that answer in this process. A run of a graph blocks the thread, for about as long as a token takes or a batch of texts: this
 * is for a process of its own, see `host.ts`.
 */
export function openEngine(options: EngineOptions): InferenceService {
  const turns = new Turns();
  const models = new Models(options);
  const queue = new EncoderQueue(models, turns, options);
  const room = new Room(TOGETHER, options.keyBytes);
  let closed = false;

  /** What each text means to the model, and how many tokens there were. */
  const pooled = async (
    model: Chosen,
    { texts, alone = false, signal }: Pick<EmbeddingRequest, 'texts' | 'alone' | 'signal'>,
  ) => {
    const { tokenizer, base } = model;
    const limit = model.adapter?.maxTokens ?? base.config.positions;
    const rows = texts.map((text) => tokenizer.encode(text, { wrap: true, limit }));
    const empty = rows.flatMap((row, i): Problem[] =>
      row.length > 0 ? [] : [{ path: `/texts/${i}`, message: 'it is empty' }],
    );
    if (empty.length > 0) throw invalidInput('the request', empty);
    const means = await Promise.all(rows.map((tokens) => queue.pooled(model, tokens, { alone, signal })));
    const promptTokens = rows.reduce((sum, { length }) => sum + length, 0);
    return { means, usage: { promptTokens, completionTokens: 0 } };
  };

  const check = (signal: AbortSignal | undefined): void => {
    if (closed || signal?.aborted === true) throw new ChimeraError('CHIMERA_CANCELLED', { what: 'the request' });
  };

  return {
    async embed(request: EmbeddingRequest): Promise<EmbeddingAnswer> {
      check(request.signal);
      const { means, usage } = await pooled(await models.choose(request.model, 'encoder'), request);
      return { vectors: means.map(ofLengthOne), usage };
    },

    async classify(request: ClassificationRequest): Promise<ClassificationAnswer> {
      check(request.signal);
      const chosen = await models.choose(request.model, 'encoder');
      const head = chosen.adapter?.head;
      if (head === undefined) {
        throw invalidInput('the request', [{ path: '/model/adapter', message: 'it has no labels' }]);
      }
      const { means, usage } = await pooled(chosen, request);
      return { labels: head.labels, scores: means.map((mean) => probabilities(logitsOf(head, mean))), usage };
    },

    async generate(request: GenerationRequest): Promise<GenerationAnswer> {
      check(request.signal);
      checkGeneration(request);
      const model = await models.choose(request.model, 'decoder');
      check(request.signal);
      const generation = new Generation(models, model, request);
      // Whoever waits is told at once when it is cancelled; its place in the queue passes by.
      const leave = room.take(generation.bytes, () => turns.add(generation));
      generation.answer.then(leave, leave);
      return generation.answer;
    },

    async close(): Promise<void> {
      closed = true;
      await turns.idle();
      await models.close();
    },
  };
}

function ofLengthOne(vector: Float32Array): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return length === 0 ? vector.slice() : vector.map((value) => value / length);
}

/** Head · mean + bias, in double precision: heads of any number of labels share a batch. */
function logitsOf({ weight, bias }: { weight: Float32Array; bias: Float32Array }, mean: Float32Array): Float64Array {
  return Float64Array.from(bias, (offset, label) =>
    mean.reduce((sum, value, i) => sum + value * weight[label * mean.length + i]!, offset),
  );
}

function checkGeneration({ maxTokens, temperature, topP }: GenerationRequest): void {
  const problems: Problem[] = [];
  const need = (holds: boolean, path: string, message: string): void =>
    void (holds || problems.push({ path, message }));
  need(Number.isSafeInteger(maxTokens) && maxTokens >= 1, '/maxTokens', 'a whole number from 1 is needed');
  need(temperature >= 0 && temperature <= 100, '/temperature', 'a number from 0 to 100 is needed');
  need(topP >= 0 && topP <= 1, '/topP', 'a number from 0 to 1 is needed');
  if (problems.length > 0) throw invalidInput('the request', problems);
}
