import assert from 'node:assert/strict';
import type { JsonObject } from '../../../src/contracts/records.ts';
import { answering, echo } from '../agents.ts';
import { Bench } from '../harness.ts';

describe('the pool of sandboxes', function () {
  this.timeout(60_000);
  let bench: Bench;
  before(() => (bench = new Bench({ batchSize: 1 })));
  after(() => bench.fabric.close());

  const run = async (module: Uint8Array, payload: JsonObject): Promise<JsonObject> => {
    const [result] = await bench.fabric.run(bench.job(bench.agent(module), [payload]));
    assert.ok(result !== undefined && 'record' in result);
    return result.record.output as JsonObject;
  };

  it('gives an agent to the idle process that has compiled it', async () => {
    const [, first] = await Promise.all([run(answering('1'), {}), run(echo(), { observe: true })]);
    assert.equal(bench.fabric.pids().length, 2);
    for (let again = 0; again < 3; again++) assert.equal((await run(echo(), { observe: true }))['pid'], first['pid']);
  });

  it('ends a process whose answer is none, and goes on', async () => {
    for (const result of [7, { kind: 'plain' }]) {
      const forged = run(echo(), { misbehave: 'forge', result });
      await assert.rejects(forged, { code: 'CHIMERA_SANDBOX_CRASHED', message: /its answer cannot be read/ });
    }
    assert.deepEqual(await run(echo(), { a: 1 }), { a: 1 });
  });
});
