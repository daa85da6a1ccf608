import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { FastifyInstance } from 'fastify';
import OpenAI, {
  APIError,
  AuthenticationError,
  BadRequestError,
  NotFoundError,
  RateLimitError,
  InternalServerError,
} from 'openai';
import { ChimeraError, invalidInput } from '../../src/contracts/errors.ts';
import { createGateway } from '../../src/gateway/server.ts';
import type { InferenceService, ServedModel } from '../../src/learning/inference/types.ts';
import type { RemoteCost } from '../../src/learning/remote/types.ts';
import { chat, chunk, events, json, KEY, providerAt, startRemoteServer } from '../learning/remote/server.ts';
import { PROJECT, startPlatform, type Platform } from './fixture.ts';

const CONTEXT = 20;

/** Says the last message again, word by word; "forever" without end, "broken" and "breaks" not to the end. */
class Echo implements InferenceService {
  /** Why the last generation without an end ended. */
  ended = Promise.withResolvers<unknown>();
  seeds: (string | undefined)[] = [];

  embed({ texts }: Parameters<InferenceService['embed']>[0]): ReturnType<InferenceService['embed']> {
    const vectors = texts.map((text) => {
      const angle = text.length / 10;
      return Float32Array.of(Math.cos(angle), Math.sin(angle));
    });
    return Promise.resolve({ vectors, usage: { promptTokens: texts.join('').length, completionTokens: 0 } });
  }

  /** How sure it is that a text is spam grows with its length. */
  classify({ model, texts }: Parameters<InferenceService['classify']>[0]): ReturnType<InferenceService['classify']> {
    assert.equal(model.adapter, 'a'.repeat(64));
    const scores = texts.map(({ length }) => Float64Array.of(1 - length / 8, length / 8));
    const usage = { promptTokens: texts.join('').length, completionTokens: 0 };
    return Promise.resolve({ labels: ['ham', 'spam'], scores, usage });
  }

