import { deepEqual, equal, match, notEqual, ok, rejects } from 'node:assert/strict';
import type { DecoderConfig } from '../../../src/learning/architecture/config.ts';
import { keyBytes } from '../../../src/learning/inference/key-cache.ts';
import type { GenerationRequest } from '../../../src/learning/inference/types.ts';
import type { Tokenizer } from '../../../src/learning/tokenizer/types.ts';
import {
  DECODER,
  DECODER_4BIT,
  DECODER_8BIT_HEAD,
  generation,
  greedyTokens,
  seededAdapter,
  tinyEngine,
} from './tiny-models.ts';

const whole = (tokens: readonly number[]): string => DECODER.tokenizer.decode(tokens);

describe('texts that a served decoder writes', () => {
  for (const local of [DECODER, DECODER_4BIT, DECODER_8BIT_HEAD]) {
    it(`are those of the graph that keeps no keys (${local.base.name}), after short and long prompts`, async () => {
      const adapter = seededAdapter(local.base, 'greedy', { targets: ['q_proj', 'v_proj', 'down_proj'] });
      const engine = tinyEngine([adapter]);
      for (const prompt of [
        'a',
        'Once upon a time there was a prompt that is read in more than one piece, then it ended',
      ]) {
        for (const own of [undefined, adapter]) {
          const tokens = await greedyTokens(local, prompt, 12, own?.adapter);
          const model = { base: local.base.name, ...(own === undefined ? {} : { adapter: own.name }) };
          const { text } = await engine.generate(generation({ model, prompt }));
          equal(text, whole(tokens.includes(4) ? tokens.slice(0, tokens.indexOf(4)) : tokens));
        }
      }
      await engine.close();
    });
  }

  it('come out in pieces that together are the whole, and several at once are what each alone is', async () => {
    const engine = tinyEngine();
    const requests = Array.from({ length: 12 }, (_, i) =>
      generation({ prompt: `text ${i}`, maxTokens: 20, temperature: 1.5, topP: 0.95, seed: `seed ${i}` }),
    );
    const write = async (request: GenerationRequest) => {
      let text = '';
      const answer = await engine.generate({ ...request, onText: (piece) => (text += piece) });
      equal(answer.text, text);
      return answer;
    };
    const together = await Promise.all(requests.map(write));
    for (const [i, request] of requests.entries()) deepEqual(await write(request), together[i]);
    equal(new Set(together.map(({ text }) => text)).size, 12);
    await engine.close();
  });

  it('are the same for the same seed and others for another one, or none', async () => {
    const engine = tinyEngine();
    const write = async (over: Partial<GenerationRequest>) =>
      (await engine.generate(generation({ temperature: 2, maxTokens: 24, ...over }))).text;
    equal(await write({ seed: 'a' }), await write({ seed: 'a' }));
    notEqual(await write({ seed: 'a' }), await write({ seed: 'b' }));
    const { seed: _, ...unseeded } = generation({ temperature: 2, maxTokens: 24 });
    notEqual((await engine.generate(unseeded)).text, (await engine.generate(unseeded)).text);
    equal(await write({ topP: 0, seed: 'a' }), await write({ temperature: 0, seed: 'b' }));
    await engine.close();
  });

  it('end before a stop text, of which nothing comes out', async () => {
    const engine = tinyEngine();
    const request = generation({ temperature: 1.5, maxTokens: 60, seed: 'stop' });
    const { text } = await engine.generate(request);
    const characters = [...text];
    ok(characters.length > 12);
    const stop = characters.slice(5, 9).join('');
    const pieces: string[] = [];
    const answer = await engine.generate({
      ...request,
      stop: ['never there', stop],
      onText: (piece) => pieces.push(piece),
    });
    const expected = text.slice(0, text.indexOf(stop));
    deepEqual([answer.text, answer.finish, pieces.join('')], [expected, 'stop', expected]);
    await engine.close();
  });

  it('end where the context ends; a prompt that fills it is refused, and so is an empty one', async () => {
    const engine = tinyEngine();
    const room = await engine.generate(generation({ prompt: 'x'.repeat(120), maxTokens: 1000, stop: [] }));
    deepEqual([room.finish, room.usage], ['length', { promptTokens: 120, completionTokens: 9 }]);
    for (const prompt of ['x'.repeat(128), '']) {
      await rejects(engine.generate(generation({ prompt })), { code: 'CHIMERA_INVALID_INPUT', message: /prompt/ });
    }
    await rejects(
      engine.generate(generation({ maxTokens: 0, temperature: -1, topP: Number.NaN })),
      /maxTokens[^]*temperature[^]*topP/,
    );
    await rejects(engine.generate(generation({ model: { base: 'encoder' } })), { code: 'CHIMERA_INVALID_INPUT' });
    await engine.close();
  });

  it('are refused where the prompt is far too long, before a token of it is read', async () => {
    const limits: (number | undefined)[] = [];
    const tokenizer: Tokenizer = {
      ...DECODER.tokenizer,
      encode: (text, options) => {
        limits.push(options?.limit);
        return DECODER.tokenizer.encode(text, options);
      },
    };
    const engine = tinyEngine([], { openBase: () => Promise.resolve({ ...DECODER, tokenizer }) });
    const refused = (prompt: GenerationRequest['prompt']) =>
      rejects(engine.generate(generation({ prompt })), {
        code: 'CHIMERA_INVALID_INPUT',
        message: /prompt: it has \d+ tokens or more; the model takes 128 with at least one of its answer/,
      });
    await refused('x'.repeat(1_000_000));
    await refused([{ role: 'user', content: '<|im_end|>'.repeat(100_000) }]);
    deepEqual(limits, []);
    await refused('x'.repeat(1000));
    await engine.generate(generation({ prompt: '<|im_start|>'.repeat(127) }));
    deepEqual(limits, [128, 128]);
    await engine.close();
  });

  it('take a conversation by the template of the model', async () => {
    const engine = tinyEngine();
    const spelled = '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n';
    deepEqual(
      await engine.generate(generation({ prompt: [{ role: 'user', content: 'Hi' }] })),
      await engine.generate(generation({ prompt: spelled })),
    );
    await engine.close();
  });

  it('stop when they are cancelled, which leaves their place to another', async () => {
    const engine = tinyEngine();
    const cancel = new AbortController();
    const endless = Array.from({ length: 8 }, () =>
      rejects(engine.generate(generation({ maxTokens: 100, signal: cancel.signal, onText: () => cancel.abort() })), {
        code: 'CHIMERA_CANCELLED',
      }),
    );
    const next = await engine.generate(generation({ maxTokens: 2 }));
    await Promise.all(endless);
    equal(next.usage.completionTokens, 2);
    await rejects(engine.generate(generation({ signal: AbortSignal.abort() })), { code: 'CHIMERA_CANCELLED' });
    await engine.close();
  });

  it('take turns where there is memory for the keys and values of all of them, else they wait in their order', async () => {
    const config = DECODER.base.config as DecoderConfig;
    const request = generation({ maxTokens: 20, temperature: 1.5, seed: 'keys' });
    const order = async (bytes: number): Promise<string> => {
      const engine = tinyEngine([], { keyBytes: bytes });
      let pieces = '';
      const write = (name: string, over: Partial<GenerationRequest> = {}) =>
        engine.generate({ ...request, ...over, onText: () => (pieces += name) });
      const cancel = new AbortController();
      const cancelled = rejects(write('x', { signal: cancel.signal }), { code: 'CHIMERA_CANCELLED' });
      const writing = [write('a'), write('b'), write('c', { maxTokens: 2 })];
      cancel.abort();
      await Promise.all([...writing, cancelled]);
      await engine.close();
      return pieces.replaceAll(/(.)\1+/g, '$1');
    };
    const one = keyBytes(config, DECODER.tokenizer.encode('Once upon').length + 20);
    equal(await order(1), 'abc');
    // The last one would fit beside the first.
    match(await order(1.9 * one), /^ab[bc]+$/);
    match(await order(2 * one), /^aba/);
  });

  it('do not keep a short one or an embedding waiting until a long one ends', async () => {
    const engine = tinyEngine();
    const order: string[] = [];
    await Promise.all([
      engine.generate(generation({ maxTokens: 100 })).then(() => order.push('long')),
      engine.generate(generation({ maxTokens: 3 })).then(() => order.push('short')),
      engine.embed({ model: { base: 'encoder' }, texts: ['text'] }).then(() => order.push('embedding')),
    ]);
    equal(order.at(-1), 'long');
    await engine.close();
  });
});
