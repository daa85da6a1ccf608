import assert from 'node:assert/strict';
import { ChimeraError } from '../../../src/contracts/errors.ts';
import { parseTaskType, taskTypeHash } from '../../../src/core/validation/task-type.ts';

const valid = {
  name: 'sentiment',
  version: 1,
  title: 'Is this kind?',
  input: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
  output: { type: 'object' },
  scorer: { kind: 'label', pointer: '/label', labels: ['no', 'yes'], positive: 'yes' },
  objectives: [{ kpi: 'balanced_accuracy', direction: 'maximise' }],
  features: [{ name: 'length', kind: 'length', field: 'text' }],
};

function problemsOf(change: Record<string, unknown>): string[] {
  try {
    parseTaskType({ ...valid, ...change });
  } catch (error) {
    assert.ok(error instanceof ChimeraError && error.code === 'CHIMERA_INVALID_INPUT');
    return (error.details.problems ?? []).map((problem) => problem.path);
  }
  return [];
}

describe('a task type', () => {
  it('gets its defaults, which are part of its hash', () => {
    const type = parseTaskType(valid);
    assert.deepEqual(type.limits, { payloadBytes: 1 << 20, payloadDepth: 20 });
    assert.deepEqual(type.preprocess, []);
    assert.equal(taskTypeHash(type), taskTypeHash(parseTaskType({ ...valid, limits: { payloadDepth: 20 } })));
    assert.notEqual(taskTypeHash(type), taskTypeHash(parseTaskType({ ...valid, version: 2 })));
    assert.deepEqual(parseTaskType(type), type);
  });

  for (const [name, change, paths] of [
    ['a name that is no kebab-case', { name: 'Not Kebab' }, ['/name']],
    ['a version that is no integer', { version: 1.5 }, ['/version']],
    ['an unknown scorer', { scorer: { kind: 'magic' } }, ['/scorer/kind']],
    ['a positive label that is none', { scorer: { ...valid.scorer, positive: 'maybe' } }, ['/scorer/positive']],
    ['labels twice', { scorer: { ...valid.scorer, labels: ['yes', 'yes', 'no'] } }, ['/scorer/labels']],
    ['no objective', { objectives: [] }, ['/objectives']],
    ['a feature twice', { features: [...valid.features, ...valid.features] }, ['/features']],
    ['an unknown step', { preprocess: [{ op: 'run', code: 'x' }] }, ['/preprocess/0/op']],
    ['an unsafe input schema', { input: { $ref: 'http://example.org' } }, ['/input/$ref']],
    ['a pointer without a slash', { text: 'text' }, ['/text']],
    ['a member nobody knows', { extra: 1 }, ['']],
    ['a feedback deadline that is no time', { feedbackDeadlineMs: 0 }, ['/feedbackDeadlineMs']],
    [
      'several at once',
      { name: 'A', title: '', limits: { payloadDepth: 0 } },
      ['/name', '/title', '/limits/payloadDepth'],
    ],
  ] as const) {
    it(`refuses ${name}`, () => assert.deepEqual(problemsOf(change), paths));
  }
});
