import { deepEqual, equal, ok } from 'node:assert/strict';
import { servingDecoder } from '../../../src/learning/architecture/decoder-serving.ts';
import type { DecoderConfig } from '../../../src/learning/architecture/config.ts';
import { KeyCache } from '../../../src/learning/inference/key-cache.ts';
import { serveAdapter, stackUpdates } from '../../../src/learning/inference/served-adapter.ts';
import { indices, openSession, tensor } from '../../../src/learning/runtime/session.ts';
import { TINY_DECODER } from '../tiny.ts';
import {
  DECODER,
  DECODER_4BIT,
  DECODER_8BIT_HEAD,
  generation,
  seededAdapter,
  tinyEngine,
  withoutCache,
} from './tiny-models.ts';

const TEXT = 'A text of some length, whose every token is another one: 0123456789.';

describe('the graph of a served decoder', () => {
  for (const local of [DECODER, DECODER_4BIT, DECODER_8BIT_HEAD]) {
    it(`gives the logits of the graph that keeps no keys, whatever the pieces of a text (${local.base.name})`, async () => {
      const { adapter } = seededAdapter(local.base, 'graph', {
        targets: ['q_proj', 'v_proj', 'o_proj', 'up_proj'],
        rank: 4,
      });
      const config = local.base.config as DecoderConfig;
      const text = local.tokenizer.encode(TEXT);
      for (const own of [undefined, serveAdapter('graph', adapter, local)]) {
        const expected = await withoutCache(local, own === undefined ? undefined : adapter);
        const rows = await expected.logits(text);
        const { model, caches } = servingDecoder(local.base, own?.layout, {});
        const session = await openSession(model);
        const cache = new KeyCache(config, caches);
        let seen = 0;
        for (const size of [1, 7, 1, 30, 2, 1, 1, text.length - 43]) {
          const total = seen + size;
          cache.reserve(total);
          const outputs = await session.run({
            tokens: indices(text.slice(seen, total), [1, size]),
            last: tensor(Int32Array.of(total - 1), [1]),
            total: tensor(Int32Array.of(total), []),
            from: indices([seen], [1]),
            to: indices([total], [1]),
            ...cache.inputs(),
            ...(own?.layout === undefined ? {} : stackUpdates([own], own.layout)),
          });
          cache.add(outputs, seen);
          const logits = outputs['logits']!.data as Float32Array;
          seen = total;
          const worst = Math.max(...logits.map((x, i) => Math.abs(x - rows[seen - 1]![i]!)));
          const largest = Math.max(...rows[seen - 1]!.map(Math.abs));
          ok(worst <= 2e-5 * largest, `after ${seen} tokens: ${worst} of ${largest}`);
        }
        equal(seen, text.length);
        await session.release();
        await expected.release();
      }
    });
  }

  it('holds nothing for tokens that a model could take and is not given', async () => {
    // A file may claim any number of them: a table of the angles of these would have 268 MB.
    const config = { ...TINY_DECODER, positions: 1 << 22 };
    const base = { ...DECODER.base, config };
    const bytesOf = (given: typeof base): number =>
      servingDecoder(given, undefined, {}).model.initializers.reduce((bytes, { data }) => bytes + data.length, 0);
    equal(bytesOf(base), bytesOf({ ...base, config: TINY_DECODER }));
    const answers: string[] = [];
    for (const options of [{}, { openBase: async () => ({ ...DECODER, base }) }]) {
      const engine = tinyEngine([], options);
      answers.push((await engine.generate(generation({ maxTokens: 40 }))).text);
      await engine.close();
    }
    equal(answers[1], answers[0]);
  });
});

describe('keys and values that are kept', () => {
  it('come with the angles of as many places as there is room for', () => {
    const config = { ...TINY_DECODER, positions: 1 << 22 };
    const cache = new KeyCache(config, [{ past: 'keys', added: 'grown' }]);
    for (const room of [1, 300, 2000]) {
      cache.reserve(room);
      const { keys, cosines, sines } = cache.inputs();
      const shape = [keys!.dims[2], config.headSize / 2];
      ok(shape[0]! >= room);
      deepEqual([cosines!.dims, sines!.dims], [shape, shape]);
    }
  });

  it('stay with their head and token when room is made for more, up to what the model takes', () => {
    const config = { ...TINY_DECODER, positions: 1000 };
    const { keyHeads, headSize } = config;
    const cache = new KeyCache(config, [{ past: 'keys', added: 'grown' }]);
    const values = () => cache.inputs()['keys']!;
    cache.reserve(1);
    const capacity = values().dims[2]!;
    const before = values().data as Float32Array;
    before.forEach((_, i) => (before[i] = i));
    for (const room of [capacity + 1, 600, 1000]) {
      cache.reserve(room);
      const [, heads, tokens] = values().dims as [number, number, number];
      equal(heads, keyHeads);
      ok(tokens >= room && tokens <= 1000);
      const after = values().data as Float32Array;
      for (let head = 0; head < keyHeads; head++) {
        const from = head * tokens * headSize;
        const size = capacity * headSize;
        deepEqual(after.subarray(from, from + size), before.subarray(head * size, (head + 1) * size));
      }
    }
  });
});
