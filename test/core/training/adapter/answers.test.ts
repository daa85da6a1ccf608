import { deepEqual, equal, match, notDeepEqual, notEqual } from 'node:assert/strict';
import type { DatasetExample, JsonObject, JsonValue } from '../../../../src/contracts/records.ts';
import { answersOf, misfit } from '../../../../src/core/training/adapter/answers.ts';
import { parseTaskType, type TaskType } from '../../../../src/core/validation/task-type.ts';

const LABELS = ['ham', 'spam', 'list'];

const typeOf = (scorer: JsonObject, text: string | undefined = '/text'): TaskType =>
  parseTaskType({
    ...{ name: 'mails', version: 1, title: 'Mails', input: {}, output: {}, scorer },
    objectives: [{ kpi: 'score', direction: 'maximise' }],
    ...(text === undefined ? {} : { text }),
  });

const labels = typeOf({ kind: 'label', pointer: '/label', labels: LABELS });
const exact = typeOf({ kind: 'exact', pointer: '/subject' });
const numeric = typeOf({ kind: 'numeric', pointer: '/price', tolerance: 1 });

const example = (expected: JsonValue, ordinal = 0, payload: JsonObject = { text: 'a mail' }): DatasetExample => ({
  ...{ ordinal, taskId: `t${ordinal}`, split: 'train', payload, features: [], expected },
});
const causal = { task: 'causal', seed: 's' } as const;
const preference = { task: 'preference', seed: 's' } as const;

describe('answers that a decoder learns', () => {
  it('are the label, or what stands at the pointer: texts as they are, all else as canonical JSON', () => {
    const rightOf = (type: TaskType, expected: JsonValue) => answersOf(type, [example(expected)], causal);
    deepEqual(rightOf(labels, { label: 'spam' }), [{ text: 'a mail', right: 'spam' }]);
    deepEqual(rightOf(exact, { subject: 'Lunch?' }), [{ text: 'a mail', right: 'Lunch?' }]);
    deepEqual(rightOf(exact, { subject: { b: [1], a: null } }), [{ text: 'a mail', right: '{"a":null,"b":[1]}' }]);
    deepEqual(rightOf(numeric, { price: 12.5 }), [{ text: 'a mail', right: '12.5' }]);
    deepEqual(rightOf(typeOf({ kind: 'exact' }), { b: 1, a: 2 }), [{ text: 'a mail', right: '{"a":2,"b":1}' }]);
  });

  it('are left out where nothing right is shown', () => {
    deepEqual(answersOf(labels, [example({ label: 'other' }), example({}), example(null)], causal), []);
    deepEqual(answersOf(exact, [example({ subject: ' ' }), example({})], causal), []);
  });

  it('have another label as the wrong one, the same wherever and in whichever company it is drawn', () => {
    const examples = Array.from({ length: 60 }, (_, i) => example({ label: LABELS[i % 3]! }, i));
    const answers = answersOf(labels, examples, preference);
    for (const { right, wrong } of answers) {
      notEqual(wrong, right);
      equal(LABELS.includes(wrong!), true);
    }
    equal(new Set(answers.filter(({ right }) => right === 'ham').map(({ wrong }) => wrong)).size, 2, 'any other one');
    deepEqual(answersOf(labels, examples.slice(30), preference), answers.slice(30));
    notDeepEqual(answersOf(labels, examples, { ...preference, seed: 'other' }), answers);
  });

  it('fit a task type that has a text, and wrong ones need labels', () => {
    for (const task of ['classification', 'causal', 'preference'] as const) {
      equal(misfit(labels, task), undefined);
      const mute = parseTaskType({ ...labels, text: undefined });
      match(misfit(mute, task)!, /task type mails has no text pointer/);
    }
    equal(misfit(exact, 'causal'), undefined);
    equal(misfit(numeric, 'causal'), undefined);
    match(misfit(exact, 'preference')!, /is scored by "exact", so its datasets hold right answers only/);
    match(misfit(numeric, 'classification')!, /is scored by "numeric", so it has no labels/);
  });
});
