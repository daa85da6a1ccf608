import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { componentEmbed, componentNew } from '@bytecodealliance/jco';
import { I32, Code } from '../../src/core/wasm/code.ts';
import { encodeModule } from '../../src/core/wasm/encoder.ts';
import { guardModule } from '../../src/fabric/guard/guard.ts';
import { answering } from './agents.ts';

/** Makes a component of a core module for the world `agent`; throws where the module does not have its signature. */
async function component(binary: Uint8Array): Promise<Uint8Array> {
  const witSource = await readFile(new URL('../../wit/agent.wit', import.meta.url), 'utf8');
  return componentNew(await componentEmbed({ binary, witSource, world: 'agent', stringEncoding: 'utf8' }), []);
}

describe('agent ABI', () => {
  it('is the canonical ABI of wit/agent.wit: jco makes a component of a module that the guard accepts', async () => {
    const module = answering('1');
    assert.deepEqual(guardModule(module, { memoryPages: 16 }).exports, ['step', 'cabi_realloc', 'memory']);
    const bytes = await component(module);
    assert.deepEqual([...bytes.subarray(0, 8)], [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);
    const [guarded, core] = [bytes, module].map((original) => guardModule(original, { memoryPages: 16 }));
    assert.deepEqual(guarded!.bytes, core!.bytes);
    assert.notEqual(guarded!.sha256, core!.sha256);
  });

  it('is not met by another signature', async () => {
    const module = encodeModule({
      functions: [{ params: [I32], results: [I32], code: new Code().get(0), export: 'step' }],
      memory: { min: 1, export: 'memory' },
    });
    await assert.rejects(component(module));
  });
});
