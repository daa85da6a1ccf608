import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { isChimeraError } from '../../src/contracts/errors.ts';
import type { ScoreRow, TaskRecord } from '../../src/contracts/records.ts';
import { admit, event, execution, openFixture, openStream, TYPE, type Fixture } from './fixture.ts';

const label = (value: string): { kind: 'demonstration'; value: string } => ({ kind: 'demonstration', value });

describe('stores: results', () => {
  let fixture: Fixture;
  let project: string;
  let count = 0;
  before(async () => (fixture = await openFixture()));
  after(() => fixture.close());
  beforeEach(async () => {
    project = `r${count++}`;
    await openStream(fixture.stores, project);
  });

  it('stores an execution exactly, once, and names a run that was not deterministic', async () => {
    const { executions, tasks } = fixture.stores;
    const [first, second, third] = await admit(fixture.stores, project, 3);
    assert.ok(first && second && third);
    const failed = execution(second, {
      status: 'failed',
      reason: { code: 'FUEL', message: 'out of fuel' },
      features: [],
    });
    const { output: _output, ...row } = failed;
    assert.deepEqual(await executions.putMany(project, TYPE, [execution(first), row]), { inserted: 2, divergent: [] });
    assert.deepEqual(await executions.putMany(project, TYPE, [execution(first)]), { inserted: 0, divergent: [] });
    assert.deepEqual(await executions.putMany(project, TYPE, [execution(first, { recordHash: 'other' }), row]), {
      inserted: 0,
      divergent: [first.taskId],
    });
    const stored = (await executions.range(project, TYPE, 0, 9)).map(({ storedAt: _at, ...rest }) => rest);
    assert.deepEqual(stored, [execution(first), row]);
    assert.deepEqual(
      (await executions.missing(project, TYPE, 0, 9)).map((task) => task.ordinal),
      [2],
    );
    assert.deepEqual(
      (await tasks.summaries(project, TYPE, 0, 9)).map((task) => task.state),
      ['completed', 'failed', 'accepted'],
    );
    await assert.rejects(executions.putMany(project, TYPE, [execution(third), execution(third, { taskId: 'x' })]), {
      code: 'CHIMERA_INVALID_INPUT',
    });
    assert.equal((await executions.forTask(project, third.taskId)).length, 0);
  });

  it('counts a task as executed when every role of its routing is stored', async () => {
    const { executions, tasks, feedback } = fixture.stores;
    const [accepted] = await tasks.acceptMany(project, TYPE, [{ key: 'k', payload: 1 }], {
      route: (deployment) => ({ epoch: deployment.epoch, served: 'a', shadow: 'b' }),
    });
    assert.ok(accepted);
    await feedback.addMany(project, [{ key: 'k', feedback: label('ham') }]);
    await executions.putMany(project, TYPE, [execution(accepted.task)]);
    assert.equal((await tasks.get(project, accepted.task.taskId))?.state, 'completed');
    assert.equal(await tasks.watermark(project, TYPE), 0);
    assert.equal((await executions.missing(project, TYPE, 0, 1)).length, 1);
    await executions.putMany(project, TYPE, [execution(accepted.task, { role: 'shadow', agentVersion: 'b' })]);
    assert.equal(await tasks.watermark(project, TYPE), 1);
    assert.deepEqual(
      (await executions.counts(project, TYPE)).map((row) => [row.agentVersion, row.role, row.count]),
      [
        ['a', 'served', 1],
        ['b', 'shadow', 1],
      ],
    );
  });

  it('the watermark is the first unresolved ordinal and never falls, in whatever order results come', async () => {
    type Step = { ordinal: number; what: 'run' | 'feedback' | 'comment' | 'dead' | 'redrive' };
    const steps = fc.array(
      fc.record<Step>({
        ordinal: fc.integer({ min: 0, max: 5 }),
        what: fc.constantFrom('run', 'feedback', 'comment', 'dead', 'redrive'),
      }),
      { minLength: 5, maxLength: 25 },
    );
    let run = 0;
    await fc.assert(
      fc.asyncProperty(steps, async (plan) => {
        const inside = `${project}-${run++}`;
        const { stores } = fixture;
        await openStream(stores, inside);
        const tasks = await admit(stores, inside, 6);
        const executed = new Set<number>();
        const judged = new Set<number>();
        const died = new Set<number>();
        let before = 0;
        for (const { ordinal, what } of plan) {
          const task = tasks[ordinal] as TaskRecord;
          if (what === 'run') {
            await stores.executions.putMany(inside, TYPE, [execution(task)]);
            executed.add(ordinal);
          } else if (what === 'dead') {
            await stores.deadLetters.put(inside, { ...task, code: 'WALL', reason: 'slow' });
            if (!executed.has(ordinal)) died.add(ordinal);
          } else if (what === 'redrive') {
            await stores.deadLetters.redrive(inside, [task.taskId], event('task.redriven'));
          } else {
            const feedback = what === 'comment' ? ({ kind: 'comment', value: 'hm' } as const) : label('ham');
            await stores.feedback.addMany(inside, [{ taskId: task.taskId, feedback }]);
            if (what === 'feedback') judged.add(ordinal);
          }
          const open = tasks.find((t) => !died.has(t.ordinal) && !(executed.has(t.ordinal) && judged.has(t.ordinal)));
          const watermark = await stores.tasks.watermark(inside, TYPE);
          assert.equal(watermark, open?.ordinal ?? tasks.length);
          assert.ok(watermark >= before);
          const near = await stores.tasks.watermark(inside, TYPE, { from: before, limit: 2 });
          assert.equal(near, Math.min(watermark, before + 2));
          before = watermark;
        }
      }),
      { numRuns: 12 },
    );
  });

  it('records missed feedback deadlines as an event; what comes later is late', async () => {
    const { executions, tasks, feedback, audit } = fixture.stores;
    const admitted = await admit(fixture.stores, project, 2);
    await executions.putMany(
      project,
      TYPE,
      admitted.map((task) => execution(task)),
    );
    const acceptedAt = Date.parse(admitted[0]?.acceptedAt ?? '');
    await tasks.expireFeedback(new Date(acceptedAt + 59_000));
    assert.equal(await tasks.watermark(project, TYPE), 0);
    await feedback.addMany(project, [{ key: 'k0', feedback: label('ham') }]);
    assert.ok((await tasks.expireFeedback(new Date(acceptedAt + 61_000))) >= 1);
    assert.equal(await tasks.watermark(project, TYPE), 2);
    assert.equal(await tasks.expireFeedback(new Date(acceptedAt + 62_000)), 0);
    const [late] = await feedback.addMany(project, [{ key: 'k1', feedback: label('spam') }]);
    assert.equal(late?.late, true);
    await audit.seal(project);
    const [expired] = await audit.list(project, { type: 'feedback.expired' });
    assert.deepEqual(expired?.details, { count: 1, first: 1, last: 1 });
  });

  it('joins feedback to tasks: idempotent, all unknown tasks named at once, the last demonstration wins', async () => {
    const { feedback } = fixture.stores;
    const [task] = await admit(fixture.stores, project, 2);
    assert.ok(task);
    await assert.rejects(
      feedback.addMany(project, [
        { key: 'k0', feedback: label('ham') },
        { key: 'nobody', feedback: label('ham') },
        { taskId: 'none', feedback: label('ham') },
      ]),
      (error) => {
        assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'));
        assert.deepEqual(
          error.details.problems?.map((problem) => problem.path),
          ['/1', '/2'],
        );
        return true;
      },
    );
    assert.deepEqual(await feedback.forRange(project, TYPE, 0, 9), []);
    const items = [
      { key: 'k0', feedback: label('ham') },
      { taskId: task.taskId, feedback: label('spam') },
      { key: 'k1', id: 'mine', feedback: { kind: 'number', value: 0.5 } as const },
    ];
    const stored = await feedback.addMany(project, items);
    assert.deepEqual(await feedback.addMany(project, items), stored);
    assert.deepEqual(
      stored.map((row) => row.feedback),
      items.map((item) => item.feedback),
    );
    assert.deepEqual((await feedback.forTask(project, task.taskId)).length, 2);
    assert.deepEqual(await feedback.demonstrations(project, TYPE, 0, 9), [
      { taskId: task.taskId, ordinal: 0, value: 'spam', late: false },
    ]);
    await assert.rejects(feedback.addMany(project, [{ key: 'k1', id: 'mine', feedback: label('x') }]), {
      code: 'CHIMERA_CONFLICT',
    });
  });

  it('scores a task once a version, for ever, and pairs two versions in order', async () => {
    const { scores } = fixture.stores;
    const score = (ordinal: number, agentVersion: string, over: Partial<ScoreRow> = {}): ScoreRow => ({
      ...{ taskId: `t${ordinal}`, ordinal, agentVersion, role: 'served', score: 0.1 + 0.2, correct: true },
      ...over,
    });
    const rows = [
      score(2, 'b'),
      score(0, 'a', { predicted: 'ham', expected: 'spam' }),
      score(2, 'a'),
      score(0, 'b'),
      score(1, 'a'),
    ];
    assert.deepEqual(await scores.putMany(project, TYPE, rows), { inserted: 5 });
    assert.deepEqual(await scores.putMany(project, TYPE, [score(2, 'b', { score: 9 })]), { inserted: 0 });
    assert.deepEqual(await scores.range(project, TYPE, 0, 9, 'a'), [rows[1], rows[4], rows[2]]);
    const pairs = await scores.pairs(project, TYPE, 0, 9, 'b', 'a');
    assert.deepEqual(
      pairs.map((pair) => [pair.ordinal, pair.champion.agentVersion, pair.challenger.agentVersion]),
      [
        [0, 'b', 'a'],
        [2, 'b', 'a'],
      ],
    );
    assert.equal(pairs[1]?.champion.score, 0.1 + 0.2);
  });

  it('keeps dead letters until they are driven again', async () => {
    const { deadLetters, tasks, audit } = fixture.stores;
    const [first, second] = await admit(fixture.stores, project, 2);
    assert.ok(first && second);
    await tasks.markDispatched(project, [first.taskId, second.taskId]);
    for (const task of [first, second, first])
      await deadLetters.put(project, { ...task, code: 'WALL', reason: 'slow' });
    assert.deepEqual(
      (await deadLetters.list(project)).map((letter) => letter.taskId).sort(),
      [first.taskId, second.taskId].sort(),
    );
    assert.equal(await tasks.watermark(project, TYPE), 2);
    assert.deepEqual(await deadLetters.redrive(project, [first.taskId], event('task.redriven')), [first.taskId]);
    assert.deepEqual(await deadLetters.redrive(project, [first.taskId], event('task.redriven')), []);
    assert.deepEqual(
      (await tasks.undispatched(1000)).filter((t) => t.project === project).map((t) => t.ordinal),
      [0],
    );
    assert.equal((await tasks.get(project, first.taskId))?.state, 'accepted');
    assert.deepEqual(await deadLetters.redrive(project, undefined, event('task.redriven')), [second.taskId]);
    assert.deepEqual(await deadLetters.list(project), []);
    await audit.seal(project);
    assert.equal((await audit.list(project, { type: 'task.redriven' })).length, 2);
  });

  it('stores thousands of executions a second into tables without statistics', async () => {
    const tasks = await admit(fixture.stores, project, 4000);
    const rows = tasks.map((task) => execution(task, { features: Array.from({ length: 16 }, (_, i) => i / 7) }));
    const started = performance.now();
    for (let i = 0; i < rows.length; i += 1000)
      await fixture.stores.executions.putMany(project, TYPE, rows.slice(i, i + 1000));
    const perSecond = (1000 * rows.length) / (performance.now() - started);
    // An idle machine of two cores does 10,000; a join planned on wrong statistics does 300.
    assert.ok(perSecond > 2500, `${Math.round(perSecond)} rows/s`);
    if (process.env['CHIMERA_TEST_FIGURES']) console.log(`      ${Math.round(perSecond)} executions/s`);
  }).timeout(30_000);
});
