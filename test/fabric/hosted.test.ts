import assert from 'node:assert/strict';
import type { AskModel } from '../../src/fabric/index.ts';
import { ChimeraError } from '../../src/contracts/errors.ts';
import { asking } from './agents.ts';
import { Bench, item } from './harness.ts';

const HOSTED = Uint8Array.of(72, 1);
/** What the sandbox's own model says to a text, so that both ways can be compared. */
const scoresOf = (text: string): number[] => [HOSTED.length, text.length];

describe('models that the host asks', function () {
  this.timeout(60_000);
  const asked: { model: string; texts: readonly string[] }[] = [];
  const ask: AskModel = (model, texts) => {
    asked.push({ model, texts: [...texts] });
    return Promise.resolve(texts.map((text) => ({ labels: [text, text], scores: scoresOf(text) })));
  };
  const isHosted = (bytes: Uint8Array): boolean => bytes[0] === 72;
  /** A base model: its bytes are nowhere that a fabric could look. */
  const BASE = 'b'.repeat(64);
  const encoders = new Set([BASE]);
  let hosting: Bench;
  let plain: Bench;
  before(() => {
    hosting = new Bench({ batchSize: 8, hosted: { isHosted, encoders, ask } });
    plain = new Bench({ batchSize: 8 });
  });
  after(() => [hosting, plain].forEach(({ fabric }) => fabric.close()));
  beforeEach(() => void asked.splice(0));

  const agentOn = (bench: Bench) =>
    bench.agent(asking(0, '{"model":"m","input":"/text"}'), {
      capabilities: ['infer'],
      models: { m: bench.put(HOSTED) },
    });
  const payloads = Array.from({ length: 20 }, (_, n) => ({ text: 'x'.repeat(n % 7) }));

  it('give the records that the same answers give in the sandbox, and are asked once for a text of a batch', async () => {
    const results = await hosting.fabric.run(hosting.job(agentOn(hosting), payloads));
    assert.deepEqual(results, await plain.fabric.run(plain.job(agentOn(plain), payloads)));
    assert.ok(asked.length > 0);
    for (const { texts } of asked) assert.equal(new Set(texts).size, texts.length);
  });

  it('give the columns of an evaluation, and are not asked again for what a sandbox knows', async () => {
    const items = payloads.map((payload, n) => ({
      ...item({}, n),
      prepared: { payload, features: new Float64Array(0) },
    }));
    const evaluate = (bench: Bench) =>
      bench.fabric.evaluate({ agents: [agentOn(bench), agentOn(bench)], taskType: { output: {} }, items });
    const columns = await evaluate(hosting);
    assert.deepEqual(columns, await evaluate(plain));
    assert.ok(asked.flatMap(({ texts }) => texts).length <= 2 * 7);
  });

  it('compute embeddings of base models, and are asked by the effect that is theirs', async () => {
    const run = async (kind: number, model: string) => {
      const agent = hosting.agent(asking(kind, '{"model":"m","input":"/text"}'), {
        capabilities: ['infer', 'embed'],
        models: { m: model },
      });
      const [result] = await hosting.fabric.run(hosting.job(agent, [{ text: 'hello' }]));
      assert.ok(result !== undefined && 'record' in result);
      return result.record;
    };
    const embedded = await run(1, BASE);
    assert.deepEqual(embedded.output, { dimensions: 2 });
    assert.equal(embedded.modelCalls, 1);
    const own = hosting.put(Uint8Array.of(1));
    for (const { output } of [await run(0, BASE), await run(1, hosting.put(HOSTED)), await run(1, own)]) {
      assert.equal((output as { code: string }).code, 'CHIMERA_INVALID_INPUT');
    }
  });

  it('fail a run with their own error, and the next one works', async () => {
    let broken = true;
    const bench = new Bench({
      hosted: {
        isHosted,
        encoders,
        ask: (model, texts, signal) =>
          broken ? Promise.reject(new ChimeraError('CHIMERA_RATE_LIMITED')) : ask(model, texts, signal),
      },
    });
    try {
      const run = () => bench.fabric.run(bench.job(agentOn(bench), [{ text: 'x' }]));
      await assert.rejects(run(), { code: 'CHIMERA_RATE_LIMITED' });
      broken = false;
      assert.ok('record' in (await run())[0]!);
    } finally {
      bench.fabric.close();
    }
  });
});
