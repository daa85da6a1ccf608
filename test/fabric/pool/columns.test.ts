import assert from 'node:assert/strict';
import { deserialize, serialize } from 'node:v8';
import fc from 'fast-check';
import { packList, unpackList } from '../../../src/fabric/pool/columns.ts';
import type { Column } from '../../../src/fabric/pool/columns.ts';

const sent = (list: readonly unknown[]): unknown[] =>
  unpackList(deserialize(serialize(packList(list))) as Column, list.length);

describe('lists in columns', () => {
  it('come out as structuredClone would give them', () => {
    const doubles = fc.array(fc.double(), { maxLength: 4 }).map((values) => Float64Array.from(values));
    const json = fc.jsonValue({ maxDepth: 3 });
    const row = fc.record(
      {
        key: fc.string(),
        seed: fc.bigInt(),
        prepared: fc.record({ payload: json, features: doubles }),
        log: fc.array(json),
      },
      { requiredKeys: ['key', 'seed'] },
    );
    const any = fc.oneof(row, json, doubles, fc.constant(undefined), fc.double());
    fc.assert(
      fc.property(fc.oneof(fc.array(row), fc.array(any), fc.array(json), fc.array(doubles)), (list) => {
        assert.deepStrictEqual(sent(list), structuredClone(list));
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  it('keep what looks alike apart', () => {
    const own = JSON.parse('{"__proto__":{"a":1}}') as object;
    for (const list of [
      [],
      [-0, 0, NaN],
      [{ a: -0 }, { a: 1 }],
      [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ],
      [{ a: 1 }, { a: 1, b: undefined }],
      [{ a: null }, { a: {} }],
      [{ a: 1 }, { a: 'x' }],
      [own, own],
      [Float64Array.of(1), Uint8Array.of(1)],
      [[], []],
      [[], [1]],
      ['x', 'x', 'x'],
      [{ a: { b: { c: { d: { e: { f: 1 } } } } } }],
    ]) {
      // A few go as they are, many as columns.
      const many = Array.from({ length: 4 }, () => list).flat();
      for (const each of [list, many]) assert.deepStrictEqual(sent(each), structuredClone(each));
    }
    const [first, second] = sent([[], [], [], []]);
    assert.notEqual(first, second);
  });

  it('are never larger than the list itself', () => {
    const row = (i: number): unknown => ({ key: `k${i}`, seed: 1n, record: { output: { label: 'spam' }, fuel: i } });
    for (const length of [1, 2, 3, 64]) {
      const list = Array.from({ length }, (_, i) => row(i));
      const spent = serialize(packList(list)).length - serialize(list).length;
      // The name of the kind, and no more.
      assert.ok(spent < 32, `${length}: ${spent} bytes more`);
    }
  });

  it('are refused where nothing packed them', () => {
    const values = new Float64Array(2);
    const rows = (names: unknown): unknown => ({ kind: 'rows', names, columns: [{ kind: 'same', value: 1 }] });
    let deep: unknown = { kind: 'same', value: 1 };
    for (let level = 0; level < 9; level++) deep = { kind: 'rows', names: ['a'], columns: [deep] };
    for (const forged of [
      { kind: 'other' },
      { kind: 'plain', values: [1] },
      { kind: 'plain', values: { length: 2 } },
      { kind: 'numbers', values: new Float64Array(1) },
      { kind: 'numbers', values: [1, 2] },
      { kind: 'doubles', values, lengths: Uint32Array.of(1) },
      { kind: 'doubles', values, lengths: [1, 1] },
      rows(['a', 'b']),
      rows(['__proto__']),
      rows('a'),
      rows([Symbol.iterator]),
      rows(Array.from({ length: 100 }, () => 'a')),
      deep,
      undefined,
      null,
    ]) {
      assert.throws(() => unpackList(forged as Column, 2), TypeError);
    }
    const lying = { kind: 'doubles', values, lengths: Uint32Array.of(2 ** 32 - 1, 2 ** 32 - 1) } as const;
    assert.deepStrictEqual(unpackList(lying, 2), [values, new Float64Array(0)]);
  });
});
