import assert from 'node:assert/strict';
import type { ApprovalView, EffectsPage, ExecutionDetails, ExecutionView } from '../../src/client/index.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { ask, count, openScripts, type Scripts } from '../gateway/scripts.ts';
import { until } from '../helpers/platform.ts';
import { run, type Ran } from './run.ts';

describe('cli: executions and questions', function () {
  this.timeout(180_000);
  let scripts: Scripts;
  const cli = (...argv: string[]): Promise<Ran> =>
    run([...argv, '--url', scripts.baseUrl, '--api-key', scripts.apiKey]);
  const ok = async (...argv: string[]): Promise<string> => {
    const { code, out, err } = await cli(...argv);
    assert.equal(code, EXIT.ok, err);
    return out;
  };
  const okJson = async <T>(...argv: string[]): Promise<T> => JSON.parse(await ok(...argv, '--json')) as T;
  const answered = (id: string): Promise<ApprovalView> => scripts.client.approvals.get(id);

  before(async () => {
    scripts = await openScripts();
  });
  after(() => scripts?.close());

  it('shows what an execution did and asks, takes the answer, and shows the end', async () => {
    const id = await scripts.submit([[count(1)], [ask('Pay \u001b[2Jit?\nSoon?', { options: ['yes', 'no'] })]]);
    await scripts.waiting(id);
    const [question] = await okJson<ApprovalView[]>('approvals', 'list', '--execution', id);
    const approvalId = question!.approvalId;
    assert.match(await ok('approvals', 'list'), new RegExp(`${approvalId} .* open +Pay \\[2Jit\\? Soon\\?`));
    const shown = await ok('executions', 'show', id);
    assert.match(shown, /state +running: waiting\n/);
    assert.match(
      shown,
      /TURN +EFFECT +REQUEST +OK +RESULT +ANSWERED BY +COST\n0\.0 +tool +counting +yes .* counting +0\.25/,
    );
    assert.match(shown, / {2}\| Pay \[2Jit\?\n {2}\| Soon\?\n/);
    assert.match(
      shown,
      new RegExp(`options +"yes", "no"\n[^]*to answer: chimera approvals answer ${approvalId} ANSWER`),
    );
    assert.ok(!shown.includes('\u001b'), 'an agent gives the terminal no commands');
    assert.match(await ok('approvals', 'answer', approvalId, 'yes'), /answer +"yes"\nanswered +\S+ by ada/);
    await scripts.resolved(id);
    const done = await ok('executions', 'show', id, '--turns', '1');
    assert.match(done, /state +completed\n[^]*turns before 2: chimera executions effects/);
    assert.doesNotMatch(done, /waits for|to answer/);
    assert.match(await ok('executions', 'list'), new RegExp(`${id} +scripts +completed +3 `));
    assert.match(await ok('approvals', 'list', '--all', '--execution', id), /answered +Pay .* +"yes"/);
  });

  it('sends what is typed as the value that the question takes', async () => {
    const id = await scripts.submit([[ask('a', { options: ['1', 2] }), ask('b'), ask('c'), ask('d')]]);
    await scripts.waiting(id);
    const [a, b, c, d] = (await scripts.client.approvals.list({ execution: id })).map(({ approvalId }) => approvalId);
    const refused = await cli('approvals', 'answer', a!, '3');
    assert.equal(refused.code, EXIT.usage);
    assert.match(refused.err, /\/answer: must be one of "1", 2/);
    await ok('approvals', 'answer', a!, '1');
    await ok('approvals', 'answer', b!, '{"euros":7}');
    await ok('approvals', 'answer', c!, '1984', '--text');
    await ok('approvals', 'answer', d!, 'as you like');
    const all = await Promise.all([a, b, c, d].map((each) => answered(each!)));
    assert.deepEqual(
      all.map(({ answer }) => answer),
      ['1', { euros: 7 }, '1984', 'as you like'],
    );
    assert.equal((await cli('approvals', 'answer', d!, 'no')).code, EXIT.conflict);
  });

  it('pauses, resumes, cancels and forks', async () => {
    const id = await scripts.submit([[count(1)], [count(2)], [ask('Shall I?')]]);
    await scripts.waiting(id);
    assert.match(await ok('executions', 'pause', id), /state +paused/);
    assert.match(await ok('executions', 'list', '--state', 'paused'), new RegExp(id));
    assert.match(await ok('executions', 'resume', id), /state +running/);
    await ok('executions', 'cancel', id);
    await scripts.resolved(id);
    assert.match(await ok('executions', 'show', id), /reason +cancelled: cancelled by ada/);
    const late = await cli('executions', 'pause', id);
    assert.equal(late.code, EXIT.conflict);
    assert.match(late.err, /\/state: is failed: there is nothing left to pause/);

    const page = await okJson<EffectsPage>('executions', 'effects', id, '--limit', '1');
    assert.deepEqual([page.effects.length, page.next], [1, 1]);
    assert.match(
      await ok('executions', 'effects', id, '--limit', '1'),
      /more: chimera executions effects \S+ --from 1/,
    );

    const budget = '{"turns":1}';
    const fork = await okJson<ExecutionView>(
      'executions',
      'fork',
      id,
      '--turn',
      '1',
      '--seed',
      '7',
      '--budget',
      budget,
    );
    assert.deepEqual([fork.parent, fork.fromTurn, fork.config], [id, 1, { seed: '7', budget: { turns: 1 } }]);
    await until('the fork to end', async () => {
      const { state } = await okJson<ExecutionDetails>('executions', 'show', fork.executionId);
      return state === 'failed';
    });
    assert.match(await ok('executions', 'show', fork.executionId), /reason +budget-exhausted: /);
    assert.match(await ok('executions', 'list', '--task', id), new RegExp(`${fork.executionId} `));
    const bad = await cli('executions', 'fork', id, '--turn', '99', '--agent-version', 'nobody');
    assert.equal(bad.code, EXIT.usage);
    assert.match(
      bad.err,
      /\/agentVersion: there is no agent named nobody\n[^]*\/turn: the execution has \d+ turns so far/,
    );
    assert.equal((await cli('executions', 'show', 'nothing')).code, EXIT.notFound);
    assert.equal((await cli('executions', 'list', '--state', 'lost')).code, EXIT.usage);
  });
});
