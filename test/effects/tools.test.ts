import assert from 'node:assert/strict';
import { isChimeraError } from '../../src/contracts/errors.ts';
import type { EffectAnswer } from '../../src/effects/answer.ts';
import { Breakers } from '../../src/effects/breaker.ts';
import { loadTools, type ToolDeclaration, type ToolOptions, type ToolRegistry } from '../../src/effects/tools.ts';
import type { ManifestTool } from '../../src/manifest/manifest.ts';

const BASE = import.meta.dirname;

const echo: ManifestTool = {
  name: 'echo',
  description: 'Answers',
  input: { type: 'object', properties: { as: { type: 'string' } }, required: ['as'] },
  timeout: 5000,
  price: 0.5,
  module: './tools/echo.ts',
};
const { module: _, ...facts } = echo;
const remote: ManifestTool = {
  ...facts,
  name: 'remote',
  queue: 'crm',
  activity: 'find',
  output: { type: 'object', properties: { id: { type: 'integer' } }, required: ['id'] },
};

const load = (changes: Partial<ToolDeclaration> = {}, options: ToolOptions = {}): Promise<ToolRegistry> =>
  loadTools([{ ...echo, ...changes }, remote], BASE, options);

const call = (
  signal: AbortSignal = new AbortController().signal,
): { idempotencyKey: string; signal: AbortSignal; project: string } => ({
  idempotencyKey: 'execution/1/0',
  signal,
  project: 'p',
});
const ask = (tools: ToolRegistry, as: string): Promise<EffectAnswer> => tools.perform('echo', { as }, call());

