import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compileGenome } from '../../../src/core/evolution/compile.ts';
import type { Genome } from '../../../src/core/evolution/genome.ts';
import { interpretStep, labelOf, runGenome } from '../../../src/core/evolution/interpret.ts';
import { FEATURES, genome, input } from './arbitraries.ts';
import { hostStep, instantiate } from './glue.ts';
import type { HostEvent } from './glue.ts';

/** The reflection half of the API, which Node's type declarations leave out. */
const moduleApi = WebAssembly.Module as unknown as {
  imports(module: WebAssembly.Module): unknown[];
  exports(module: WebAssembly.Module): { name: string; kind: string }[];
};
const mail: Genome = {
  labels: ['ham', 'spam'],
  rules: [
    {
      when: [
        {
          sum: [
            { feature: 0, weight: 1 },
            { feature: 1, weight: 1 },
          ],
          op: '>',
          threshold: 2,
        },
      ],
      then: { label: 'spam' },
    },
    {
      when: [
        { feature: 2, op: '<=', threshold: 0 },
        { feature: 1, op: '<=', threshold: 0 },
      ],
      then: { label: 'ham' },
    },
  ],
  otherwise: { ask: true },
  default: 'ham',
  model: {
    name: 'small',
    input: '/text',
    score: 1,
    threshold: 0.5,
    positive: 'spam',
    negative: 'ham',
    second: { name: 'big', input: '/text', score: 1, threshold: 0.43, low: 0.3, high: 0.7 },
  },
};
const compile = (g: Genome): WebAssembly.Module => new WebAssembly.Module(compileGenome(g));
const run = (features: number[], ...scores: (number[] | undefined)[]): string[] => {
  const module = compile(mail);
  const texts: string[] = [];
  let step = hostStep(module, new Uint8Array(0), { kind: 'start', features });
  texts.push(step.text);
  for (const given of scores) {
    step = hostStep(module, step.state, {
      kind: 'results',
      results: [{ ok: given !== undefined, scores: given ?? [] }],
    });
    texts.push(step.text);
  }
  return texts;
};

