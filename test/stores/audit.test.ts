import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import pg from 'pg';
import { isChimeraError } from '../../src/contracts/errors.ts';
import { event, openFixture, type Fixture } from './fixture.ts';

describe('stores: audit', () => {
  let fixture: Fixture;
  let project: string;
  let count = 0;
  before(async () => (fixture = await openFixture()));
  after(() => fixture.close());
  beforeEach(() => {
    project = `audit${count++}`;
  });

  async function client(): Promise<pg.Client> {
    const made = new pg.Client({ connectionString: fixture.url });
    await made.connect();
    return made;
  }

  const insert = (on: pg.Client, into: string, type: string): Promise<unknown> =>
    on.query(`INSERT INTO audit_events (project, type, actor, subject, details) VALUES ($1, $2, 'test', 's', '{}')`, [
      into,
      type,
    ]);

  it('chains events in a gapless order and verifies them', async () => {
    const { audit } = fixture.stores;
    for (const i of [1, 2, 3]) await audit.append(project, event(`e${i}`, { i, text: 'ü' }));
    await audit.append(project, event('once'), { id: 'x' });
    await audit.append(project, event('once'), { id: 'x' });
    assert.equal(await audit.seal(project), 4);
    assert.equal(await audit.seal(project), 0);
    const list = await audit.list(project);
    assert.deepEqual(
      list.map((entry) => [entry.seq, entry.type]),
      [
        [1, 'e1'],
        [2, 'e2'],
        [3, 'e3'],
        [4, 'once'],
      ],
    );
    assert.equal(list[1]?.previousHash, list[0]?.hash);
    assert.deepEqual(await audit.verify(project), { entries: 4, head: list[3]?.hash });
    assert.deepEqual(await audit.verify('empty'), { entries: 0, head: '0'.repeat(64) });
  });

  it('seals nothing of, and nothing after, a transaction that is still open', async () => {
    const { audit } = fixture.stores;
    const slow = await client();
    await slow.query('BEGIN');
    await insert(slow, project, 'slow');
    await audit.append(project, event('quick'));
    assert.equal(await audit.seal(project), 0);
    await slow.query('COMMIT');
    assert.equal(await audit.seal(project), 2);
    assert.deepEqual(
      (await audit.list(project)).map((entry) => entry.type),
      ['slow', 'quick'],
    );
    await slow.end();
  });

  it('holds under concurrent appends that commit or roll back in any order, with sealers at work', async () => {
    const clients = await Promise.all([client(), client(), client(), client()]);
    const plan = fc.array(
      fc.record({ who: fc.integer({ min: 0, max: 3 }), what: fc.constantFrom('append', 'commit', 'rollback', 'seal') }),
      { minLength: 10, maxLength: 60 },
    );
    let run = 0;
    try {
      await fc.assert(
        fc.asyncProperty(plan, async (steps) => {
          const inside = `${project}-${run++}`;
          const pending = clients.map((): string[] => []);
          const committed: string[] = [];
          const open = clients.map(() => false);
          const end = async (who: number, how: string): Promise<void> => {
            if (open[who]) await (clients[who] as pg.Client).query(how);
            open[who] = false;
            if (how === 'COMMIT') committed.push(...(pending[who] ?? []));
            pending[who] = [];
          };
          let sealedBefore: string[] = [];
          const seal = async (): Promise<void> => {
            await Promise.all([fixture.stores.audit.seal(inside), fixture.stores.audit.seal(inside)]);
            const now = (await fixture.stores.audit.list(inside)).map((entry) => entry.type);
            assert.deepEqual(now.slice(0, sealedBefore.length), sealedBefore);
            sealedBefore = now;
          };
          for (const [i, { who, what }] of steps.entries()) {
            if (what === 'seal') await seal();
            else if (what === 'commit') await end(who, 'COMMIT');
            else if (what === 'rollback') await end(who, 'ROLLBACK');
            else {
              const on = clients[who] as pg.Client;
              if (!open[who]) await on.query('BEGIN');
              open[who] = true;
              await insert(on, inside, `e${i}`);
              pending[who]?.push(`e${i}`);
            }
          }
          for (const who of clients.keys()) await end(who, 'COMMIT');
          await seal();
          assert.deepEqual([...sealedBefore].sort(), [...committed].sort());
          assert.equal((await fixture.stores.audit.verify(inside)).entries, committed.length);
        }),
        { numRuns: 20 },
      );
    } finally {
      await Promise.all(clients.map((one) => one.end()));
    }
  });

  it('forbids changes, and finds them where somebody got around that', async () => {
    const { audit } = fixture.stores;
    for (let i = 0; i < 5; i++) await audit.append(project, event(`e${i}`));
    await audit.seal(project);
    const { head } = await audit.verify(project);
    const admin = await client();
    const where = `WHERE project = '${project}'`;
    const forbidden = [
      `UPDATE audit_events SET type = 'x' ${where} AND seq = 2`,
      `UPDATE audit_events SET hash = 'x' ${where} AND seq = 2`,
      `DELETE FROM audit_events ${where} AND seq = 2`,
      'TRUNCATE audit_events',
    ];
    for (const sql of forbidden) await assert.rejects(admin.query(sql), /audit events are never/);
    await audit.append(project, event('unsealed'));
    await assert.rejects(
      admin.query(`UPDATE audit_events SET details = '{}', actor = 'x' ${where} AND seq IS NULL`),
      /never changed/,
    );

    const broken = async (seq: number): Promise<void> =>
      assert.rejects(audit.verify(project), (error) => {
        assert.ok(isChimeraError(error, 'CHIMERA_CHAIN_BROKEN'));
        assert.equal(error.details['seq'], seq);
        return true;
      });
    const tampering: [string, number][] = [
      [`UPDATE audit_events SET details = '{"a":1}' ${where} AND seq = 2`, 2],
      [`UPDATE audit_events SET at = at + interval '1 s' ${where} AND seq = 4`, 4],
      [`DELETE FROM audit_events ${where} AND seq = 3`, 3],
      [`DELETE FROM audit_events ${where} AND seq = 5`, 5],
      [`UPDATE audit_chains SET seq = 4 ${where}`, 4],
      [`UPDATE audit_chains SET seq = 4, hash = (SELECT hash FROM audit_events ${where} AND seq = 4) ${where}`, 5],
    ];
    for (const [sql, seq] of tampering) {
      await admin.query('CREATE TEMP TABLE kept AS SELECT * FROM audit_events');
      const chains = await admin.query<{ seq: number; hash: string }>(`SELECT seq, hash FROM audit_chains ${where}`);
      await admin.query(`SET session_replication_role = replica`);
      await admin.query(sql);
      await broken(seq);
      await admin.query(`DELETE FROM audit_events`);
      await admin.query(`INSERT INTO audit_events OVERRIDING SYSTEM VALUE SELECT * FROM kept`);
      await admin.query(`UPDATE audit_chains SET seq = $1, hash = $2 ${where}`, [
        chains.rows[0]?.seq,
        chains.rows[0]?.hash,
      ]);
      await admin.query('DROP TABLE kept');
      await admin.query('RESET session_replication_role');
      assert.deepEqual(await audit.verify(project), { entries: 5, head });
    }
    await admin.end();
  });
});
