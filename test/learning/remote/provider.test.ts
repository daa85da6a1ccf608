import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { ChimeraError, type ErrorCode } from '../../../src/contracts/errors.ts';
import type { GenerationRequest } from '../../../src/learning/inference/types.ts';
import type { RemoteCost } from '../../../src/learning/remote/types.ts';
import {
  chat,
  chunk,
  events,
  json,
  KEY,
  providerAt,
  startRemoteServer,
  usageChunk,
  type Behaviour,
  type RemoteServer,
} from './server.ts';

const ask = (more: Partial<GenerationRequest> = {}): GenerationRequest => ({
  model: { base: 'talker' },
  prompt: [{ role: 'user', content: 'What is the capital of France?' }],
  maxTokens: 20,
  temperature: 0,
  topP: 1,
  stop: ['\n'],
  seed: '7',
  ...more,
});

describe('learning: a remote provider', function () {
  this.timeout(20_000);
  let server: RemoteServer;

  before(async () => {
    server = await startRemoteServer();
  });
  after(() => server.close());

  /** The error of a call; its text, its fields and its causes do not have the key. */
  async function failing(call: Promise<unknown>, code: ErrorCode): Promise<ChimeraError> {
    const error = await call.then(
      () => assert.fail('it must not succeed'),
      (error: unknown) => error,
    );
    assert.ok(error instanceof ChimeraError, inspect(error));
    assert.equal(error.code, code, error.message);
    assert.doesNotMatch(inspect(error, { depth: 10, showHidden: true }) + (error.stack ?? ''), new RegExp(KEY));
    return error;
  }

  it('answers conversations, and says what that cost', async () => {
    server.behave(json(chat('Paris.')));
    const costs: RemoteCost[] = [];
    const answer = await providerAt(server.baseUrl).generate(ask(), (cost) => costs.push(cost));
    assert.deepEqual(answer, {
      text: 'Paris.',
      finish: 'stop',
      usage: { promptTokens: 12, completionTokens: 3 },
    });
    assert.deepEqual(costs, [
      {
        provider: 'vendor',
        model: 'talker',
        task: 'generation',
        promptTokens: 12,
        completionTokens: 3,
        cost: (12 * 2 + 3 * 10) / 1e6,
        estimated: false,
      },
    ]);
    const [asked] = server.asked;
    assert.equal(asked?.path, '/v1/chat/completions');
    assert.equal(asked.headers.authorization, `Bearer ${KEY}`);
    assert.deepEqual(asked.body, {
      model: 'vendor/talker-1',
      messages: [{ role: 'user', content: 'What is the capital of France?' }],
      max_tokens: 20,
      temperature: 0,
      stop: ['\n'],
      seed: 7,
    });
  });

  it('tells no seed that nobody gave, which some providers refuse', async () => {
    const { seed: _, ...unseeded } = ask();
    server.behave(json(chat('Paris.')));
    await providerAt(server.baseUrl).generate(unseeded);
    await providerAt(server.baseUrl).generate(ask({ seed: 'in words' }));
    const [without, inWords] = server.asked.map(({ body }) => body);
    assert.ok(!('seed' in without!));
    assert.ok(Number.isInteger(inWords!['seed']));
  });

  it('guesses what was used where the provider does not say', async () => {
    server.behave(json(chat('Paris.', { usage: null })));
    const costs: RemoteCost[] = [];
    await providerAt(server.baseUrl).generate(ask(), (cost) => costs.push(cost));
    assert.deepEqual(
      costs.map(({ promptTokens, completionTokens, estimated }) => ({ promptTokens, completionTokens, estimated })),
      [{ promptTokens: 8, completionTokens: 2, estimated: true }],
    );
  });

  it('streams, piece by piece', async () => {
    const held = Promise.withResolvers<void>();
    server.behave((response, asked) => {
      assert.deepEqual(asked.body['stream_options'], { include_usage: true });
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`: hello\r\n\r\ndata: ${JSON.stringify(chunk('Zü'))}\r\n\r\n`);
      void held.promise.then(() =>
        response.end(
          [chunk('rich'), chunk('', 'length'), usageChunk].map((one) => `data:${JSON.stringify(one)}\n\n`).join('') +
            'data: [DONE]\n\n',
        ),
      );
    });
    const pieces: string[] = [];
    const costs: RemoteCost[] = [];
    const onText = (text: string): void => {
      pieces.push(text);
      held.resolve();
    };
    const answer = await providerAt(server.baseUrl).generate(ask({ onText }), (cost) => costs.push(cost));
    assert.deepEqual(pieces, ['Zü', 'rich']);
    assert.deepEqual(answer, { text: 'Zürich', finish: 'length', usage: { promptTokens: 12, completionTokens: 3 } });
    assert.deepEqual(
      costs.map(({ estimated }) => estimated),
      [false],
    );
  });

  it('embeds, in the order of the texts and of length 1', async () => {
    const data = [
      { index: 1, embedding: [0, 2] },
      { index: 0, embedding: [3, 4] },
    ];
    server.behave(json({ data, usage: { prompt_tokens: 5, total_tokens: 5 } }));
    const costs: RemoteCost[] = [];
    const { vectors, usage } = await providerAt(server.baseUrl).embed(
      { model: { base: 'embedder' }, texts: ['a', 'b'] },
      (cost) => costs.push(cost),
    );
    assert.deepEqual(vectors, [Float32Array.of(0.6, 0.8), Float32Array.of(0, 1)]);
    assert.deepEqual(usage, { promptTokens: 5, completionTokens: 0 });
    assert.equal(costs[0]?.cost, 5e-6);
  });

  it('refuses what it cannot do before it asks anybody', async () => {
    server.behave(json(chat('Paris.')));
    const provider = providerAt(server.baseUrl);
    await failing(provider.generate(ask({ model: { base: 'nobody' } })), 'CHIMERA_NOT_FOUND');
    await failing(provider.generate(ask({ model: { base: 'talker', adapter: 'a' } })), 'CHIMERA_NOT_FOUND');
    await failing(provider.generate(ask({ model: { base: 'embedder' } })), 'CHIMERA_INVALID_INPUT');
    await failing(provider.generate(ask({ prompt: 'Once upon a time' })), 'CHIMERA_INVALID_INPUT');
    await failing(
      provider.classify({ model: { base: 'talker', adapter: 'a' }, texts: ['x'] }),
      'CHIMERA_INVALID_INPUT',
    );
    assert.deepEqual(server.asked, []);
  });

  it('asks again where it was turned away, after the time that the provider wants', async () => {
    server.behave(json({}, 429, { 'retry-after': '1' }), json(chat('Paris.')));
    assert.equal((await providerAt(server.baseUrl).generate(ask())).text, 'Paris.');
    const [first, second] = server.asked;
    assert.ok(second!.at - first!.at >= 990, `${second!.at - first!.at} ms`);
  });

  it('asks again after longer and longer waits, then gives up', async () => {
    server.behave(json({ error: { message: 'overloaded' } }, 500));
    const patient = providerAt(server.baseUrl, {
      retries: { count: 3, firstDelayMs: 40, mostDelayMs: 1_000, seed: 'test' },
    });
    const error = await failing(patient.generate(ask()), 'CHIMERA_UNREACHABLE');
    assert.match(error.message, /status 500: overloaded/);
    const waits = server.asked.slice(1).map(({ at }, index) => at - server.asked[index]!.at);
    assert.equal(waits.length, 3);
    for (const [index, wait] of waits.entries()) assert.ok(wait >= 19 * 2 ** index, `${waits.join(', ')} ms`);
  });

  it('says who turns it away and why', async () => {
    server.behave(json({ error: { message: `12 requests a minute for ${KEY}`, code: 'rate_limit_exceeded' } }, 429));
    const error = await failing(providerAt(server.baseUrl).generate(ask()), 'CHIMERA_RATE_LIMITED');
    assert.match(error.message, /vendor: it answers with status 429: 12 requests a minute for …/);
    assert.equal(server.asked.length, 3);
  });

  it('does not ask again where an account is spent', async () => {
    for (const field of ['code', 'type']) {
      server.behave(json({ error: { message: 'You exceeded your quota.', [field]: 'insufficient_quota' } }, 429));
      const error = await failing(providerAt(server.baseUrl).generate(ask()), 'CHIMERA_PROVIDER_FAILED');
      assert.match(error.message, /vendor failed: it answers with status 429: You exceeded your quota\./);
      assert.equal(server.asked.length, 1);
    }
  });

  it('does not ask again where the provider wants more time than there is', async () => {
    server.behave(json({}, 429, { 'retry-after': '2' }));
    await failing(providerAt(server.baseUrl).generate(ask()), 'CHIMERA_RATE_LIMITED');
    const later = new Date(Date.now() + 60_000).toUTCString();
    server.behave(json({}, 503, { 'retry-after': later }));
    await failing(providerAt(server.baseUrl).generate(ask()), 'CHIMERA_UNREACHABLE');
    assert.equal(server.asked.length, 1);
  });

  it('asks again where the connection breaks, and says when nobody listens', async () => {
    server.behave((response) => void response.destroy(), json(chat('Paris.')));
    assert.equal((await providerAt(server.baseUrl).generate(ask())).text, 'Paris.');
    assert.equal(server.asked.length, 2);
    const gone = await startRemoteServer();
    await gone.close();
    const error = await failing(providerAt(gone.baseUrl).generate(ask()), 'CHIMERA_UNREACHABLE');
    assert.match(error.message, /ECONNREFUSED/);
  });

  it('leaves a provider that is silent, before an answer and within a stream', async () => {
    const hasty = providerAt(server.baseUrl, { timeoutMs: 100 });
    server.behave(() => undefined);
    await failing(hasty.generate(ask()), 'CHIMERA_WALL_DEADLINE');
    assert.equal(server.asked.length, 1);
    server.behave(events([chunk('Par')], () => undefined));
    const costs: RemoteCost[] = [];
    const call = hasty.generate(ask({ onText: () => undefined }), (cost) => costs.push(cost));
    await failing(call, 'CHIMERA_WALL_DEADLINE');
    assert.equal(server.asked.length, 1);
    assert.deepEqual(
      costs.map(({ completionTokens, estimated }) => ({ completionTokens, estimated })),
      [{ completionTokens: 1, estimated: true }],
      'what has begun costs money',
    );
  });

  it('leaves a stream that never ends, and names the time that it had', async () => {
    const late = async (timeoutMs: number): Promise<string> => {
      const call = providerAt(server.baseUrl, { timeoutMs }).generate(ask({ onText: () => undefined }));
      return (await failing(call, 'CHIMERA_WALL_DEADLINE')).message;
    };
    server.behave(events([chunk('a')], () => undefined));
    assert.match(await late(60), /longer than 60 ms/);
    server.behave(
      events([chunk('a')], (response) => {
        const more = setInterval(() => response.write(`data: ${JSON.stringify(chunk('b'))}\n\n`), 20);
        response.on('close', () => clearInterval(more));
      }),
    );
    assert.match(await late(300), /longer than 3000 ms/);
  });

  it('takes a stream that is slower than its timeout as a whole', async () => {
    server.behave(async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const one of [chunk('a'), chunk('b'), chunk('c'), chunk('d', 'stop')]) {
        response.write(`data: ${JSON.stringify(one)}\n\n`);
        await new Promise((resolve) => setTimeout(resolve, 120));
      }
      response.end('data: [DONE]\n\n');
    });
    const answer = await providerAt(server.baseUrl, { timeoutMs: 300 }).generate(ask({ onText: () => undefined }));
    assert.equal(answer.text, 'abcd');
  });

  describe('never asks again once a stream has begun:', () => {
    const cuts: [string, Behaviour, ErrorCode][] = [
      ['it breaks', events([chunk('Par')], (response) => response.destroy()), 'CHIMERA_UNREACHABLE'],
      ['it ends too early', events([chunk('Par')]), 'CHIMERA_PROVIDER_FAILED'],
      ['it says that it is done but not how', events([chunk('Par'), '[DONE]']), 'CHIMERA_PROVIDER_FAILED'],
      ['an event is not JSON', events([chunk('Par'), '{"choices": [']), 'CHIMERA_PROVIDER_FAILED'],
      ['an event is an error', events([{ error: { message: 'out of memory' } }]), 'CHIMERA_PROVIDER_FAILED'],
      ['an event is without end', events([chunk('x'.repeat(200_000))]), 'CHIMERA_PROVIDER_FAILED'],
    ];
    for (const [what, behaviour, code] of cuts)
      it(what, async () => {
        server.behave(behaviour);
        const pieces: string[] = [];
        await failing(providerAt(server.baseUrl).generate(ask({ onText: (text) => pieces.push(text) })), code);
        assert.equal(server.asked.length, 1);
      });
  });

  describe('does not take for an answer', () => {
    const text =
      (body: string, type = 'application/json', status = 200): Behaviour =>
      (response) =>
        void response.writeHead(status, { 'content-type': type }).end(body);
    const answers: [string, Behaviour, RegExp][] = [
      ['what is not JSON', text('{"choices": '), /not JSON/],
      ['a page', text('<html></html>', 'text/html'), /text\/html instead of application\/json/],
      ['nothing', (response) => void response.end(), /no media type/],
      ['JSON of another shape', json({ choices: [{ message: { content: 7 }, finish_reason: 'stop' }] }), /content/],
      ['no choice', json({ choices: [] }), /\/choices/],
      ['what a filter has ended', json({ choices: [{ message: {}, finish_reason: 'content_filter' }] }), /filter/],
      ['more than it may have', json(chat('x'.repeat(200_000))), /more than 100000 bytes/],
      ['a redirect', (response) => void response.writeHead(307, { location: '/v1/other' }).end(), /status 307/],
    ];
    for (const [what, behaviour, says] of answers)
      it(what, async () => {
        server.behave(behaviour);
        const error = await failing(providerAt(server.baseUrl).generate(ask()), 'CHIMERA_PROVIDER_FAILED');
        assert.match(error.message, says);
        assert.equal(server.asked.length, 1);
      });

    it('more than it may have, in pieces: it stops to read', async () => {
      let sent = 0;
      const closed = Promise.withResolvers<void>();
      server.behave((response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).on('close', closed.resolve);
        const more = (): void => {
          if (response.destroyed || sent > 100_000_000) return;
          sent += 65_536;
          response.write(' '.repeat(65_536), more);
        };
        more();
      });
      await failing(providerAt(server.baseUrl).generate(ask()), 'CHIMERA_PROVIDER_FAILED');
      await closed.promise;
      assert.ok(sent < 20_000_000, `${sent} bytes`);
    });

    const vector = (...embedding: number[]): object => ({ index: 0, embedding });
    const vectors: [string, unknown][] = [
      ['too few vectors', []],
      ['too many vectors', [vector(1), { ...vector(1), index: 1 }]],
      ['vectors of other texts', [{ ...vector(1), index: 3 }]],
      ['a vector of nothing', [vector(0, 0)]],
      ['a vector of no number', [{ index: 0, embedding: [null] }]],
      ['an empty vector', [vector()]],
    ];
    for (const [what, data] of vectors)
      it(what, async () => {
        server.behave(json({ data }));
        const call = providerAt(server.baseUrl).embed({ model: { base: 'embedder' }, texts: ['a'] });
        await failing(call, 'CHIMERA_PROVIDER_FAILED');
      });

    it('vectors of different size', async () => {
      server.behave(json({ data: [vector(1), { index: 1, embedding: [1, 2] }] }));
      const call = providerAt(server.baseUrl).embed({ model: { base: 'embedder' }, texts: ['a', 'b'] });
      await failing(call, 'CHIMERA_PROVIDER_FAILED');
    });
  });

  it('passes on why a request is refused, without the key', async () => {
    const refuse = (status: number): Behaviour => json({ error: { message: `too long for ${KEY}` } }, status);
    server.behave(refuse(400));
    const error = await failing(providerAt(server.baseUrl).generate(ask()), 'CHIMERA_INVALID_INPUT');
    assert.match(error.message, /vendor: it answers with status 400: too long for …/);
    server.behave(refuse(401));
    const denied = await failing(providerAt(server.baseUrl).generate(ask()), 'CHIMERA_PROVIDER_FAILED');
    assert.match(denied.message, /refuses our key/);
    server.behave(refuse(404));
    await failing(providerAt(server.baseUrl).generate(ask()), 'CHIMERA_NOT_FOUND');
    assert.doesNotMatch(inspect(providerAt(server.baseUrl), { depth: 10, showHidden: true }), new RegExp(KEY));
  });

  it('is cancelled at once: while it is silent, within a stream, and between two attempts', async () => {
    const slow = providerAt(server.baseUrl, {
      retries: { count: 1, firstDelayMs: 60_000, mostDelayMs: 60_000, seed: 'test' },
    });
    const closed = Promise.withResolvers<void>();
    const behaviours: Behaviour[] = [
      (response) => void response.on('close', closed.resolve),
      events([chunk('Par')], () => undefined),
      json({}, 500),
    ];
    for (const behaviour of behaviours) {
      const caller = new AbortController();
      server.behave((response, asked) => {
        setTimeout(() => caller.abort(), 30);
        return behaviour(response, asked);
      });
      await failing(slow.generate(ask({ signal: caller.signal, onText: () => undefined })), 'CHIMERA_CANCELLED');
      assert.equal(server.asked.length, 1);
    }
    await closed.promise;
    server.behave((_response) => void slow.close());
    await failing(slow.generate(ask()), 'CHIMERA_CANCELLED');
  });
});
