import { STATE, answersOf } from './answers.ts';
import type { Answer, Answers, Stage } from './answers.ts';
import { featuresNeeded, isLinear } from './genome.ts';
import type { Condition, Genome, ModelUse } from './genome.ts';

/** The parts of an agent's event that a genome looks at. */
export type GenomeEvent =
  | { readonly kind: 'start'; readonly features: ArrayLike<number> }
  | { readonly kind: 'results'; readonly results: readonly EffectScores[] };

export interface EffectScores {
  readonly ok: boolean;
  readonly scores: ArrayLike<number>;
}

export interface GenomeStep {
  readonly state: Uint8Array;
  readonly answer: Answer;
}

/** Does the condition hold? The comparisons and the order of additions are those of the compiled agent. */
export function holds(condition: Condition, features: ArrayLike<number>): boolean {
  let value: number;
  if (isLinear(condition)) {
    value = condition.sum[0]!.weight * features[condition.sum[0]!.feature]!;
    for (let i = 1; i < condition.sum.length; i++)
      value += condition.sum[i]!.weight * features[condition.sum[i]!.feature]!;
  } else {
    value = features[condition.feature]!;
  }
  return condition.op === '<=' ? value <= condition.threshold : value > condition.threshold;
}

/** The index of the first rule that fires, or the number of rules where none does. */
export function firingRule(genome: Genome, features: ArrayLike<number>): number {
  const index = genome.rules.findIndex((rule) => rule.when.every((condition) => holds(condition, features)));
  return index === -1 ? genome.rules.length : index;
}

const NO_STATE = new Uint8Array(0);

function stateOf(stage: Stage, score = 0): Uint8Array {
  const state = new Uint8Array(STATE.size);
  const view = new DataView(state.buffer);
  view.setUint8(STATE.stageOffset, stage);
  view.setFloat64(STATE.scoreOffset, score, true);
  return state;
}

/** The score at `index`, NaN where the effect failed or brought too few. */
const scoreAt = (result: EffectScores, index: number): number =>
  result.ok && index < result.scores.length ? result.scores[index]! : NaN;

function onResult(model: ModelUse, answers: Answers, state: Uint8Array, result: EffectScores): GenomeStep {
  const final = (answer: Answer): GenomeStep => ({ state: NO_STATE, answer });
  const first = answers.first!;
  const byFirst = (score: number): GenomeStep => final(score >= model.threshold ? first.positive : first.negative);
  const { second } = model;
  const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
  const stage = view.getUint8(STATE.stageOffset);
  if (stage === 1) {
    const score = scoreAt(result, model.score);
    if (Number.isNaN(score)) return final(first.unavailable);
    if (second !== undefined && score > second.low && score < second.high)
      return { state: stateOf(2, score), answer: answers.second!.ask };
    return byFirst(score);
  }
  if (stage !== 2 || second === undefined) return final(answers.unexpectedEvent);
  const score = scoreAt(result, second.score);
  if (Number.isNaN(score)) return byFirst(view.getFloat64(STATE.scoreOffset, true));
  return final(score >= second.threshold ? answers.second!.positive : answers.second!.negative);
}

/**
 * One step of the genome's agent, interpreted: the reference that compiled agents are held to. Pure; `state` is what the
 * step before returned (empty at first).
 */
export function interpretStep(
  genome: Genome,
  state: Uint8Array,
  event: GenomeEvent,
  answers: Answers = answersOf(genome),
): GenomeStep {
  if (event.kind === 'results') {
    if (genome.model === undefined || state.length !== STATE.size || event.results.length !== 1)
      return { state: NO_STATE, answer: answers.unexpectedEvent };
    return onResult(genome.model, answers, state, event.results[0]!);
  }
  if (event.features.length < featuresNeeded(genome)) return { state: NO_STATE, answer: answers.tooFewFeatures };
  const answer = answers.rules[firingRule(genome, event.features)] ?? answers.otherwise;
  return { state: answer.kind === 'infer' ? stateOf(answer.stage) : NO_STATE, answer };
}

/** What a genome comes to on one task: its answer, and the models it asked, in order. */
export interface GenomeRun {
  readonly answer: Answer;
  readonly asked: readonly string[];
}

/**
 * Runs a genome to its end, with `infer` answering for the models (undefined: the model has no answer).
 * At most three steps: rules, first model, second model. Over many tasks, make `answers` once and pass them.
 */
export function runGenome(
  genome: Genome,
  features: ArrayLike<number>,
  infer: (model: string, input: string) => ArrayLike<number> | undefined,
  answers: Answers = answersOf(genome),
): GenomeRun {
  const asked: string[] = [];
  let step = interpretStep(genome, NO_STATE, { kind: 'start', features }, answers);
  while (step.answer.kind === 'infer') {
    const use = step.answer.stage === 1 ? genome.model! : genome.model!.second!;
    asked.push(use.name);
    const scores = infer(use.name, use.input);
    const results = [{ ok: scores !== undefined, scores: scores ?? [] }];
    step = interpretStep(genome, step.state, { kind: 'results', results }, answers);
  }
  return { answer: step.answer, asked };
}

/** The label of a `done` answer, undefined for a failure. */
export function labelOf(answer: Answer): string | undefined {
  if (answer.kind !== 'done') return undefined;
  return (JSON.parse(new TextDecoder().decode(answer.bytes)) as { label: string }).label;
}
