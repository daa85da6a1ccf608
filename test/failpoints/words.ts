import { parseTaskType } from '../../src/core/validation/task-type.ts';
import { stream } from '../../src/core/random/random.ts';
import type { DemoExample, ExampleItem, Part } from '../../src/cli/demo/example.ts';

/**
 * A made-up task that takes seconds to learn: texts in which some words speak for "urgent" and some for "routine". The
 * agent that serves first looks at the text's size, which says next to nothing.
 */
const taskType = parseTaskType({
  name: 'words',
  version: 1,
  title: 'Is this text urgent?',
  input: {
    type: 'object',
    required: ['text', 'size'],
    properties: { text: { type: 'string', minLength: 1 }, size: { type: 'number' } },
    additionalProperties: false,
  },
  output: {
    type: 'object',
    required: ['label'],
    properties: { label: { enum: ['routine', 'urgent'] }, why: { type: 'string', maxLength: 1000 } },
    additionalProperties: false,
  },
  scorer: { kind: 'label', pointer: '/label', labels: ['routine', 'urgent'], positive: 'urgent' },
  objectives: [{ kpi: 'balanced_accuracy', direction: 'maximise' }],
  features: [
    { name: 'size', kind: 'number', field: 'size' },
    { name: 'words', kind: 'words', field: 'text' },
    { name: 'exclamations', kind: 'substring', field: 'text', substring: '!' },
  ],
  limits: { turns: 8 },
  text: '/text',
});

const SYLLABLES = ['ka', 'lo', 'mi', 'nu', 're', 'sa', 'to', 'vi', 'pe', 'du'];
/** 1,000 words that mean nothing. */
const NEUTRAL = SYLLABLES.flatMap((a) => SYLLABLES.flatMap((b) => SYLLABLES.map((c) => a + b + c)));
const speaking = (start: string): string[] => SYLLABLES.flatMap((a) => ['x', 'z'].map((b) => start + a + b));
const SPEAKING = { urgent: speaking('ur'), routine: speaking('ro') };

/** The stream: `learn` tasks before the cycle, `prove` tasks for its rollout. */
export function wordItems(seed: string, sizes: { learn: number; prove: number }): ExampleItem[] {
  const items = (part: Part, count: number): ExampleItem[] =>
    Array.from({ length: count }, (_, index) => {
      const draw = stream(seed, 0, index, `words/${part}`);
      const label = draw.chance(0.5) ? 'urgent' : 'routine';
      // A few tell nothing true: nothing real can be learned without a rest of errors.
      const said = draw.chance(0.04) ? (label === 'urgent' ? 'routine' : 'urgent') : label;
      const words = [
        ...Array.from({ length: 8 + draw.integer(8) }, () => draw.pick(NEUTRAL)),
        ...Array.from({ length: 3 }, () => draw.pick(SPEAKING[said])),
      ];
      const size = draw.integer(100) + (label === 'urgent' ? 10 : 0);
      const text = draw.shuffle(words).join(' ') + (draw.chance(label === 'urgent' ? 0.4 : 0.2) ? '!' : '.');
      return { id: `${part}-${index}`, part, payload: { text, size }, expected: { label } };
    });
  return [...items('stream-1', sizes.learn), ...items('rollout-1', sizes.prove)];
}

export const words: DemoExample = {
  title: taskType.title,
  noun: 'texts',
  taskType,
  baseline: {
    agent: 'size',
    description: 'urgent where the text is said to be large',
    genome: {
      labels: ['routine', 'urgent'],
      rules: [{ when: [{ feature: 0, op: '>', threshold: 55 }], then: { label: 'urgent' } }],
      otherwise: { label: 'routine' },
      default: 'routine',
    },
  },
  load: ({ seed }) => Promise.resolve(wordItems(seed, { learn: 240, prove: 200 })),
  sample: { text: 'urkax milore satovi!', size: 60 },
};
