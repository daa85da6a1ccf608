import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { JsonValue } from '../../../src/contracts/records.ts';
import { spentBudget } from '../../../src/core/execution/budget.ts';
import { planFork } from '../../../src/core/execution/fork.ts';
import {
  askRequest,
  readRequestAs,
  spawnOrder,
  spawnRequest,
  toolRequest,
} from '../../../src/core/execution/requests.ts';
import type { LongExecution } from '../../../src/contracts/executions.ts';
import type { AgentManifest } from '../../../src/contracts/records.ts';

describe('core/execution requests', () => {
  it('understands what it knows and fills in what may be left out', () => {
    assert.deepEqual(readRequestAs(toolRequest, { tool: 'x' }), { tool: 'x', input: {} });
    assert.deepEqual(readRequestAs(spawnRequest, { taskType: 't', payload: null }), {
      taskType: 't',
      payload: null,
      after: [],
    });
    assert.deepEqual(readRequestAs(askRequest, { question: 'Why?' }), { question: 'Why?' });
  });

  it('answers a request that it cannot understand with every problem', () => {
    const answer = readRequestAs(askRequest, { question: '', options: [], timeoutMs: -1, more: 1 } as JsonValue);
    assert.ok('ok' in answer && !answer.ok);
    const { code, message } = JSON.parse(new TextDecoder().decode(answer.body)) as { code: string; message: string };
    assert.equal(code, 'CHIMERA_INVALID_INPUT');
    for (const path of ['/question', '/options', '/timeoutMs', 'more']) assert.match(message, new RegExp(path));
  });

  it('orders spawned tasks after those that they wait for, and refuses circles and strangers', () => {
    assert.deepEqual(
      spawnOrder(
        new Map([
          [0, [2]],
          [1, []],
          [2, [1]],
        ]),
      ),
      [1, 2, 0],
    );
    assert.equal(spawnOrder(new Map([[0, [0]]])), undefined);
    assert.equal(
      spawnOrder(
        new Map([
          [0, [1]],
          [1, [0]],
        ]),
      ),
      undefined,
    );
    assert.equal(spawnOrder(new Map([[0, [7]]])), undefined);
    const graph = fc.array(fc.array(fc.nat(11), { maxLength: 3 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(graph, (needs) => {
        // Only lower indices: no circle.
        const after = new Map(needs.map((all, index) => [index, all.filter((other) => other < index)]));
        const order = spawnOrder(after)!;
        assert.deepEqual(
          [...order].sort((a, b) => a - b),
          [...after.keys()],
        );
        for (const [index, all] of after) {
          for (const other of all) assert.ok(order.indexOf(other) < order.indexOf(index));
        }
      }),
    );
  });
});

describe('core/execution budget', () => {
  const spent = { turns: 3, fuel: 100, tokens: 7, money: 0.5, wallMs: 1000 };

  it('names what is spent, and nothing while there is some left of each', () => {
    assert.equal(spentBudget({}, spent), undefined);
    assert.equal(spentBudget({ turns: 4, fuel: 101, tokens: 8, money: 0.51, wallMs: 1001 }, spent), undefined);
    assert.equal(spentBudget({ turns: 3 }, spent), '3 turns');
    assert.equal(spentBudget({ turns: 4, fuel: 100 }, spent), '100 fuel');
    assert.equal(spentBudget({ tokens: 7 }, spent), '7 tokens');
    assert.equal(spentBudget({ money: 0.5 }, spent), '0.5 money units');
    assert.equal(spentBudget({ wallMs: 999 }, spent), '999 ms since it started');
  });
});

describe('core/execution fork', () => {
  const parent: LongExecution = {
    project: 'p',
    executionId: 'e',
    taskType: 't',
    taskId: 'id',
    ordinal: 4,
    agentVersion: 'a1',
    depth: 1,
    config: { seed: '9', budget: { turns: 5 } },
    state: 'completed',
    turn: 6,
    fuel: 60,
    startedAt: '2026-01-01T00:00:00.000Z',
  };
  const manifest: AgentManifest = {
    abi: 'chimera:agent@1',
    description: '',
    capabilities: ['tool'],
    models: {},
    limits: {},
    engine: 'any',
  };

  it('takes over what is not changed and is named by what is', () => {
    const same = planFork(parent, { execution: 'e', turn: 2 }, manifest);
    assert.deepEqual(
      [same.parent, same.fromTurn, same.agentVersion, same.config, same.depth, same.taskId],
      ['e', 2, 'a1', parent.config, 1, 'id'],
    );
    assert.equal(planFork(parent, { execution: 'e', turn: 2 }, manifest).executionId, same.executionId);
    const others = [
      planFork(parent, { execution: 'e', turn: 3 }, manifest),
      planFork(parent, { execution: 'e', turn: 2, seed: '10' }, manifest),
      planFork(parent, { execution: 'e', turn: 2, budget: {} }, manifest),
      planFork(parent, { execution: 'e', turn: 2, limits: { fuel: 5 } }, manifest),
      planFork(parent, { execution: 'e', turn: 2, agentVersion: 'a2' }, manifest),
    ];
    assert.equal(new Set([same, ...others].map(({ executionId }) => executionId)).size, 6);
    assert.ok(others.every(({ executionId }) => executionId.startsWith('e.f')));
  });

  it('names every problem at once', () => {
    assert.throws(
      () => planFork(parent, { execution: 'e', turn: 7 }, { ...manifest, capabilities: ['infer'] }),
      (error: Error) => /\/turn: the execution has 6 turns so far[\s\S]*\/agentVersion: this agent/.test(error.message),
    );
  });
});
