import assert from 'node:assert/strict';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import type { JsonObject } from '../../../src/contracts/records.ts';
import { sandboxFacts } from '../../../src/fabric/index.ts';
import { answering, asking, echo } from '../agents.ts';
import { Bench, MANIFEST, TASK_TYPE, item } from '../harness.ts';
import { FIXTURES } from './fixtures.ts';
import { libraryOrSkip } from './library.ts';

const WASMTIME = { engine: 'wasmtime' as const };

describe('fabric with wasmtime', function () {
  this.timeout(60_000);
  let bench: Bench;
  let wasmtime: string;
  before(async function () {
    this.timeout(200_000);
    wasmtime = await libraryOrSkip(this);
    bench = new Bench({ poolSize: 1, wasmtime });
  });
  after(() => bench?.fabric.close());

  it('gives the records of V8, in processes of its own', async () => {
    const modules = [echo(), FIXTURES['reporting']!.module, FIXTURES['unreachable']!.module, asking(3, '{"url":"x"}')];
    for (const module of modules) {
      const payloads: JsonObject[] = [{ text: 'grüße' }, {}, { n: 1.5 }];
      const [here, there] = await Promise.all([
        bench.fabric.run(bench.job(bench.agent(module), payloads)),
        bench.fabric.run(bench.job(bench.agent(module, WASMTIME), payloads)),
      ]);
      assert.deepEqual(there, here);
    }
    assert.equal(bench.fabric.pids().length, 2);
  });

  it('evaluates agents for both engines in one batch', async () => {
    const agents = [bench.agent(answering('"a"')), bench.agent(echo(), WASMTIME)];
    const items = Array.from({ length: 20 }, (_, n) => ({
      ...item({}, n),
      prepared: { payload: { n }, features: new Float64Array(0) },
    }));
    const job = { agents, taskType: { output: {} }, items };
    const onV8 = await bench.fabric.evaluate({ ...job, agents: [agents[0]!, bench.agent(echo())] });
    assert.deepEqual(await bench.fabric.evaluate(job), onV8);
  });

  it('publishes an agent for wasmtime after a try on it', async () => {
    const published = await bench.fabric.publish(answering('1'), { ...MANIFEST, ...WASMTIME });
    const other = await bench.fabric.publish(answering('1'), MANIFEST);
    assert.ok(published.smoke.ok);
    assert.equal(published.smoke.fuel, other.smoke.fuel);
    assert.notEqual(published.id, other.id);
  });

  it('counts calls as deep as limits can allow, with frames as wide as one call can be', async () => {
    const limits = { depth: 4096, fuel: 100_000_000 };
    for (const name of ['wide frames', 'endless recursion']) {
      const { module } = FIXTURES[name]!;
      const [here, there] = await Promise.all([
        bench.fabric.run(bench.job(bench.agent(module, { limits }), [{}])),
        bench.fabric.run(bench.job(bench.agent(module, { ...WASMTIME, limits }), [{}])),
      ]);
      assert.ok(here[0] !== undefined && 'record' in here[0]);
      assert.equal(here[0].record.reason?.code, 'stack-depth', name);
      assert.deepEqual(there, here);
    }
  });

  it('says so where the library is not there, and runs the others', async () => {
    for (const options of [{}, { wasmtime: '/nowhere/libwasmtime' }]) {
      const without = new Bench({ poolSize: 1, ...options });
      try {
        const run = without.fabric.run(without.job(without.agent(echo(), WASMTIME), [{}]));
        await assert.rejects(run, (error) => isChimeraError(error, 'CHIMERA_SETUP') && /wasmtime/.test(error.message));
        const [result] = await without.fabric.run(without.job(without.agent(answering('1')), [{}]));
        assert.ok(result !== undefined && 'record' in result);
      } finally {
        without.fabric.close();
      }
    }
  });

  it('runs agents to which any engine is right on wasmtime where that is wanted', async () => {
    const preferring = new Bench({ poolSize: 1, wasmtime, engine: 'wasmtime' });
    try {
      const job = preferring.job(preferring.agent(echo()), [{ a: 1 }]);
      assert.deepEqual(
        await preferring.fabric.run(job),
        await bench.fabric.run(bench.job(bench.agent(echo()), [{ a: 1 }])),
      );
      const prepared = await preferring.fabric.prepare({ taskType: TASK_TYPE, payloads: [{ a: 1 }] });
      assert.deepEqual(prepared[0], { payload: { a: 1 }, features: Float64Array.of(1, 2) });
    } finally {
      preferring.fabric.close();
    }
  });

  it('is among the facts of the sandbox', () => {
    const fact = (path?: string) => sandboxFacts(path).find(({ name }) => name === 'wasmtime engine')!;
    assert.equal(fact(wasmtime).active, true);
    assert.match(fact(wasmtime).detail, /^50\.0\.1/);
    assert.deepEqual([fact().active, fact('/nowhere/libwasmtime').active], [false, false]);
    assert.match(fact().detail, /scripts\/wasmtime\.ts/);
    assert.match(fact(import.meta.filename).detail, /not the pinned library/);
  });
});