describe('compileGenome', () => {
  it('makes a module with no imports, no start function and exactly the three exports', () => {
    const module = compile(mail);
    assert.deepEqual(moduleApi.imports(module), []);
    assert.deepEqual(
      moduleApi
        .exports(module)
        .map((e) => `${e.kind} ${e.name}`)
        .sort(),
      ['function cabi_realloc', 'function step', 'memory memory'],
    );
    assert.ok(compileGenome(mail).length < 2000, `${compileGenome(mail).length} bytes`);
    assert.deepEqual(compileGenome(mail), compileGenome(structuredClone(mail)));
  });

  it('answers by rules, by one model and by two, and says why', () => {
    const request = (model: string): string => `{"input":"/text","model":"${model}"}`;
    assert.deepEqual(run([2, 1, 0]), ['{"label":"spam","why":"rule 1"}']);
    assert.deepEqual(run([2, 0, 0]), ['{"label":"ham","why":"rule 2"}']);
    assert.deepEqual(run([0, 0, 1], [0, 0.7]), [request('small'), '{"label":"spam","why":"model small: score ≥ 0.5"}']);
    assert.deepEqual(run([0, 0, 1], [0, 0.6], [0, 0.43]), [
      request('small'),
      request('big'),
      '{"label":"spam","why":"model big: score ≥ 0.43"}',
    ]);
  });

  it('falls back without an answer: to the default, or to the first model’s score', () => {
    assert.equal(run([0, 0, 1], undefined)[1], '{"label":"ham","why":"default: no score from model small"}');
    assert.equal(run([0, 0, 1], [0.9])[1], '{"label":"ham","why":"default: no score from model small"}');
    assert.equal(run([0, 0, 1], [0, 0.6], undefined)[2], '{"label":"spam","why":"model small: score ≥ 0.5"}');
    assert.equal(run([0, 0, 1], [0, 0.4], [NaN, NaN])[2], '{"label":"ham","why":"model small: score < 0.5"}');
  });

  it('fails on too few features and on results that nobody asked for', () => {
    assert.deepEqual(run([0, 0]), ['the task has too few features: the rules need 3']);
    const step = hostStep(compile(mail), new Uint8Array(0), { kind: 'results', results: [{ ok: true, scores: [1] }] });
    assert.equal(step.kind, 'fail');
    assert.match(step.text, /^unexpected event/);
  });

  it('does what the interpreter does, for any genome, features, scores and states', () => {
    const scores = fc.array(input, { maxLength: 3 });
    const result = fc.record({ ok: fc.boolean(), scores });
    const event: fc.Arbitrary<HostEvent> = fc.oneof(
      fc.record({
        kind: fc.constant('start' as const),
        features: fc.array(input, { minLength: 3, maxLength: FEATURES + 1 }),
      }),
      fc.record({ kind: fc.constant('results' as const), results: fc.array(result, { maxLength: 2 }) }),
    );
    const anyState = fc.oneof(fc.constant(new Uint8Array(0)), fc.uint8Array({ max: 3, minLength: 15, maxLength: 17 }));
    let infers = 0;
    fc.assert(
      fc.property(
        genome,
        anyState,
        event,
        fc.array(result, { minLength: 3, maxLength: 3 }),
        (g, foreign, first, replies) => {
          const module = compile(g);
          let state: Uint8Array = foreign;
          let next: HostEvent = first;
          for (const reply of replies) {
            const compiled = hostStep(module, state, next);
            const expected = interpretStep(g, state, next);
            const text = new TextDecoder().decode(expected.answer.bytes);
            assert.deepEqual(
              { state: compiled.state, text: compiled.text, kind: compiled.kind, log: compiled.log },
              {
                state: expected.state,
                text,
                kind: expected.answer.kind === 'infer' ? 'effects' : expected.answer.kind,
                log: 0,
              },
            );
            if (expected.answer.kind !== 'infer') return;
            infers++;
            assert.deepEqual(compiled.effectKinds, [0]);
            state = compiled.state;
            next = { kind: 'results', results: [reply] };
          }
        },
      ),
      { numRuns: 1500 },
    );
    assert.ok(infers > 80, `the property met only ${infers} questions to models`);
  });

  it('ends in at most three steps, and the label is one of the genome’s', () => {
    fc.assert(
      fc.property(
        genome,
        fc.array(input, { minLength: FEATURES, maxLength: FEATURES }),
        fc.array(input),
        (g, features, scores) => {
          const { answer, asked } = runGenome(g, features, () => scores);
          assert.ok(asked.length <= 2);
          assert.equal(answer.kind, 'done');
          assert.ok(g.labels.includes(labelOf(answer)!));
        },
      ),
    );
  });
});

describe('cabi_realloc of a compiled agent', () => {
  it('gives aligned blocks that do not overlap, keeps old bytes, and grows by need', () => {
    const agent = instantiate(compile(mail));
    const first = agent.cabi_realloc(0, 0, 1, 3);
    new Uint8Array(agent.memory.buffer).set([1, 2, 3], first);
    const second = agent.cabi_realloc(0, 0, 8, 200_000);
    assert.equal(second % 8, 0);
    assert.ok(second >= first + 3);
    assert.ok(agent.memory.buffer.byteLength >= second + 200_000);
    new Uint8Array(agent.memory.buffer).fill(9, second, second + 200_000);
    const moved = agent.cabi_realloc(first, 3, 4, 8);
    assert.deepEqual([...new Uint8Array(agent.memory.buffer, moved, 3)], [1, 2, 3]);
    const shrunk = agent.cabi_realloc(moved, 8, 1, 2);
    assert.deepEqual([...new Uint8Array(agent.memory.buffer, shrunk, 2)], [1, 2]);
    assert.equal(new Uint8Array(agent.memory.buffer)[second], 9);
  });

  it('traps on sizes that wrap around the address space', () => {
    for (const size of [0xffffffff, 0xfffffff0]) {
      const agent = instantiate(compile(mail));
      agent.cabi_realloc(0, 0, 1, 100);
      assert.throws(() => agent.cabi_realloc(0, 0, 16, size), WebAssembly.RuntimeError);
    }
  });

  it('takes a payload of megabytes', () => {
    const payload = new Uint8Array(3_000_000).fill(120);
    const step = hostStep(compile(mail), new Uint8Array(0), { kind: 'start', payload, features: [2, 1, 0] });
    assert.equal(step.text, '{"label":"spam","why":"rule 1"}');
  });
});
