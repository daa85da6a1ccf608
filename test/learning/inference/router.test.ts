import assert from 'node:assert/strict';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { routeInference } from '../../../src/learning/inference/router.ts';
import type { GenerationRequest, InferenceService } from '../../../src/learning/inference/types.ts';
import type { RemoteCost } from '../../../src/learning/remote/types.ts';
import { chat, json, providerAt, startRemoteServer, type RemoteServer } from '../remote/server.ts';

const usage = { promptTokens: 1, completionTokens: 1 };

/** A local service that answers with the name of the model, and knows whether it was closed. */
function localService(): InferenceService & { closed: boolean } {
  return {
    closed: false,
    embed: ({ texts }) => Promise.resolve({ vectors: texts.map(() => Float32Array.of(1)), usage }),
    classify: () => Promise.resolve({ labels: ['ham'], scores: [], usage }),
    generate: ({ model }) => Promise.resolve({ text: `local ${model.base}`, finish: 'stop', usage }),
    close() {
      this.closed = true;
      return Promise.resolve();
    },
  };
}

const ask = (base: string, adapter?: string): GenerationRequest => ({
  model: { base, ...(adapter === undefined ? {} : { adapter }) },
  prompt: [{ role: 'user', content: 'x' }],
  maxTokens: 5,
  temperature: 0,
  topP: 1,
  stop: [],
  seed: '1',
});

describe('learning: local and remote models as one service', () => {
  let server: RemoteServer;

  before(async () => {
    server = await startRemoteServer();
    server.behave(json(chat('remote')));
  });
  after(() => server.close());

  it('asks whoever has the model, and hears the cost of remote calls only', async () => {
    const costs: RemoteCost[] = [];
    const service = routeInference(localService(), [providerAt(server.baseUrl)], (cost) => costs.push(cost));
    assert.equal((await service.generate(ask('smollm'))).text, 'local smollm');
    assert.equal((await service.generate(ask('talker'))).text, 'remote');
    assert.equal((await service.embed({ model: { base: 'minilm' }, texts: ['a'] })).vectors.length, 1);
    assert.deepEqual((await service.classify({ model: { base: 'minilm', adapter: 'a' }, texts: [] })).labels, ['ham']);
    // Adapters are ours: no provider has one.
    assert.equal((await service.generate(ask('talker', 'a'))).text, 'local talker');
    assert.deepEqual(
      costs.map(({ provider, model }) => [provider, model]),
      [['vendor', 'talker']],
    );
  });

  it('says that a model is not there where nothing is local', async () => {
    const service = routeInference(undefined, [providerAt(server.baseUrl)]);
    await assert.rejects(service.generate(ask('smollm')), (error) => isChimeraError(error, 'CHIMERA_NOT_FOUND'));
    assert.equal((await service.generate(ask('talker'))).text, 'remote');
  });

  it('refuses providers that have models of the same names, naming each', () => {
    const providers = [providerAt(server.baseUrl), providerAt(server.baseUrl)];
    assert.throws(() => routeInference(undefined, providers), /talker is there twice[\s\S]*embedder is there twice/);
  });

  it('closes all that it is over', async () => {
    const local = localService();
    const service = routeInference(local, [providerAt(server.baseUrl)]);
    await service.close();
    assert.equal(local.closed, true);
    await assert.rejects(service.generate(ask('talker')), (error) => isChimeraError(error, 'CHIMERA_CANCELLED'));
  });
});
