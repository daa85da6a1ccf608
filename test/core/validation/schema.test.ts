import assert from 'node:assert/strict';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import type { JsonObject } from '../../../src/contracts/records.ts';
import { admit } from '../../../src/core/validation/admission.ts';
import { compileJsonSchema, schemaProblems, validateJson } from '../../../src/core/validation/schema.ts';

function doubling(n: number): JsonObject {
  const defs: JsonObject = {};
  for (let i = 0; i < n; i++) {
    const next = { $ref: `#/$defs/d${i + 1}` };
    defs[`d${i}`] = i === n - 1 ? { type: 'string' } : { allOf: [next, next] };
  }
  return { $ref: '#/$defs/d0', $defs: defs };
}

describe('JSON Schema from outside', () => {
  const refused: [string, JsonObject, RegExp][] = [
    ['a reference to another document', { $ref: 'http://example.org/a' }, /within the schema/],
    ['a reference to a file', { properties: { a: { $ref: 'file:///etc/passwd' } } }, /within the schema/],
    ['a reference to nothing', { $ref: '#/$defs/none' }, /none/],
    ['an identifier', { $id: 'http://example.org/a' }, /not supported/],
    ['a reference to itself', { $ref: '#' }, /never end/],
    ['a ring of references', { allOf: [{ $ref: '#/$defs/a' }], $defs: { a: { not: { $ref: '#' } } } }, /never end/],
    ['references that double', doubling(30), /too long/],
    ['an unknown type', { type: 'strange' }, /allowed values/],
    ['an unknown keyword', { foo: 1 }, /unknown keyword/],
    ['an unknown format', { type: 'string', format: 'colour' }, /format/],
    ['look-around', { type: 'string', pattern: '(?=a)' }, /look-around/],
    ['a bad property pattern', { patternProperties: { '(a': true } }, /not closed/],
    ['256 KB', { description: 'a'.repeat(300_000) }, /limit/],
    ['100 levels', Array.from({ length: 100 }).reduce<JsonObject>((inner) => ({ items: inner }), {}), /nest/],
  ];
  for (const [name, schema, message] of refused) {
    it(`refuses ${name}`, () => {
      const problems = schemaProblems(schema);
      assert.ok(problems.length > 0);
      assert.match(problems.map((p) => p.message).join('\n'), message);
      assert.throws(
        () => compileJsonSchema(schema, 'the input schema'),
        (error: unknown) => isChimeraError(error, 'CHIMERA_INVALID_INPUT'),
      );
    });
  }

  it('lists every unsafe place at once', () => {
    const problems = schemaProblems({ $id: 'a', properties: { a: { $ref: 'b' }, c: { pattern: '(' } } });
    assert.deepEqual(
      problems.map((p) => p.path),
      ['/$id', '/properties/a/$ref', '/properties/c/pattern'],
    );
  });

  it('accepts recursion that goes down with the value', () => {
    const tree: JsonObject = {
      type: 'object',
      properties: { left: { $ref: '#' }, right: { $ref: '#' }, children: { type: 'array', items: { $ref: '#' } } },
      additionalProperties: false,
    };
    assert.deepEqual(validateJson(tree, { left: { right: {} }, children: [{}, { left: {} }] }), []);
    assert.deepEqual(validateJson(tree, { left: { strange: 1 } }), [
      { path: '/left', message: 'must NOT have additional properties: strange' },
    ]);
  });

  it('lists every problem of a value', () => {
    const schema: JsonObject = {
      type: 'object',
      properties: {
        a: { type: 'integer' },
        b: { enum: ['x', 'y'] },
        c: { const: 1 },
        d: { type: 'string', format: 'date' },
      },
      required: ['e'],
      additionalProperties: false,
    };
    const problems = validateJson(schema, { a: 'one', b: 'z', c: 2, d: 'yesterday', f: 1 });
    assert.deepEqual(problems.map((p) => p.path).sort(), ['', '', '/a', '/b', '/c', '/d']);
    assert.match(problems.map((p) => p.message).join('\n'), /"x", "y"/);
  });

  it('caps the list, and lists one problem only of a huge value', () => {
    const schema: JsonObject = { type: 'array', items: { type: 'string' } };
    assert.equal(
      validateJson(
        schema,
        Array.from({ length: 500 }, () => 1),
      ).length,
      100,
    );
    assert.equal(
      validateJson(
        schema,
        Array.from({ length: 50_000 }, () => 1),
      ).length,
      1,
    );
  });

  it('compares the items of an array by content', () => {
    const schema: JsonObject = { type: 'array', uniqueItems: true };
    assert.deepEqual(validateJson(schema, [{ a: 1, b: 2 }, { a: 1 }]), []);
    assert.equal(
      validateJson(schema, [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ]).length,
      1,
    );
    assert.deepEqual(
      validateJson(
        schema,
        Array.from({ length: 100_000 }, (_, i) => [i]),
      ),
      [],
    );
  });

  it('ends quickly on a pattern and a text made to stop a worker', () => {
    assert.equal(validateJson({ type: 'string', pattern: '^(a+)+$' }, `${'a'.repeat(5000)}!`).length, 1);
    assert.match(validateJson({ type: 'string', pattern: '^(a+)+$' }, 'a'.repeat(10_000_000))[0]!.message, /too long/);
  });

  it('admits a payload by size, then depth, then schema', () => {
    const type = { input: { type: 'object' }, limits: { payloadBytes: 100, payloadDepth: 3 } };
    const problems = (payload: Parameters<typeof admit>[1]): string =>
      admit(type, payload)
        .map((p) => p.message)
        .join();
    assert.equal(problems({ a: { b: {} } }), '');
    assert.match(problems([1]), /object/);
    assert.match(problems({ a: 'x'.repeat(100) }), /limit is 100/);
    assert.match(problems({ a: [[[]]] }), /3 levels/);
  });
});
