import assert from 'node:assert/strict';
import type { ChimeraError } from '../../src/contracts/errors.ts';
import type { RunItemResult } from '../../src/fabric/index.ts';
import { Code, F64 } from '../../src/core/wasm/code.ts';
import { LIMIT_CEILINGS } from '../../src/core/execution/limits.ts';
import { OWN, agentModule, answering } from '../fabric/agents.ts';
import { Bench, MANIFEST } from '../fabric/harness.ts';
import { ENCODINGS } from './hostile-encodings.ts';
import { HOSTILE, counting } from './hostile-modules.ts';

const CASES = [...HOSTILE, ...ENCODINGS];

const CAPABILITIES = ['infer', 'sleep'] as const;

describe('security: hostile agents', function () {
  this.timeout(60_000);
  let bench: Bench;
  before(() => (bench = new Bench({ poolSize: 1 })));
  after(() => bench.fabric.close());

  const outcome = (result: RunItemResult | undefined): unknown =>
    result === undefined || 'error' in result
      ? result?.error.code
      : (result.record.output ?? result.record.reason?.code);
  const run = async (module: Uint8Array): Promise<unknown> => {
    const agent = bench.agent(module, { capabilities: [...CAPABILITIES], limits: { fuel: 3_000_000 } });
    const [first, second] = await bench.fabric.run(bench.job(agent, [{ n: 1 }, { n: 1 }]));
    assert.ok(first !== undefined && second !== undefined);
    if ('record' in first && 'record' in second) assert.deepEqual(first.record, second.record, 'the same both times');
    return outcome(first);
  };
  const healthy = async (pids: readonly number[]): Promise<void> => {
    assert.equal(await run(answering('"healthy"')), 'healthy');
    assert.deepEqual(bench.fabric.pids(), pids, 'no process died');
  };

  for (const { name, module, refused, failed } of CASES) {
    it(`${refused === undefined ? `ends as ${failed}` : `refuses (${refused})`}: ${name}`, async () => {
      assert.equal(await run(answering('"healthy"')), 'healthy');
      const pids = bench.fabric.pids();
      if (refused === undefined) assert.equal(await run(module()), failed);
      else {
        const isRefused = (error: ChimeraError): boolean => {
          assert.equal(error.code, 'CHIMERA_AGENT_REFUSED');
          assert.equal(error.details['rule'], refused);
          return true;
        };
        await assert.rejects(bench.fabric.publish(module(), MANIFEST), isRefused);
        await assert.rejects(run(module()), isRefused);
      }
      await healthy(pids);
    });
  }

  it('has at least 200 cases, each with a name of its own', () => {
    assert.ok(CASES.length >= 200, `${CASES.length} cases`);
    assert.equal(new Set(CASES.map(({ name }) => name)).size, CASES.length);
  });

  it('ends the deepest recursion of the largest frames by depth, before the native stack ends', async () => {
    const params = Array.from({ length: 30 }, () => F64);
    const code = new Code();
    for (let i = 0; i < 30; i++) code.get(i);
    const step = new Code();
    for (let i = 0; i < 30; i++) step.f64(i);
    const module = agentModule({
      step: step.call(OWN).op('unreachable'),
      functions: [{ params, results: [], code: code.call(OWN) }],
    });
    const agent = bench.agent(module, { limits: { depth: LIMIT_CEILINGS.depth } });
    const [result] = await bench.fabric.run(bench.job(agent, [{}]));
    assert.equal(outcome(result), 'stack-depth');
  });

  it('keeps nothing from one run to the next', async () => {
    const agent = bench.agent(counting());
    const results = await bench.fabric.run(bench.job(agent, [{}, {}, {}]));
    assert.deepEqual(results.map(outcome), [4, 4, 4]);
  });
});

describe('security: sandbox processes', function () {
  this.timeout(60_000);
  let bench: Bench;
  beforeEach(() => (bench = new Bench({ batchSize: 1 })));
  afterEach(() => bench.fabric.close());

  const good = { n: 1 };
  const one = async (payload: Record<string, boolean | number | string>, deadlineMs = 20_000): Promise<unknown> => {
    const [result] = await bench.fabric.run(bench.job(bench.agent(answering('1')), [payload]), { deadlineMs });
    return result !== undefined && 'record' in result ? result.record.output : result;
  };

  for (const way of ['die', 'exit', 'abort']) {
    it(`costs nobody else a run when a process dies (${way})`, async () => {
      const others = Array.from({ length: 12 }, () => one(good));
      const culprit = one({ misbehave: way });
      const later = Array.from({ length: 12 }, () => one(good));
      await assert.rejects(culprit, { code: 'CHIMERA_SANDBOX_CRASHED' });
      assert.deepEqual(await Promise.all([...others, ...later]), new Array(24).fill(1));
    });
  }

  it('kills a process at the wall deadline, without hurting the batch behind it', async () => {
    await one(good);
    const stuck = one({ misbehave: 'hang' }, 300);
    const others = Array.from({ length: 6 }, () => one(good));
    await assert.rejects(stuck, { code: 'CHIMERA_WALL_DEADLINE' });
    assert.deepEqual(await Promise.all(others), new Array(6).fill(1));
  });

  it('reports a bug in a sandbox as a crash, and goes on with the same process', async () => {
    await one(good);
    const pids = bench.fabric.pids();
    await assert.rejects(one({ misbehave: 'throw' }), { code: 'CHIMERA_SANDBOX_CRASHED' });
    assert.equal(await one(good), 1);
    assert.deepEqual(bench.fabric.pids().slice(0, 1), pids);
  });

  it('stops at an abort signal, at once, and is fit for the next job', async () => {
    const agent = bench.agent(answering('1'));
    const controller = new AbortController();
    const payloads = [{ misbehave: 'hang' }, ...Array.from({ length: 10 }, () => good)];
    const running = bench.fabric.run(bench.job(agent, payloads), { signal: controller.signal, deadlineMs: 500 });
    controller.abort();
    await assert.rejects(running, { code: 'CHIMERA_CANCELLED' });
    assert.equal(await one(good), 1);
  });

  it('rejects what is under way when it is closed, and leaves no process', async () => {
    const running = one({ misbehave: 'hang' });
    const settled = assert.rejects(running, { code: 'CHIMERA_CANCELLED' });
    await one(good);
    bench.fabric.close();
    await settled;
    assert.deepEqual(bench.fabric.pids(), []);
  });

  it('says so, and does not loop, where the sandbox cannot start', async () => {
    const broken = new Bench({ entry: '/nonexistent/main.ts' });
    await assert.rejects(broken.fabric.publish(answering('1'), MANIFEST), { code: 'CHIMERA_SANDBOX_CRASHED' });
    broken.fabric.close();
  });
});
