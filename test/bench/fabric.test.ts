import assert from 'node:assert/strict';
import { ENDLESS_LIMITS, TASK_TYPE, endlessAgent, fabricOf, items, smallAgent } from '../../bench/fabric/agents.ts';
import { compileGuarded, instanceOf, openWithEpochs } from '../../bench/fabric/epochs.ts';
import { bareLoop } from '../../bench/fabric/throughput.ts';
import { DEFAULT_LIMITS } from '../../src/core/execution/limits.ts';
import { WasmtimeTrap } from '../../src/fabric/wasmtime/traps.ts';
import { EXTERN_KIND } from '../../src/fabric/wasmtime/layout.ts';
import { libraryOrSkip } from '../fabric/wasmtime/library.ts';

describe('what the benchmark of the fabric runs', function () {
  this.timeout(60_000);
  let library: string;
  before(async function () {
    this.timeout(200_000);
    library = await libraryOrSkip(this);
  });

  it('is the same agent in the pool and bare, and it answers both ways', async () => {
    const { fabric, agents } = fabricOf([smallAgent(0)], { poolSize: 1 });
    try {
      const results = await fabric.run({ agent: agents[0]!, taskType: TASK_TYPE, items: items(20) });
      const labels = results.map((result) => 'record' in result && (result.record.output as { label: string }).label);
      assert.deepEqual(new Set(labels), new Set(['ham', 'spam']));
    } finally {
      fabric.close();
    }
    assert.doesNotThrow(bareLoop(library, 20));
  });

  it('is another agent for each number', () => {
    assert.notDeepEqual(smallAgent(0), smallAgent(1));
  });

  it('is an endless agent, which ends by the wall deadline in the pool and by the epochs of the peer', async () => {
    const { fabric, agents } = fabricOf([endlessAgent()], { poolSize: 1 }, ENDLESS_LIMITS);
    try {
      const job = { agent: agents[0]!, taskType: { ...TASK_TYPE, limits: ENDLESS_LIMITS }, items: items(1) };
      await assert.rejects(fabric.run(job, { deadlineMs: 20 }), { code: 'CHIMERA_WALL_DEADLINE' });
    } finally {
      fabric.close();
    }
    const { host, deadline, tick } = openWithEpochs(library);
    const module = compileGuarded(host, endlessAgent(), DEFAULT_LIMITS);
    const stop = await tick();
    try {
      deadline(5);
      const instance = instanceOf(host, module);
      const step = host.export(instance, 'step', EXTERN_KIND.func);
      const call = (): number => host.call(instance, step, [0, 0, 0, 0n, 0n, 0, 0, 0, 0, 0]);
      assert.throws(call, (error) => error instanceof WasmtimeTrap && error.kind === undefined);
      host.release(instance);
    } finally {
      await stop();
    }
  });
});
