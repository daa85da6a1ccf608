import { deepEqual, equal, rejects } from 'node:assert/strict';
import { ChimeraError } from '../../../src/contracts/errors.ts';
import type { Adapter } from '../../../src/learning/adapters/types.ts';
import { adapterBytes, serveAdapter } from '../../../src/learning/inference/served-adapter.ts';
import type { InferenceService } from '../../../src/learning/inference/types.ts';
import { ENCODER, seededAdapter, tinyEngine } from './tiny-models.ts';

const { adapter } = seededAdapter(ENCODER.base, 'adapter');
const SIZE = adapterBytes(serveAdapter('a', adapter, ENCODER));

describe('adapters that are kept ready', () => {
  let loaded: string[];
  let load: (name: string) => Promise<Adapter>;
  const engineFor = (adapterBytes: number): InferenceService =>
    tinyEngine([], {
      adapterBytes,
      loadAdapter: (name) => {
        loaded.push(name);
        return load(name);
      },
    });
  const ask = (engine: InferenceService, name: string) =>
    engine.classify({ model: { base: 'encoder', adapter: name }, texts: ['text'] });

  beforeEach(() => {
    loaded = [];
    load = () => Promise.resolve(adapter);
  });

  it('are weighed: what was not used for longest goes where they are too heavy together', async () => {
    const engine = engineFor(2.5 * SIZE);
    for (const name of ['a', 'b', 'a', 'c', 'a', 'b', 'c', 'c']) await ask(engine, name);
    deepEqual(loaded, ['a', 'b', 'c', 'b', 'c']);
    await engine.close();
  });

  it('are the last one only where there is no memory for another', async () => {
    const engine = engineFor(1);
    for (const name of ['a', 'a', 'b', 'b', 'a']) await ask(engine, name);
    deepEqual(loaded, ['a', 'b', 'a']);
    await engine.close();
  });

  it('are loaded once for all who wait, whatever is loaded meanwhile', async () => {
    const engine = engineFor(SIZE);
    const slow = Promise.withResolvers<Adapter>();
    load = (name) => (name === 'slow' ? slow.promise : Promise.resolve(adapter));
    const first = ask(engine, 'slow');
    for (const name of ['b', 'c', 'd']) await ask(engine, name);
    const second = ask(engine, 'slow');
    slow.resolve(adapter);
    deepEqual(await first, await second);
    equal(loaded.filter((name) => name === 'slow').length, 1);
    await engine.close();
  });

  it('are asked for again where that failed', async () => {
    const engine = engineFor(SIZE);
    load = (name) => Promise.reject(new ChimeraError('CHIMERA_NOT_FOUND', { what: 'adapter', name }));
    await rejects(ask(engine, 'a'), { code: 'CHIMERA_NOT_FOUND' });
    load = () => Promise.resolve(adapter);
    await ask(engine, 'a');
    deepEqual(loaded, ['a', 'a']);
    await engine.close();
  });
});
