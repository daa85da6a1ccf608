import assert from 'node:assert/strict';
import { mailTriage } from '../../examples/mail-triage/task-type.ts';
import { baselineGenome } from '../../examples/mail-triage/baseline.ts';
import type { TaskResult } from '../../src/activities/task-outcome.ts';
import type { TaskTypeDocument } from '../../src/stores/index.ts';
import { answering } from '../fabric/agents.ts';
import { failureOf, sharedPlatform, type TestPlatform } from '../helpers/platform.ts';
import { HOSTILE } from '../security/hostile-modules.ts';
import { notes, openScene, RIGHT, type Scene } from '../workflows/scene.ts';

describe('agents and mails that mean harm, through executeTask', () => {
  let platform: TestPlatform;
  let healthy: Scene;

  before(async () => {
    platform = await sharedPlatform();
    healthy = await openScene(platform, RIGHT);
  });

  let served = 0;
  /** One more task of somebody else is served as ever. */
  async function stackIsHealthy(): Promise<void> {
    const [note] = notes(1, { from: served });
    const [task] = await healthy.admit([note!.payload], { prefix: `healthy-${served++}` });
    const input = { project: healthy.project, taskId: task!.taskId };
    const result = await platform.execute<TaskResult>('taskWorkflow', input);
    assert.equal((result.output as { label: string }).label, note!.expected.label);
  }

  async function runOn(scene: Scene, payload: Record<string, string>): Promise<TaskResult> {
    const [task] = await scene.admit([payload], { prefix: `h${served}` });
    return platform.execute('taskWorkflow', { project: scene.project, taskId: task!.taskId });
  }

  const module = (name: string): Uint8Array => HOSTILE.find((entry) => entry.name === name)!.module();
  const cases: [what: string, module: () => Uint8Array, reason: string][] = [
    ['loops for ever', () => module('an endless loop'), 'out-of-fuel'],
    ['eats memory for ever', () => module('memory grown for ever'), 'out-of-fuel'],
    [
      'asks for more memory than it may have',
      () => module('memory grown to the cap, then one page more'),
      'unreachable',
    ],
    ['calls itself for ever', () => module('mutual recursion without end'), 'stack-depth'],
    ['answers what is no JSON', () => module('an output that is not JSON'), 'bad-output'],
    ['breaks the schema of the output', () => answering('{"label":"neither"}'), 'bad-output'],
    ['answers without end', () => module('an output flood'), 'output-too-large'],
    ['lies about where its answer is', () => module('a result pointer outside of memory'), 'bad-outcome'],
  ];
  for (const [what, make, reason] of cases) {
    it(`an agent that ${what} is a failed execution: ${reason}`, async () => {
      const scene = await openScene(platform, make());
      const result = await runOn(scene, { text: 'a note' });
      assert.equal(result.status, 'failed');
      assert.equal(result.reason?.code, reason);
      assert.ok(result.reason.message.length > 0);
      assert.equal(result.output, undefined);
      const [row] = await platform.stores.executions.forTask(scene.project, result.taskId);
      assert.deepEqual(row?.reason, result.reason);
      assert.equal((await platform.stores.tasks.get(scene.project, result.taskId))?.state, 'failed');
      assert.deepEqual(await platform.stores.deadLetters.list(scene.project), []);
      await stackIsHealthy();
    });
  }

  it('a module that was never published is a dead letter that says why it is refused', async () => {
    const scene = await openScene(platform, new TextEncoder().encode('not a module'));
    const [task] = await scene.admit([{ text: 'a note' }]);
    const handle = await platform.start('taskWorkflow', { project: scene.project, taskId: task!.taskId });
    const { code, message } = await failureOf(handle);
    assert.equal(code, 'CHIMERA_AGENT_REFUSED');
    const [letter] = await platform.stores.deadLetters.list(scene.project);
    assert.deepEqual([letter?.code, letter?.reason], [code, message]);
    await stackIsHealthy();
  });

  it('a mail that is none is a failed execution, a broken one is answered', async () => {
    const scene = await openScene(platform, baselineGenome, { type: mailTriage });
    const { stores } = platform;
    assert.ok((await stores.taskTypes.get<TaskTypeDocument>(scene.project, mailTriage.name)) !== undefined);
    for (const raw of ['just words', '\u0000\u0001\u0002', '%PDF-1.7\n%\u00e2\u00e3\n', '{"json": true}']) {
      const result = await runOn(scene, { raw });
      assert.equal(result.status, 'failed', raw);
      assert.equal(result.reason?.code, 'not-prepared');
      assert.match(result.reason.message, /the mail is not valid/);
      served++;
    }
    const deep = 'Content-Type: multipart/mixed; boundary=x\n\n--x\n'.repeat(2000);
    for (const raw of [
      'Subject: =?utf-8?B?////?=\nContent-Type: text/html; charset=klingon\n\n<p>free <b>cash',
      `From: a@example\nSubject: deep\n${deep}`,
      `Subject: ${'x'.repeat(200_000)}\n\nend`,
    ]) {
      const result = await runOn(scene, { raw });
      served++;
      assert.ok(result.status === 'completed' || result.reason?.code === 'not-prepared', JSON.stringify(result));
    }
    await stackIsHealthy();
  });
});