describe('tools', () => {
  it('are listed as the manifest has them, modules and activities', async () => {
    const tools = await load();
    assert.deepEqual(
      tools.list().map(({ name, kind, timeoutMs, price }) => [name, kind, timeoutMs, price]),
      [
        ['echo', 'module', 5000, 0.5],
        ['remote', 'activity', 5000, 0.5],
      ],
    );
    const tool = tools.get('remote');
    assert.deepEqual(tool?.kind === 'activity' && [tool.queue, tool.activity], ['crm', 'find']);
    assert.equal(tools.get('none'), undefined);
  });

  it('are refused with every problem of the section', async () => {
    const wrong: ToolDeclaration[] = [
      { ...echo, module: './tools/none.ts' },
      { ...echo, name: 'b', module: './tools/no-function.ts', input: { type: 'txt' } },
      { ...echo, name: 'c', module: './tools/broken.ts', output: { $ref: 'http://evil.example/' } },
      echo,
      echo,
    ];
    await assert.rejects(loadTools(wrong, BASE), (error) => {
      assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'));
      const problems = (error.details.problems ?? []).map(({ path, message }) => `${path}: ${message}`);
      assert.match(problems[0]!, /^\/tools\/0\/module: cannot be loaded/);
      assert.ok(problems.includes('/tools/1/module: has no function as its default export'));
      assert.ok(problems.some((problem) => problem.startsWith('/tools/1/input/type: ')));
      assert.ok(problems.includes('/tools/2/output/$ref: only references within the schema (#/…) are followed'));
      assert.ok(problems.includes('/tools/2/module: cannot be loaded: cannot start'));
      assert.equal(problems.at(-1), '/tools/4/name: echo is there twice');
      return true;
    });
  });

  it('take only what their schema takes', async () => {
    const tools = await load();
    assert.deepEqual(tools.check('echo', { as: 'x' }), []);
    assert.deepEqual(tools.check('none', {}), [{ path: '', message: 'there is no tool named none' }]);
    assert.equal(tools.check('echo', { as: 5 })[0]?.path, '/as');
    assert.deepEqual(await tools.perform('echo', { as: 5 }, call()), {
      ok: false,
      code: 'CHIMERA_INVALID_INPUT',
      message: 'the input of tool echo is not valid: /as: must be string',
    });
    for (const name of ['none', 'remote', '__proto__', 'constructor']) {
      const result = await tools.perform(name, {}, call());
      assert.equal(!result.ok && result.code, 'CHIMERA_NOT_FOUND', name);
    }
  });

  it('are told the key, the project and when to stop, and cannot change what was asked', async () => {
    const tools = await load();
    assert.deepEqual(await ask(tools, 'call'), {
      ok: true,
      body: { key: 'execution/1/0', project: 'p', aborted: false },
    });
    const input = { as: 'mutation' };
    assert.deepEqual(await tools.perform('echo', input, call()), { ok: true, body: { as: 'changed' } });
    assert.deepEqual(input, { as: 'mutation' });
  });

  it('fail with what they tell the agent, and with nothing of what they do not', async () => {
    const heard: unknown[] = [];
    const tools = await load({}, { report: (name, error) => heard.push(`${name}: ${(error as Error).message}`) });
    assert.deepEqual(await ask(tools, 'refusal'), {
      ok: false,
      code: 'CHIMERA_INVALID_INPUT',
      message: 'tool echo: no such customer',
    });
    assert.deepEqual(heard, []);
    assert.deepEqual(await ask(tools, 'crash'), {
      ok: false,
      code: 'CHIMERA_INTERNAL',
      message: 'tool echo failed',
    });
    assert.deepEqual(heard, ['echo: connect ECONNREFUSED 10.0.0.5:5432']);
  });

  it('run out of time, whether they listen or not', async () => {
    const tools = await load({ timeout: 10 });
    const late = { ok: false, code: 'CHIMERA_WALL_DEADLINE', message: 'tool echo took longer than 10 ms' };
    assert.deepEqual(await ask(tools, 'hang'), late);
    assert.deepEqual(await ask(tools, 'abort'), late);
  });

  it('that are cancelled are thrown, for nobody knows what came of it', async () => {
    const tools = await load();
    const stop = new AbortController();
    const running = tools.perform('echo', { as: 'hang' }, call(stop.signal));
    stop.abort();
    await assert.rejects(running, { code: 'CHIMERA_CANCELLED' });
    await assert.rejects(tools.perform('echo', { as: 'call' }, call(stop.signal)), { code: 'CHIMERA_CANCELLED' });
  });

  it('are left alone after five failures; what agents do wrong is none', async () => {
    const breakers = new Breakers();
    const tools = await load({ timeout: 10 }, { breakers });
    for (let i = 0; i < 10; i++) await ask(tools, 'refusal');
    for (const as of ['crash', 'hang', 'crash', 'abort', 'crash']) assert.equal((await ask(tools, as)).ok, false);
    assert.deepEqual(breakers.states(), { 'tool p echo': 'open' });
    assert.deepEqual(await ask(tools, 'call'), {
      ok: false,
      code: 'CHIMERA_UNREACHABLE',
      message: 'tool echo is not reachable: circuit open',
    });
    const elsewhere = await tools.perform('echo', { as: 'call' }, { ...call(), project: 'q' });
    assert.equal(elsewhere.ok, true, 'another project feels nothing');
  });

  describe('answer with JSON and nothing else', () => {
    let tools: ToolRegistry;
    before(async () => {
      tools = await load();
    });

    const bad = {
      'a date': 'INTERNAL',
      'a function': 'INTERNAL',
      'a bigint': 'INTERNAL',
      infinity: 'INTERNAL',
      'a map': 'INTERNAL',
      'an undefined item': 'INTERNAL',
      'a getter that throws': 'INTERNAL',
      'too much': 'TOO_LARGE',
      'too deep': 'TOO_LARGE',
      'more nodes than bytes are allowed': 'TOO_LARGE',
      'a circle': 'TOO_LARGE',
    };
    for (const [as, code] of Object.entries(bad))
      it(as, async () => {
        const result = await ask(tools, as);
        assert.equal(!result.ok && result.code, `CHIMERA_${code}`, JSON.stringify(result).slice(0, 200));
      });

    it('of any size and depth below the limits', async () => {
      assert.deepEqual(await ask(tools, 'nothing'), { ok: true, body: null });
      assert.deepEqual(await ask(tools, 'an undefined member'), { ok: true, body: { a: 1 } });
      for (const as of ['as much as may be', 'as deep as may be']) assert.equal((await ask(tools, as)).ok, true, as);
    });

    it('that their schema allows, wherever they ran', async () => {
      const strict = await load({ output: { type: 'object', properties: { key: { type: 'integer' } } } });
      assert.deepEqual(await ask(strict, 'call'), {
        ok: false,
        code: 'CHIMERA_INTERNAL',
        message: 'tool echo answered what its schema does not allow: /key: must be integer',
      });
      assert.deepEqual(tools.accept('remote', { id: 1 }), { ok: true, body: { id: 1 } });
      for (const forged of [{}, null, undefined, { id: 1n }, 'x', { id: '1' }])
        assert.equal(tools.accept('remote', forged).ok, false);
      assert.deepEqual(tools.accept('none', {}).ok, false);
    });
  });
});
