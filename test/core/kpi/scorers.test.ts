import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isPointer, valueAt } from '../../../src/core/kpi/pointer.ts';
import { score, scoreFeedback, scorerProblems } from '../../../src/core/kpi/scorers.ts';
import type { ScorerSpec } from '../../../src/core/kpi/scorers.ts';

const label: ScorerSpec = { kind: 'label', pointer: '/label', labels: ['ham', 'spam'] };

describe('kpi/scorers', () => {
  it('scores labels, and says why an answer is none', () => {
    assert.deepEqual(score(label, { label: 'ham' }, { label: 'ham' }), {
      score: 1,
      correct: true,
      predicted: 'ham',
      expected: 'ham',
    });
    assert.equal(score(label, { label: 'spam' }, { label: 'ham' }).score, 0);
    assert.deepEqual(score(label, { label: 'egg' }, { label: 'ham' }), {
      score: 0,
      correct: false,
      expected: 'ham',
      problem: '"egg" is none of ham, spam',
    });
    assert.match(score(label, {}, { label: 'ham' }).problem!, /nothing at "\/label"/);
    assert.match(score(label, undefined, { label: 'ham' }).problem!, /no output/);
  });

  it('scores exact values whatever the order of their members', () => {
    const spec: ScorerSpec = { kind: 'exact', pointer: '' };
    assert.equal(score(spec, { a: 1, b: [2] }, { b: [2], a: 1 }).correct, true);
    assert.equal(score(spec, { a: 1 }, { a: '1' }).correct, false);
  });

  it('scores numbers by a tolerance, less the further off', () => {
    const spec: ScorerSpec = { kind: 'numeric', pointer: '/x', tolerance: 1, relative: 0.1 };
    const at = (x: number): number => score(spec, { x }, { x: 10 }).score;
    assert.deepEqual([at(10), at(12), at(14), at(6)], [1, 1, 0.5, 0.5]);
    assert.equal(score({ ...spec, tolerance: 0, relative: 0 }, { x: 1 }, { x: 2 }).score, 0);
    fc.assert(fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (x) => at(x) >= 0 && at(x) <= 1));
    assert.match(score(spec, { x: 'ten' }, { x: 10 }).problem!, /no number/);
  });

  it('scores sets by F1, without regard to order or repetition', () => {
    const spec: ScorerSpec = { kind: 'set', pointer: '/tags' };
    const at = (answer: string[], right: string[]): number => score(spec, { tags: answer }, { tags: right }).score;
    assert.deepEqual(
      [at(['a', 'b'], ['b', 'a', 'a']), at(['a'], ['a', 'b', 'c']), at([], []), at(['x'], [])],
      [1, 0.5, 1, 0],
    );
    assert.match(score(spec, { tags: 'a' }, { tags: [] }).problem!, /no list/);
  });

  it('takes every kind of feedback', () => {
    assert.deepEqual(scoreFeedback(label, {}, { kind: 'boolean', value: true }), { score: 1, correct: true });
    assert.deepEqual(scoreFeedback(label, {}, { kind: 'number', value: 7 }), { score: 1, correct: true });
    assert.deepEqual(scoreFeedback(label, {}, { kind: 'number', value: 0.4 }), { score: 0.4, correct: false });
    assert.equal(scoreFeedback(label, { label: 'ham' }, { kind: 'demonstration', value: { label: 'ham' } })!.score, 1);
    assert.equal(scoreFeedback(label, {}, { kind: 'comment', value: 'nice' }), null);
  });

  it('refuses demonstrations and scorers that make no sense', () => {
    assert.throws(() => score(label, { label: 'ham' }, { label: 'egg' }), { code: 'CHIMERA_INVALID_INPUT' });
    assert.deepEqual(scorerProblems(label), []);
    const paths = (spec: unknown): string[] => scorerProblems(spec as ScorerSpec).map((p) => p.path);
    assert.deepEqual(paths({ kind: 'label', pointer: 'x', labels: ['a'] }), ['/pointer', '/labels']);
    assert.deepEqual(paths({ kind: 'numeric', pointer: '', tolerance: -1, relative: NaN }), [
      '/tolerance',
      '/relative',
    ]);
    assert.deepEqual(paths({ kind: 'guess', pointer: '' }), ['/kind']);
    assert.deepEqual(paths({ kind: 'set', pointer: '/a' }), []);
  });

  it('follows JSON pointers as RFC 6901 says', () => {
    const document = { foo: ['bar', 'baz'], '': 0, 'a/b': 1, 'm~n': 8, nested: { deep: null } };
    const cases = [
      ['/foo/0', 'bar'],
      ['/', 0],
      ['/a~1b', 1],
      ['/m~0n', 8],
      ['/nested/deep', null],
    ] as const;
    for (const [pointer, value] of cases) assert.equal(valueAt(document, pointer), value);
    for (const pointer of ['/foo/2', '/foo/01', '/foo/-', '/nested/deep/x', '/toString']) {
      assert.equal(valueAt(document, pointer), undefined);
    }
    assert.equal(valueAt(document, ''), document);
    assert.ok(!isPointer('x') && !isPointer('/~2') && isPointer('/a//b'));
    assert.throws(() => valueAt({}, 'x'), { code: 'CHIMERA_INVALID_INPUT' });
  });
});