  async generate(request: Parameters<InferenceService['generate']>[0]): ReturnType<InferenceService['generate']> {
    const { prompt, maxTokens, stop, signal, onText, seed } = request;
    this.seeds.push(seed);
    assert.ok(typeof prompt !== 'string');
    const said = prompt.at(-1)!.content;
    const words = said.split(/(?<= )/);
    if (words.length > CONTEXT)
      throw invalidInput('the prompt', [
        { path: '/messages', message: `${words.length} tokens, the context has ${CONTEXT}` },
      ]);
    if (said === 'broken') throw new Error('a secret of the process');
    let text = '';
    const endless = said === 'forever';
    for (let index = 0; endless || index < Math.min(words.length, maxTokens); index++) {
      await turn();
      if (signal?.aborted === true) {
        this.ended.resolve(signal.reason);
        throw new ChimeraError('CHIMERA_CANCELLED', { what: 'the generation' });
      }
      const word = endless ? 'on and ' : words[index]!;
      if (stop.includes(word.trim())) break;
      text += word;
      onText?.(word);
      if (said === 'breaks') throw new ChimeraError('CHIMERA_SANDBOX_CRASHED', { why: 'out of memory' });
    }
    const isCut = words.length > maxTokens;
    const usage = { promptTokens: words.length, completionTokens: Math.min(words.length, maxTokens) };
    return { text, finish: isCut ? 'length' : 'stop', usage };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const MODELS: ServedModel[] = [
  { name: 'tiny', choice: { base: 'tiny' }, tasks: ['generation'] },
  { name: 'tiny:mail', choice: { base: 'tiny', adapter: 'a'.repeat(64) }, tasks: ['classification'] },
  { name: 'minilm', choice: { base: 'minilm' }, tasks: ['embedding'] },
];

describe("gateway: models in OpenAI's protocol, asked by its own client", function () {
  this.timeout(240_000);
  let platform: Platform;
  let gateway: FastifyInstance;
  let baseURL: string;
  let openai: OpenAI;
  const echo = new Echo();
  const costs: { project: string; keyName: string; cost: RemoteCost }[] = [];
  let remote: Awaited<ReturnType<typeof startRemoteServer>>;

  const clientOf = (apiKey: string): OpenAI => new OpenAI({ apiKey, baseURL, maxRetries: 0 });
  const user = (content: string) => ({ model: 'tiny', messages: [{ role: 'user' as const, content }] });
  const refusedBy = async <T extends APIError>(
    call: PromiseLike<unknown>,
    type: new (...parts: never[]) => T,
  ): Promise<T> => {
    try {
      await call;
    } catch (error) {
      assert.ok(error instanceof type, String(error));
      return error;
    }
    return assert.fail('it must be refused');
  };

  before(async () => {
    platform = await startPlatform();
    remote = await startRemoteServer();
    gateway = createGateway({
      stores: platform.stores,
      temporal: platform.temporal,
      inference: {
        service: echo,
        models: (project) => Promise.resolve(project === PROJECT ? MODELS : []),
        providers: [providerAt(remote.baseUrl)],
        onCost: ({ project, keyName }, cost) => costs.push({ project, keyName, cost }),
        limits: { atOnce: 3, perProject: 2 },
      },
    });
    baseURL = `${await gateway.listen({ host: '127.0.0.1', port: 0 })}/v1`;
    openai = clientOf(platform.apiKey);
  });
  after(async () => {
    await gateway?.close();
    await remote?.close();
    await platform?.close();
  });

  it('lists the models of the project and of providers, and shows one', async () => {
    const names = (await openai.models.list()).data.map(({ id }) => id);
    assert.deepEqual(names, ['tiny', 'tiny:mail', 'minilm', 'talker', 'embedder']);
    const model = await openai.models.retrieve('tiny:mail');
    assert.deepEqual(
      { ...model },
      { id: 'tiny:mail', object: 'model', created: 0, owned_by: 'chimera', tasks: ['classification'] },
    );
    const missing = await refusedBy(openai.models.retrieve('a/b'), NotFoundError);
    assert.match(missing.message, /model named a\/b/);
    await platform.stores.projects.ensure('tenant');
    const { key } = await platform.stores.apiKeys.create('tenant', 'theirs');
    assert.deepEqual(
      (await clientOf(key).models.list()).data.map(({ id }) => id),
      ['talker', 'embedder'],
    );
    await refusedBy(clientOf(key).models.retrieve('tiny'), NotFoundError);
  });

  it('embeds a text and several, as numbers and in base64 alike', async () => {
    const input = ['a', 'four', 'and more'];
    const asFloats = await openai.embeddings.create({ model: 'minilm', input, encoding_format: 'float' });
    // What the client asks for unless told otherwise; it decodes it.
    const asBase64 = await openai.embeddings.create({ model: 'minilm', input });
    assert.deepEqual(asBase64.data, asFloats.data);
    assert.deepEqual(
      asFloats.data.map(({ index, embedding }) => [index, embedding]),
      input.map((text, index) => [
        index,
        [Math.fround(Math.cos(text.length / 10)), Math.fround(Math.sin(text.length / 10))],
      ]),
    );
    assert.deepEqual(asFloats.usage, { prompt_tokens: 13, total_tokens: 13 });
    const one = await openai.embeddings.create({ model: 'minilm', input: 'a' });
    assert.deepEqual(one.data, asFloats.data.slice(0, 1));
    const encoded = await openai.embeddings.create({ model: 'minilm', input: 'a', encoding_format: 'base64' });
    const bytes = Buffer.from(encoded.data[0]!.embedding as unknown as string, 'base64');
    assert.equal(bytes.readFloatLE(4), Math.fround(Math.sin(0.1)));
  });

  it('labels a text and several, as vLLM does', async () => {
    const ask = (body: object) => openai.post<Record<string, unknown>>('/classify', { body });
    const { id, created, ...answer } = await ask({ model: 'tiny:mail', input: ['go', 'buy now'] });
    assert.match(String(id), /^classify-/);
    assert.ok(Math.abs(Number(created) - Date.now() / 1000) < 60);
    assert.deepEqual(answer, {
      object: 'list',
      model: 'tiny:mail',
      data: [
        { index: 0, label: 'ham', probs: [0.75, 0.25], num_classes: 2 },
        { index: 1, label: 'spam', probs: [0.125, 0.875], num_classes: 2 },
      ],
      usage: { prompt_tokens: 9, completion_tokens: 0, total_tokens: 9 },
    });
    const one = await ask({ model: 'tiny:mail', input: 'go' });
    assert.deepEqual(one['data'], (answer['data'] as unknown[]).slice(0, 1));
    const wrong = await refusedBy(ask({ model: 'minilm', input: 'x', truncate: true }), BadRequestError);
    assert.match(wrong.message, /truncate: is not supported/);
    const other = await refusedBy(ask({ model: 'tiny', input: 'x' }), BadRequestError);
    assert.match(other.message, /tiny is for generation, not classification: ask it at \/v1\/chat\/completions/);
    const asked = await refusedBy(openai.embeddings.create({ model: 'tiny:mail', input: 'x' }), BadRequestError);
    assert.match(asked.message, /ask it at \/v1\/classify/);
  });

  it('goes on with a conversation', async () => {
    const answer = await openai.chat.completions.create({
      model: 'tiny',
      messages: [
        { role: 'developer', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'one two ' },
            { type: 'text', text: 'three' },
          ],
        },
      ],
    });
    assert.equal(answer.object, 'chat.completion');
    assert.deepEqual(answer.choices, [
      {
        index: 0,
        message: { role: 'assistant', content: 'one two three', refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ]);
    assert.deepEqual(answer.usage, { prompt_tokens: 3, completion_tokens: 3, total_tokens: 6 });
    // And an answer can be sent back as it is.
    const { message } = answer.choices[0]!;
    const next = await openai.chat.completions.create({
      model: 'tiny',
      messages: [message, { role: 'user', content: 'again' }],
    });
    assert.equal(next.choices[0]?.message.content, 'again');
  });

  it('holds to length, stop and seed; passes on no seed where there is none', async () => {
    const cut = await openai.chat.completions.create({ ...user('one two three four'), max_tokens: 2 });
    assert.equal(cut.choices[0]?.finish_reason, 'length');
    assert.equal(cut.choices[0].message.content, 'one two ');
    const stopped = await openai.chat.completions.create({ ...user('one two three'), stop: 'two', seed: 7 });
    assert.equal(stopped.choices[0]?.message.content, 'one ');
    await openai.chat.completions.create(user('one'));
    await openai.chat.completions.create({ ...user('one'), seed: null, n: 1, temperature: null });
    assert.deepEqual(echo.seeds.slice(-3), ['7', undefined, undefined]);
  });

  it('streams what it says, with the usage where it is asked for', async () => {
    const whole = await openai.chat.completions.create(user('one two three'));
    const stream = await openai.chat.completions.create({
      ...user('one two three'),
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const one of stream) chunks.push(one);
    assert.equal(
      chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join(''),
      whole.choices[0]?.message.content,
    );
    assert.deepEqual(
      chunks.map(({ choices, usage }) => [choices[0]?.delta.content, choices[0]?.finish_reason, usage?.total_tokens]),
      [
        ['', null, undefined],
        ['one ', null, undefined],
        ['two ', null, undefined],
        ['three', null, undefined],
        [undefined, 'stop', undefined],
        [undefined, undefined, 6],
      ],
    );
    assert.equal(chunks[0]?.choices[0]?.delta.role, 'assistant');
    assert.equal(new Set(chunks.map(({ id }) => id)).size, 1);
    const plain = await openai.chat.completions.create({ ...user('one'), stream: true });
    for await (const { choices, ...rest } of plain) {
      assert.equal(choices.length, 1);
      assert.ok(!('usage' in rest));
    }
  });

  it("collects a stream by the client's own helper", async () => {
    const runner = openai.chat.completions.stream(user('one two three'));
    assert.equal(await runner.finalContent(), 'one two three');
  });

  it('ends the generation when the caller goes away, in a stream and before an answer', async () => {
    echo.ended = Promise.withResolvers();
    const stream = await openai.chat.completions.create({ ...user('forever'), stream: true });
    for await (const { choices } of stream) if (choices[0]?.delta.content === 'on and ') break;
    assert.match(String(await echo.ended.promise), /went away/);

    echo.ended = Promise.withResolvers();
    const caller = new AbortController();
    const before = echo.seeds.length;
    const call = openai.chat.completions.create(user('forever'), { signal: caller.signal });
    while (echo.seeds.length === before) await turn();
    caller.abort();
    await assert.rejects(call);
    assert.match(String(await echo.ended.promise), /went away/);
  });

  it('turns callers away when too many are served, and serves again when they are gone', async () => {
    const streams = await Promise.all(
      [1, 2].map(() => openai.chat.completions.create({ ...user('forever'), stream: true })),
    );
    const error = await refusedBy(openai.chat.completions.create(user('one')), RateLimitError);
    assert.equal(error.code, 'CHIMERA_RATE_LIMITED');
    assert.equal(error.type, 'rate_limit_error');
    assert.equal(error.headers?.get('retry-after'), '1');
    await refusedBy(openai.embeddings.create({ model: 'minilm', input: 'a' }), RateLimitError);
    // Another project has its share.
    const { key } = await platform.stores.apiKeys.create('tenant', 'other');
    remote.behave(json(chat('Paris.')));
    await clientOf(key).chat.completions.create({ ...user('one'), model: 'talker' });
    echo.ended = Promise.withResolvers();
    for (const stream of streams) stream.controller.abort();
    await echo.ended.promise;
    for (;;) {
      const answer = await openai.chat.completions.create(user('one')).catch((failed: unknown) => {
        assert.ok(failed instanceof RateLimitError, String(failed));
      });
      if (answer !== undefined) break;
    }
  });

  it('refuses a wrong key', async () => {
    for (const path of ['models', 'chat/completions', 'embeddings']) {
      const error = await refusedBy(
        path === 'models' ? clientOf('sk-wrong').models.list() : clientOf('sk-wrong').post(`/${path}`, { body: {} }),
        AuthenticationError,
      );
      assert.equal(error.code, 'CHIMERA_UNAUTHENTICATED');
      assert.equal(error.type, 'authentication_error');
    }
  });

  it('refuses an unknown model and names the known ones, and one that is for something else', async () => {
    const unknown = await refusedBy(openai.chat.completions.create({ ...user('x'), model: 'gpt-9' }), NotFoundError);
    assert.equal(unknown.code, 'CHIMERA_NOT_FOUND');
    assert.equal(unknown.param, 'model');
    assert.match(unknown.message, /gpt-9[\s\S]*tiny, tiny:mail, minilm, talker, embedder/);
    const other = await refusedBy(openai.chat.completions.create({ ...user('x'), model: 'minilm' }), BadRequestError);
    assert.match(other.message, /minilm is for embedding, not generation/);
    await refusedBy(openai.embeddings.create({ model: 'tiny', input: 'x' }), BadRequestError);
  });

  it('refuses every parameter that it does not have, by name and all at once', async () => {
    const error = await refusedBy(
      openai.post('/chat/completions', {
        body: {
          model: '',
          messages: [
            { role: 'tool', content: 'x', tool_call_id: '1' },
            { role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] },
          ],
          n: 2,
          tools: [],
          tool_choice: 'auto',
          logprobs: true,
          top_logprobs: 2,
          logit_bias: {},
          response_format: { type: 'json_object' },
          presence_penalty: 1,
          frequency_penalty: 1,
          temperature: 3,
          top_p: 0,
          max_tokens: 0,
          max_completion_tokens: 7,
          stop: ['a', 'b', 'c', 'd', 'e'],
          seed: 1.5,
          stream: 'yes',
          stream_options: { include_obfuscation: false },
          reasoning_effort: 'high',
        },
      }),
      BadRequestError,
    );
    assert.equal(error.code, 'CHIMERA_INVALID_INPUT');
    assert.equal(error.type, 'invalid_request_error');
    const named = [...error.message.matchAll(/^ {2}(\/\S*): /gm)].map(([, path]) => path);
    assert.deepEqual(
      new Set(named),
      new Set([
        ...['/model', '/messages/0/role', '/messages/0/tool_call_id', '/messages/1/content', '/n', '/tools'],
        ...['/tool_choice', '/logprobs', '/top_logprobs', '/logit_bias', '/response_format/type'],
        ...['/presence_penalty', '/frequency_penalty', '/temperature', '/top_p', '/max_tokens', '/stop', '/seed'],
        ...['/stream', '/stream_options/include_obfuscation', '/reasoning_effort'],
      ]),
      error.message,
    );
    const nested = await refusedBy(
      openai.chat.completions.create({ model: 'tiny', messages: [{ role: 'user', content: 7 as never }] }),
      BadRequestError,
    );
    assert.equal(nested.param, 'messages[0].content');
  });

  it('refuses embeddings of tokens, of nothing and of another size, by name', async () => {
    const refused = async (more: object): Promise<string> =>
      (await refusedBy(openai.post('/embeddings', { body: { model: 'minilm', input: 'a', ...more } }), BadRequestError))
        .message;
    assert.match(await refused({ input: [1, 2, 3] }), /\/input: tokens are not supported, send texts/);
    assert.match(await refused({ input: [[1, 2, 3]] }), /\/input: tokens are not supported, send texts/);
    assert.match(await refused({ input: [] }), /\/input: /);
    assert.match(await refused({ input: '' }), /\/input: must not be empty/);
    assert.match(await refused({ input: ['a', ''] }), /\/input\S*: /);
    assert.match(await refused({ input: Array.from({ length: 2049 }, () => 'a') }), /\/input: /);
    assert.match(await refused({ dimensions: 64 }), /\/dimensions: is not supported/);
    assert.match(await refused({ encoding_format: 'hex' }), /\/encoding_format: /);
  });

  it('refuses a prompt that is too long with a status of its own, also where a stream was asked for', async () => {
    const long = user(Array.from({ length: CONTEXT + 1 }, () => 'word').join(' '));
    for (const stream of [false, true]) {
      const error = await refusedBy(openai.chat.completions.create({ ...long, stream }), BadRequestError);
      assert.match(error.message, /21 tokens, the context has 20/);
      assert.equal(error.param, 'messages');
    }
  });

  it('says in the stream what fails later, and nothing of what is inside', async () => {
    const stream = await openai.chat.completions.create({ ...user('breaks'), stream: true });
    const pieces: (string | null | undefined)[] = [];
    const error = await refusedBy(
      (async () => {
        for await (const { choices } of stream) pieces.push(choices[0]?.delta.content);
      })(),
      APIError,
    );
    assert.deepEqual(pieces, ['', 'breaks']);
    assert.equal(error.code, 'CHIMERA_SANDBOX_CRASHED');
    const inner = await refusedBy(openai.chat.completions.create(user('broken')), InternalServerError);
    assert.equal(inner.code, 'CHIMERA_INTERNAL');
    assert.doesNotMatch(inner.message, /secret/);
  });

  it('refuses bodies that are not JSON, too large or too deep', async () => {
    const post = (body: string): Promise<Response> =>
      fetch(`${baseURL}/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${platform.apiKey}`, 'content-type': 'application/json' },
        body,
      });
    const codeOf = async (body: string): Promise<unknown[]> => {
      const answer = await post(body);
      const { error } = (await answer.json()) as { error: Record<string, unknown> };
      assert.deepEqual(Object.keys(error).sort(), ['code', 'message', 'param', 'type']);
      return [answer.status, error['code'], error['param']];
    };
    assert.deepEqual(await codeOf('{"model": '), [400, 'CHIMERA_MALFORMED_JSON', null]);
    assert.deepEqual(await codeOf(JSON.stringify(user('x'.repeat(5_000_000)))), [413, 'CHIMERA_TOO_LARGE', null]);
    assert.deepEqual(await codeOf(`${'['.repeat(200)}${']'.repeat(200)}`), [413, 'CHIMERA_TOO_LARGE', null]);
  });

  it('asks providers, and says for whom what was paid', async () => {
    costs.length = 0;
    remote.behave(json(chat('Paris.')), events([chunk('Par'), chunk('is.', 'stop'), '[DONE]']));
    const whole = await openai.chat.completions.create({ ...user('capital?'), model: 'talker' });
    assert.equal(whole.choices[0]?.message.content, 'Paris.');
    const runner = openai.chat.completions.stream({ ...user('capital?'), model: 'talker' });
    assert.equal(await runner.finalContent(), 'Paris.');
    assert.deepEqual(
      costs.map(({ project, keyName, cost }) => [project, keyName, cost.model, cost.estimated]),
      [
        [PROJECT, 'test', 'talker', false],
        [PROJECT, 'test', 'talker', true],
      ],
    );
    remote.behave(json({ error: { message: `no such ${KEY}` } }, 401));
    const error = await refusedBy(
      openai.chat.completions.create({ ...user('x'), model: 'talker' }),
      InternalServerError,
    );
    assert.equal(error.status, 502);
    assert.equal(error.code, 'CHIMERA_PROVIDER_FAILED');
    assert.doesNotMatch(error.message, new RegExp(KEY));
  });

  it('is in the OpenAPI document, which its answers fit', async () => {
    const document = (await (await fetch(new URL('/openapi.json', baseURL))).json()) as {
      paths: Record<string, Record<string, { responses: Record<string, { content: object }> }>>;
    };
    for (const path of ['/v1/models', '/v1/models/{model}', '/v1/embeddings', '/v1/chat/completions'])
      assert.ok(path in document.paths, path);
    const { responses } = document.paths['/v1/chat/completions']!['post']!;
    assert.deepEqual(responses['200']?.content, {
      'application/json': { schema: { $ref: '#/components/schemas/ChatCompletion' } },
      'text/event-stream': { schema: { $ref: '#/components/schemas/ChatCompletionChunk' } },
    });
    assert.deepEqual(responses['429']?.content, {
      'application/json': { schema: { $ref: '#/components/schemas/OpenAiError' } },
    });
    const ajv = new Ajv2020({ strict: false, formats: { 'date-time': true } });
    ajv.addSchema({ ...document, $id: 'openapi' });
    const fits = (name: string, value: unknown): void => {
      const validate = ajv.compile({ $ref: `openapi#/components/schemas/${name}` });
      assert.ok(validate(value), JSON.stringify(validate.errors));
    };
    const { object, data } = await openai.models.list();
    fits('Models', { object, data });
    fits('Embeddings', await openai.post('/embeddings', { body: { model: 'minilm', input: 'a' } }));
    fits('ChatRequest', { ...user('x'), stop: null, stream_options: { include_usage: true }, n: 1 });
    fits('ChatCompletion', await openai.chat.completions.create(user('x')));
    const stream = await openai.chat.completions.create({
      ...user('x y'),
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const one of stream) fits('ChatCompletionChunk', one);
    const refused = await refusedBy(openai.chat.completions.create({ ...user('x'), n: 2 }), BadRequestError);
    fits('OpenAiError', { error: refused.error });
  });

  it('is not there without models', async () => {
    const answer = await platform.call('GET', '/v1/models');
    assert.equal(answer.status, 404);
  });
});
