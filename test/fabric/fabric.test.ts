import assert from 'node:assert/strict';
import { drive, recordHash } from '../../src/core/execution/driver.ts';
import { effectiveLimits } from '../../src/core/execution/limits.ts';
import type { RunItemResult } from '../../src/fabric/index.ts';
import { EVALUATION_STATUS } from '../../src/fabric/index.ts';
import { createStepEngine } from '../../src/fabric/abi/step.ts';
import { guardModule } from '../../src/fabric/guard/guard.ts';
import { compileForV8 } from '../../src/fabric/v8/engine.ts';
import { canonicalBytes } from '../../src/core/canonical/canonical.ts';
import { answering, asking, echo } from './agents.ts';
import { Bench, MANIFEST, TASK_TYPE, item } from './harness.ts';

const records = (results: readonly RunItemResult[]): unknown[] =>
  results.map((result) =>
    'record' in result ? (result.record.output ?? result.record.reason?.code) : result.error.code,
  );

describe('fabric', function () {
  this.timeout(60_000);
  let bench: Bench;
  before(() => (bench = new Bench({ batchSize: 8 })));
  after(() => bench.fabric.close());

  it('runs many items over several processes and keeps their order', async () => {
    const payloads = Array.from({ length: 50 }, (_, n) => ({ n, observe: true }));
    const progress: number[] = [];
    const results = await bench.fabric.run(bench.job(bench.agent(echo()), payloads), {
      onProgress: (done, total) => progress.push(done / total),
    });
    const outputs = records(results) as { n: number; pid: number; env: number }[];
    assert.deepEqual(
      outputs.map(({ n }) => n),
      payloads.map(({ n }) => n),
    );
    assert.ok(new Set(outputs.map(({ pid }) => pid)).size <= 2);
    assert.ok(!outputs.some(({ pid }) => pid === process.pid));
    assert.equal(progress.at(-1), 1);
    assert.equal(progress.length, 7);
  });

  it('gives the same record as the driver in this process', async () => {
    const module = echo();
    const agent = bench.agent(module);
    const [result] = await bench.fabric.run({ agent, taskType: TASK_TYPE, items: [item({ text: 'grüße' }, 7)] });
    assert.ok(result !== undefined && 'record' in result);
    const limits = effectiveLimits();
    const guarded = guardModule(module, limits);
    const here = await drive({
      engine: createStepEngine(compileForV8(guarded), guarded, limits),
      input: { payload: canonicalBytes({ text: 'grüße' }), features: Float64Array.of(1, 2) },
      seed: 7n,
      limits,
      capabilities: [],
      effects: { perform: () => [] },
      priceVersion: guarded.priceVersion,
    });
    assert.deepEqual(result.record, here);
    assert.equal(result.recordHash, recordHash(here));
    assert.deepEqual(result.features, Float64Array.of(1, 2));
  });

  it('answers infer from the models of the manifest, by hash', async () => {
    const model = bench.put(Uint8Array.of(1, 2, 3));
    const agent = bench.agent(asking(0, '{"model":"m","input":"/text"}'), {
      capabilities: ['infer'],
      models: { m: model },
    });
    const [result] = await bench.fabric.run(bench.job(agent, [{ text: 'hello' }]));
    assert.ok(result !== undefined && 'record' in result);
    assert.deepEqual(result.record.output, { label: 'hello', scores: [3, 5] });
    assert.equal(result.record.modelCalls, 1);
    assert.equal(result.record.turns, 2);
  });

  it('says why an effect is not served, and lets the agent go on', async () => {
    const code = async (
      kind: number,
      request: string,
      capabilities: readonly never[] | readonly ['infer' | 'http'],
    ) => {
      const agent = bench.agent(asking(kind, request), { capabilities: [...capabilities] });
      const [result] = await bench.fabric.run(bench.job(agent, [{ text: 'x' }]));
      return result !== undefined && 'record' in result ? (result.record.output as { code: string }).code : undefined;
    };
    assert.equal(await code(0, '{"model":"m","input":"/text"}', []), 'CHIMERA_FORBIDDEN');
    assert.equal(await code(0, '{"model":"m","input":"/text"}', ['infer']), 'CHIMERA_NOT_FOUND');
    assert.equal(await code(0, '{"model":1}', ['infer']), 'CHIMERA_INVALID_INPUT');
    assert.equal(await code(3, '{"url":"http://127.0.0.1"}', ['http']), 'CHIMERA_FORBIDDEN');
  });

  it('evaluates many agents on the same items and says what cannot be scored', async () => {
    const model = bench.put(Uint8Array.of(9));
    const agents = [
      bench.agent(answering('"a"')),
      bench.agent(asking(0, '{"model":"m","input":"/text"}'), { capabilities: ['infer'], models: { m: model } }),
      bench.agent(asking(3, '{}'), { capabilities: ['http'] }),
      bench.agent(answering('"forbidden"')),
    ];
    const items = Array.from({ length: 600 }, (_, n) => ({
      ...item({}, n),
      prepared: { payload: { text: 'x'.repeat(n) }, features: new Float64Array(0) },
    }));
    const columns = await bench.fabric.evaluate({ agents, taskType: { output: {} }, items });
    const { completed, failed, unscorable } = EVALUATION_STATUS;
    assert.deepEqual(
      columns.map(({ status }) => status[0]),
      [completed, completed, unscorable, failed],
    );
    assert.deepEqual(columns[1]!.output[599], { label: 'x'.repeat(599), scores: [1, 599] });
    assert.equal(columns[1]!.modelCalls[0], 1);
    assert.equal(columns[3]!.failure[0], 'bad-output');
    assert.ok(columns.every(({ fuel }) => fuel.length === 600 && fuel.every((value) => value > 0)));
  });

  it('serves a recorded world effect again', async () => {
    const agent = bench.agent(asking(3, '{"url":"x"}'), { capabilities: ['http'] });
    const [first] = await bench.fabric.run(bench.job(agent, [{}]));
    assert.ok(first !== undefined && 'record' in first);
    const { requestHash } = first.record.effects[0]!;
    const recorded = [{ kind: 'http' as const, requestHash, ok: true, body: { status: 200 }, scores: [] }];
    const [again] = await bench.fabric.run({ agent, taskType: TASK_TYPE, items: [{ ...item({}), recorded }] });
    assert.ok(again !== undefined && 'record' in again);
    assert.deepEqual(again.record.output, { status: 200 });
  });

  it('publishes a module and refuses a bad manifest with every problem', async () => {
    const published = await bench.fabric.publish(answering('1'), MANIFEST);
    assert.match(published.id, /^[0-9a-f]{64}$/);
    assert.deepEqual(published.module.exports, ['step', 'cabi_realloc', 'memory']);
    assert.ok(published.smoke.ok);
    const bad = { ...MANIFEST, engine: 'quickest' as never, models: { m: 'x' }, limits: { fuel: -1 } };
    await assert.rejects(bench.fabric.publish(answering('1'), bad), (error: { details: { problems: unknown[] } }) => {
      assert.equal(error.details.problems.length, 3);
      return true;
    });
  });

  it('refuses content that is not what its hash says', async () => {
    const agent = bench.agent(answering('1'));
    bench.blobs.set(agent.sha256, answering('2'));
    await assert.rejects(bench.fabric.run(bench.job(agent, [{}])), { code: 'CHIMERA_ARTIFACT_CORRUPT' });
  });

  it('lets one item be unpreparable without the others', async () => {
    const results = await bench.fabric.run(bench.job(bench.agent(answering('1')), [{}, { misbehave: 'refuse' }, {}]));
    assert.deepEqual(records(results), [1, 'CHIMERA_INVALID_INPUT', 1]);
  });

  it('prepares payloads without running an agent', async () => {
    const results = await bench.fabric.prepare({ taskType: TASK_TYPE, payloads: [{ a: 1 }, { misbehave: 'refuse' }] });
    assert.deepEqual(results[0], { payload: { a: 1 }, features: Float64Array.of(1, 2) });
    assert.equal('error' in results[1]! && results[1].error.code, 'CHIMERA_INVALID_INPUT');
    const [wanted] = await bench.fabric.run(bench.job(bench.agent(answering('1')), [{ a: 2 }]), { want: 'payload' });
    assert.deepEqual(wanted !== undefined && 'record' in wanted && wanted.payload, { a: 2 });
  });

  it('gives sandboxes an empty environment and says which walls are active', async () => {
    process.env['CHIMERA_TEST_SECRET'] = 'x';
    const [result] = await bench.fabric.run(bench.job(bench.agent(echo()), [{ observe: true }]));
    assert.ok(result !== undefined && 'record' in result);
    const { env } = result.record.output as { env: number };
    assert.ok(env <= 3, `${env} variables`);
    assert.ok(bench.fabric.facts().every(({ name, detail }) => name !== '' && detail !== ''));
  });
});
