import type { AdapterTask } from '../../../contracts/adapters.ts';
import type { DatasetExample } from '../../../contracts/records.ts';
import { canonicalJson } from '../../canonical/canonical.ts';
import { valueAt } from '../../kpi/pointer.ts';
import { stream } from '../../random/random.ts';
import type { TaskType } from '../../validation/task-type.ts';

/** The tasks of a decoder, which learns to answer; a classifier learns labels. */
export type AnswerTask = Exclude<AdapterTask, 'classification'>;

/** What a decoder learns from an example: what it is asked, what is right to answer, and for a preference what is wrong. */
export interface Answer {
  readonly text: string;
  readonly right: string;
  readonly wrong?: string;
}

/** Why nothing of a task can be learned from datasets of a task type, in a sentence; undefined where it can. */
export function misfit({ name, text, scorer }: TaskType, task: AdapterTask): string | undefined {
  if (text === undefined)
    return `task type ${name} has no text pointer, so there is nothing that a text model could read`;
  if (scorer.kind === 'label' || task === 'causal') return undefined;
  const scored = `task type ${name} is scored by "${scorer.kind}"`;
  return task === 'classification'
    ? `${scored}, so it has no labels that a classifier could learn`
    : `${scored}, so its datasets hold right answers only: a preference needs wrong ones too, which only labels give`;
}

/**
 * What a decoder learns from one part of a dataset, for a task that fits its task type. The right answer is the expected label, or the
 * expected value at the scorer's pointer: a text as it is, anything else as canonical JSON. The wrong one is another label, drawn by
 * seed and ordinal. Examples without a right answer are left out.
 */
export function answersOf(
  type: TaskType,
  examples: readonly DatasetExample[],
  { task, seed }: { readonly task: AnswerTask; readonly seed: string },
): Answer[] {
  return examples.flatMap((example): Answer[] => {
    const right = rightAnswer(type, example);
    if (right === undefined) return [];
    const answer = { text: String(valueAt(example.payload, type.text!) ?? ''), right };
    if (task === 'causal' || type.scorer.kind !== 'label') return [answer];
    const others = type.scorer.labels.filter((label) => label !== right);
    return [{ ...answer, wrong: stream(seed, 0, example.ordinal, 'adapter/wrong-label').pick(others) }];
  });
}

function rightAnswer({ scorer }: TaskType, { expected }: DatasetExample): string | undefined {
  const value = valueAt(expected, scorer.pointer);
  if (value === undefined) return undefined;
  const text = typeof value === 'string' ? value : canonicalJson(value);
  const isAnswer = scorer.kind === 'label' ? scorer.labels.includes(text) : text.trim() !== '';
  return isAnswer ? text : undefined;
}
