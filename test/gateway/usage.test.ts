import assert from 'node:assert/strict';
import type { FastifyInstance } from 'fastify';
import { createUsageRecorder, type UsageRecorder } from '../../src/gateway/openai/usage.ts';
import { createGateway } from '../../src/gateway/server.ts';
import type { InferenceService } from '../../src/learning/inference/types.ts';
import { createStores } from '../../src/stores/index.ts';
import {
  chat,
  chunk,
  events,
  json,
  providerAt,
  startRemoteServer,
  type RemoteServer,
} from '../learning/remote/server.ts';
import { startPlatform, type Platform } from './fixture.ts';

/** There are providers only. */
const nobody: InferenceService = {
  embed: () => Promise.reject(new Error('nobody asks for it')),
  classify: () => Promise.reject(new Error('nobody asks for it')),
  generate: () => Promise.reject(new Error('nobody asks for it')),
  close: () => Promise.resolve(),
};

describe('gateway: what calls of providers cost is written down', function () {
  this.timeout(240_000);
  let platform: Platform;
  let remote: RemoteServer;
  const gateways: FastifyInstance[] = [];

  before(async () => {
    platform = await startPlatform();
    remote = await startRemoteServer();
  });
  after(async () => {
    for (const gateway of gateways) await gateway.close();
    await remote?.close();
    await platform?.close();
  });

  /** A gateway whose costs go to this recorder, and how to ask it. */
  const serve = async (usage: UsageRecorder) => {
    const { stores, temporal } = platform;
    const models = () => Promise.resolve([]);
    const inference = { service: nobody, models, providers: [providerAt(remote.baseUrl)], onCost: usage.record };
    const gateway = createGateway({ stores, temporal, inference });
    gateways.push(gateway);
    const url = await gateway.listen({ host: '127.0.0.1', port: 0 });
    return async (path: string, body: object, apiKey = platform.apiKey): Promise<number> => {
      const headers = {
        'content-type': 'application/json',
        authorization: `Bearer ${apiKey}`,
        'x-request-id': 'mine',
      };
      const answer = await fetch(`${url}/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
      await answer.text();
      return answer.status;
    };
  };
  const talk = { model: 'talker', messages: [{ role: 'user', content: 'capital?' }] };

  it('writes a line for each call, also where callers name two requests alike, to the project of the key', async () => {
    const { stores } = platform;
    const usage = createUsageRecorder(stores, { error: () => assert.fail('it must be written') });
    const ask = await serve(usage);
    await stores.projects.ensure('tenant');
    const { key } = await stores.apiKeys.create('tenant', 'theirs');
    const embedding = { data: [{ index: 0, embedding: [1, 0] }], usage: { prompt_tokens: 7 } };
    remote.behave(
      json(chat('Paris.')),
      json(chat('Paris.')),
      events([chunk('Par'), chunk('is.', 'stop'), '[DONE]']),
      json(embedding),
    );
    for (const body of [talk, talk, { ...talk, stream: true }])
      assert.equal(await ask('chat/completions', body, key), 200);
    assert.equal(await ask('embeddings', { model: 'embedder', input: 'a' }, key), 200);
    await usage.settle();

    const lines = await stores.usage.list('tenant');
    assert.deepEqual(
      lines.map(({ model, task, caller, estimated }) => [model, task, caller, estimated]),
      [
        ['talker', 'generation', 'theirs', false],
        ['talker', 'generation', 'theirs', false],
        ['talker', 'generation', 'theirs', true],
        ['embedder', 'embedding', 'theirs', false],
      ],
    );
    for (const { usageId } of lines) assert.match(usageId, /^mine\/[0-9a-f-]{36}$/);
    const [embedder, talker] = await stores.usage.sum('tenant');
    assert.deepEqual(embedder, {
      ...{ provider: 'vendor', model: 'embedder', calls: 1, estimated: 0 },
      ...{ promptTokens: 7, completionTokens: 0, cost: 7e-6 },
    });
    assert.equal(talker?.calls, 3);
    assert.equal(talker.estimated, 1);
    assert.deepEqual(await stores.usage.list('default'), [], 'another project paid nothing');
  });

  it('answers also where the line cannot be written, and logs all that it says', async () => {
    const { artifacts } = platform.stores;
    const gone = createStores({ databaseUrl: 'postgres://x:y@127.0.0.1:1/none', artifacts });
    const logged: [object, string][] = [];
    const usage = createUsageRecorder(gone, { error: (...line) => logged.push(line) });
    const ask = await serve(usage);
    remote.behave(json(chat('Paris.')));
    assert.equal(await ask('chat/completions', talk), 200);
    await usage.settle();
    await gone.close();
    const [[{ err, ...line }, message]] = logged as [[{ err: unknown; [member: string]: unknown }, string]];
    assert.match(message, /not written down/);
    assert.match(String(err), /the store is not reachable/);
    assert.deepEqual(
      [line['project'], line['caller'], line['model'], line['promptTokens'], line['completionTokens']],
      ['default', 'test', 'talker', 12, 3],
    );
  });

  it('writes nothing for a call that the provider refused', async () => {
    const { stores } = platform;
    const usage = createUsageRecorder(stores, { error: () => assert.fail('there is nothing to write') });
    const ask = await serve(usage);
    remote.behave(json({ error: { message: 'no' } }, 401));
    assert.equal(await ask('chat/completions', talk), 502);
    await usage.settle();
    assert.deepEqual(await stores.usage.sum('default'), []);
  });
});
