import assert from 'node:assert/strict';
import { createMemories } from '../../../src/fabric/v8/memory.ts';

type Imports = { chimera: { memory: WebAssembly.Memory & { grow(pages: number): number } } };
const memoryOf = (imports: object) => (imports as Imports).chimera.memory;
const bytesOf = (memory: WebAssembly.Memory): Uint8Array => new Uint8Array(memory.buffer);

describe('memories of instances', () => {
  it('are of the size that the module wants, and zero whatever the instance before wrote', () => {
    const next = createMemories({ memory: { initial: 2, maximum: 8 } });
    for (let i = 0; i < 3; i++) {
      const bytes = bytesOf(memoryOf(next()));
      assert.equal(bytes.length, 2 * 65_536);
      assert.ok(bytes.every((byte) => byte === 0));
      bytes.fill(255);
    }
  });

  it('are small again after an instance that grew its own', () => {
    const next = createMemories({ memory: { initial: 1, maximum: 8 } });
    const grown = memoryOf(next());
    grown.grow(3);
    bytesOf(grown).fill(255);
    const bytes = bytesOf(memoryOf(next()));
    assert.equal(bytes.length, 65_536);
    assert.ok(bytes.every((byte) => byte === 0));
  });

  it('are new each time where wiping would take longer', () => {
    const next = createMemories({ memory: { initial: 16, maximum: 16 } });
    assert.notEqual(memoryOf(next()), memoryOf(next()));
  });

  it('are none for a module without one', () => {
    assert.deepEqual(createMemories({})(), {});
  });
});
