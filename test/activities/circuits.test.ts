import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { withCircuits } from '../../src/activities/circuits.ts';
import type { ChimeraError } from '../../src/contracts/errors.ts';
import type { AgentManifest, JsonObject } from '../../src/contracts/records.ts';
import { sha256Hex } from '../../src/core/canonical/canonical.ts';
import { createFabric, type Fabric, type RunItemResult } from '../../src/fabric/index.ts';
import { answering } from '../fabric/agents.ts';
import { until } from '../helpers/platform.ts';

const MANIFEST: AgentManifest = {
  abi: 'chimera:agent@1',
  description: '',
  capabilities: [],
  models: {},
  limits: {},
  engine: 'any',
};
const modules = ['"a"', '"b"'].map(answering);
const [killer, other] = modules.map((module) => sha256Hex(module)) as [string, string];

describe('circuits around the fabric', function () {
  this.timeout(60_000);
  let inner: Fabric;
  let fabric: Fabric;
  before(() => {
    inner = createFabric({
      poolSize: 1,
      entry: fileURLToPath(new URL('../fabric/sandbox-entry.ts', import.meta.url)),
      resolve: (sha256) => Promise.resolve(modules.find((module) => sha256Hex(module) === sha256)!),
    });
    fabric = withCircuits(inner, { failures: 3, openMs: 400 });
  });
  after(() => inner.close());

  const run = (sha256: string, payload: JsonObject = {}): Promise<RunItemResult[]> =>
    fabric.run({
      agent: { sha256, manifest: MANIFEST },
      taskType: { preprocess: [], features: [], output: {} },
      items: [{ key: 'k', seed: 1n, payload }],
    });
  const codeOf = async (sha256: string, payload?: JsonObject): Promise<string> => {
    try {
      await run(sha256, payload);
      return 'ok';
    } catch (error) {
      return (error as ChimeraError).code;
    }
  };

  it('opens after so many crashes in a row, lets others pass, and closes when a try goes well', async () => {
    const die = { misbehave: 'die' };
    assert.equal(await codeOf(killer, die), 'CHIMERA_SANDBOX_CRASHED');
    assert.equal(await codeOf(killer, die), 'CHIMERA_SANDBOX_CRASHED');
    assert.equal(await codeOf(killer), 'ok', 'a good run starts the count anew');
    for (let i = 0; i < 3; i++) assert.equal(await codeOf(killer, die), 'CHIMERA_SANDBOX_CRASHED');
    const pids = inner.pids();
    await assert.rejects(run(killer), (error: ChimeraError) => {
      assert.equal(error.code, 'CHIMERA_CIRCUIT_OPEN');
      assert.equal(error.details['retryAfterMs'], 400);
      return error.retryable;
    });
    assert.deepEqual(inner.pids(), pids, 'no sandbox was asked');
    assert.equal(await codeOf(other), 'ok');
    await until('the circuit to close', async () => (await codeOf(killer)) === 'ok');
  });

  it('stays closed for an agent whose input is at fault', async () => {
    for (let i = 0; i < 5; i++) {
      const [result] = await run(other, { misbehave: 'refuse' });
      assert.ok(result !== undefined && 'error' in result);
    }
    assert.equal(await codeOf(other), 'ok');
  });
});
