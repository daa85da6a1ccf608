import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { JsonValue } from '../../../src/contracts/records.ts';
import { sha256Hex } from '../../../src/core/canonical/canonical.ts';
import {
  BLOCK_BYTES,
  getAnswer,
  MEMORY_BYTES,
  parseMemoryRequest,
  putAnswer,
} from '../../../src/core/execution/memory.ts';
import type { EffectResult } from '../../../src/core/execution/types.ts';

const read = ({ ok, body }: EffectResult): unknown => [ok, JSON.parse(new TextDecoder().decode(body))];
const put = (value: JsonValue): { bytes: Uint8Array; sha256: string } => {
  const request = parseMemoryRequest({ put: value });
  assert.ok('op' in request && request.op === 'put');
  return request;
};

describe('core/execution memory', () => {
  it('names a block by its bytes and gives them back as they were', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const base64 = Buffer.from(bytes).toString('base64');
        const block = put({ base64 });
        assert.deepEqual([...block.bytes], [...bytes]);
        assert.equal(block.sha256, sha256Hex(bytes));
        assert.deepEqual(read(getAnswer(block.bytes, 'base64')), [true, { base64 }]);
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.deepEqual(read(getAnswer(put({ text }).bytes, 'text')), [true, { text }]);
      }),
    );
  });

  it('reads as text by default and says what it cannot do', () => {
    assert.deepEqual(parseMemoryRequest({ get: 'a'.repeat(64) }), { op: 'get', sha256: 'a'.repeat(64), as: 'text' });
    const code = (answer: unknown): string => (read(answer as EffectResult) as [boolean, { code: string }])[1].code;
    assert.equal(code(getAnswer(undefined, 'text')), 'CHIMERA_NOT_FOUND');
    assert.equal(code(getAnswer(Uint8Array.of(0xff), 'text')), 'CHIMERA_INVALID_INPUT');
    assert.deepEqual(read(putAnswer('ab', 5, MEMORY_BYTES)), [true, { sha256: 'ab', bytes: 5 }]);
    assert.equal(code(putAnswer('ab', 5, MEMORY_BYTES + 1)), 'CHIMERA_TOO_LARGE');
    assert.equal(code(parseMemoryRequest({ put: { text: 'x'.repeat(BLOCK_BYTES + 1) } })), 'CHIMERA_TOO_LARGE');
    const bad: JsonValue[] = [null, {}, { put: 'x' }, { put: { base64: '?' } }, { get: 'x' }, { get: '', put: {} }];
    for (const request of bad) assert.equal(code(parseMemoryRequest(request)), 'CHIMERA_INVALID_INPUT');
  });
});
