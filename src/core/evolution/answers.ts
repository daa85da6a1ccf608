import { canonicalBytes } from '../canonical/canonical.ts';
import { featuresNeeded, isAsk } from './genome.ts';
import type { Genome } from './genome.ts';

/** What one step of an agent can come to; `done` is output JSON, `infer` the request of its one effect. */
export type Answer =
  | { readonly kind: 'done'; readonly bytes: Uint8Array }
  | { readonly kind: 'fail'; readonly bytes: Uint8Array }
  | { readonly kind: 'infer'; readonly bytes: Uint8Array; readonly stage: Stage };

/** Which model an agent waits for. */
export type Stage = 1 | 2;

/**
 * Every answer a genome can give, written out beforehand: a compiled agent holds them as data and returns an address,
 * the interpreter returns them as they are.
 */
export interface Answers {
  /** One a rule, in order. */
  readonly rules: readonly Answer[];
  readonly otherwise: Answer;
  readonly tooFewFeatures: Answer;
  readonly unexpectedEvent: Answer;
  /** Present where the genome has a model. */
  readonly first?: ModelAnswers & { readonly unavailable: Answer };
  readonly second?: ModelAnswers;
}

export interface ModelAnswers {
  readonly ask: Answer;
  readonly positive: Answer;
  readonly negative: Answer;
}

const text = new TextEncoder();
const done = (label: string, why: string): Answer => ({ kind: 'done', bytes: canonicalBytes({ label, why }) });
const fail = (reason: string): Answer => ({ kind: 'fail', bytes: text.encode(reason) });

function modelAnswers(
  stage: Stage,
  use: { readonly name: string; readonly input: string; readonly threshold: number },
  positive: string,
  negative: string,
): ModelAnswers {
  return {
    ask: { kind: 'infer', stage, bytes: canonicalBytes({ input: use.input, model: use.name }) },
    positive: done(positive, `model ${use.name}: score ≥ ${use.threshold}`),
    negative: done(negative, `model ${use.name}: score < ${use.threshold}`),
  };
}

/** The answers of a valid genome. */
export function answersOf(genome: Genome): Answers {
  const { model } = genome;
  const first =
    model === undefined
      ? undefined
      : {
          ...modelAnswers(1, model, model.positive, model.negative),
          unavailable: done(genome.default, `default: no score from model ${model.name}`),
        };
  const verdict = (then: Genome['otherwise'], why: string): Answer =>
    isAsk(then) ? first!.ask : done(then.label, why);
  const second = model?.second && modelAnswers(2, model.second, model.positive, model.negative);
  return {
    rules: genome.rules.map((rule, index) => verdict(rule.then, `rule ${index + 1}`)),
    otherwise: verdict(genome.otherwise, 'otherwise'),
    tooFewFeatures: fail(`the task has too few features: the rules need ${featuresNeeded(genome)}`),
    unexpectedEvent: fail("unexpected event: no model was asked, or the state is not this agent's"),
    ...(first && { first }),
    ...(second && { second }),
  };
}

/**
 * The state between steps is 16 bytes: which model was asked (u8 at 0), and for stage 2 the first model's score (f64,
 * little-endian, at 8). Any other state is not this agent's.
 */
export const STATE = { size: 16, stageOffset: 0, scoreOffset: 8 } as const;
