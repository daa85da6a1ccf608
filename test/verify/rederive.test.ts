import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { rederive } from '../../src/verify/rederive.ts';
import type { Check } from '../../src/verify/check.ts';
import { promotedRun, type PromotedRun } from './promoted-run.ts';

describe('verify: everything that is stored is derived again', function () {
  this.timeout(120_000);
  let run: PromotedRun;

  before(async () => {
    run = await promotedRun();
  });

  const sql = async (statement: string, values: unknown[] = []): Promise<Record<string, unknown>[]> => {
    const client = new pg.Client({ connectionString: run.databaseUrl });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(statement, values)).rows;
    } finally {
      await client.end();
    }
  };
  const differing = (checks: readonly Check[]): string[] =>
    checks.filter(({ differing: count }) => count > 0).map(({ what }) => what);

  /** Changes something, expects these checks to differ, and changes it back. */
  const tampered = async (
    change: () => Promise<unknown>,
    restore: () => Promise<unknown>,
    expected: readonly string[],
    subject: RegExp,
  ): Promise<void> => {
    await change();
    try {
      const checks = await rederive(run.deps, { fast: true });
      assert.deepEqual(differing(checks), expected);
      const first = checks.find((check) => check.differing > 0)!.differences[0]!;
      assert.match(first.subject, subject);
      assert.notEqual(first.stored, first.derived);
    } finally {
      await restore();
    }
  };

  it('holds on a run that promoted, agents run again', async () => {
    const told: string[] = [];
    const checks = await rederive(run.deps, { onCheck: ({ what }) => told.push(what) });
    assert.deepEqual(
      checks.flatMap((check) => check.differences),
      [],
    );
    const counts = Object.fromEntries(checks.map(({ what, count }) => [what, count]));
    assert.deepEqual(
      told,
      checks.map(({ what }) => what),
    );
    assert.ok(counts['artifacts']! > 10);
    assert.ok(counts['routing of words tasks']! >= 290);
    assert.ok(counts['executions of words tasks']! > counts['routing of words tasks']!, 'both versions of a rollout');
    assert.equal(counts['scores of words tasks'], counts['executions of words tasks']);
    assert.equal(counts['datasets'], 1);
    assert.equal(counts['models'], 1);
    assert.equal(counts['experiments'], 1);
    assert.equal(counts['judgements of finalists'], 1);
    assert.equal(counts['rollouts of words'], 2, 'the decision, and the champion it made');
    assert.ok(counts['agent versions']! >= 2);
  });

  it('holds for what one version came from', async () => {
    const agent = await run.stores.agents.require('default', run.champion);
    const checks = await rederive(run.deps, { agent, fast: true });
    assert.deepEqual(differing(checks), []);
    assert.equal(checks.find(({ what }) => what === 'agent versions')?.count, 2, 'itself and its parent');
    assert.equal(checks.find(({ what }) => what === 'experiments')?.note, 'from the stored evaluations');
  });

  it('finds a score that was changed, and what no longer follows from it', async () => {
    // A task that the challenger fixed.
    const [fixed] = await sql(
      `SELECT min(a.ordinal) AS ordinal FROM scores a JOIN scores b ON a.ordinal = b.ordinal
       WHERE a.agent_version = $1 AND a.correct AND NOT b.correct`,
      [run.champion],
    );
    const flip = (): Promise<unknown> =>
      sql('UPDATE scores SET correct = NOT correct, score = 1 - score WHERE ordinal = $1 AND agent_version = $2', [
        fixed!['ordinal'],
        run.champion,
      ]);
    await tampered(
      flip,
      flip,
      ['scores of words tasks', 'KPI windows of words', 'rollouts of words'],
      /^score \d+ of version/,
    );
  });

  it('finds a routing that was changed', async () => {
    const [row] = await sql('SELECT served FROM tasks WHERE ordinal = 7');
    await tampered(
      () => sql('UPDATE tasks SET served = $1 WHERE ordinal = 7', [run.champion]),
      () => sql('UPDATE tasks SET served = $1 WHERE ordinal = 7', [row!['served']]),
      ['routing of words tasks'],
      /^task 7$/,
    );
  });

  it('finds a byte of an artifact that was changed', async () => {
    const [model] = await run.stores.models.list('default');
    const file = join(run.artifactsPath, model!.artifact.key);
    const bytes = readFileSync(file);
    const flipped = Uint8Array.from(bytes, (byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte));
    await tampered(
      () => Promise.resolve(writeFileSync(file, flipped)),
      () => Promise.resolve(writeFileSync(file, bytes)),
      ['artifacts', 'experiments'],
      /^model words, artifact /,
    );
  });

  it('finds a candidate, a decision and a label that were changed', async () => {
    const [candidate] = await sql(`SELECT id, quality FROM candidates WHERE generation = 1 ORDER BY index LIMIT 1`);
    await tampered(
      () => sql('UPDATE candidates SET quality = quality - 0.25 WHERE id = $1', [candidate!['id']]),
      () => sql('UPDATE candidates SET quality = $2 WHERE id = $1', [candidate!['id'], candidate!['quality']]),
      ['experiments'],
      /^experiment \w+: candidate /,
    );
    const [rollout] = await sql('SELECT id, document FROM rollouts');
    const document = JSON.parse(String(rollout!['document'])) as { decisionHash: string };
    await tampered(
      () => sql('UPDATE rollouts SET document = $1', [JSON.stringify({ ...document, decisionHash: '0'.repeat(64) })]),
      () => sql('UPDATE rollouts SET document = $1', [rollout!['document']]),
      ['rollouts of words'],
      /^rollout /,
    );
    const [feedback] = await sql('SELECT value FROM feedback WHERE ordinal = 3');
    const { label } = JSON.parse(String(feedback!['value'])) as { label: string };
    await tampered(
      () =>
        sql('UPDATE feedback SET value = $1 WHERE ordinal = 3', [
          JSON.stringify({ label: label === 'urgent' ? 'routine' : 'urgent' }),
        ]),
      () => sql('UPDATE feedback SET value = $1 WHERE ordinal = 3', [feedback!['value']]),
      ['scores of words tasks', 'datasets'],
      /^score 3 of version/,
    );
  });
});
