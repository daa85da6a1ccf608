import { strict as assert } from 'node:assert';
import type { ArtifactRef } from '../../src/contracts/records.ts';
import { openFixture, type Fixture } from './fixture.ts';

describe('stores: garbage collection', () => {
  let fixture: Fixture;
  before(async () => (fixture = await openFixture()));
  after(() => fixture.close());

  const put = (content: string): Promise<ArtifactRef> =>
    fixture.stores.artifacts.put(new TextEncoder().encode(content));

  it('removes what no row and no reachable artifact refers to, after the grace time', async () => {
    const { stores } = fixture;
    const direct = await put('a snapshot');
    const leaf = await put('named by an artifact that a row names');
    const index = await put(JSON.stringify({ parts: [leaf] }));
    const lost = await put('nobody names this');
    const island = await put(JSON.stringify({ parts: [lost] }));
    await stores.snapshots.put('default', 'e', 1, direct);
    await stores.cycles.put('other', {
      id: 'c',
      taskType: 't',
      status: 'completed',
      log: '',
      document: {},
      report: index,
    });

    const now = new Date();
    const day = 24 * 3_600_000;
    const young = await stores.gc({ now, graceMs: day, dryRun: false });
    assert.deepEqual([young.stored, young.reachable, young.spared, young.removed], [5, 3, 2, []]);

    const later = new Date(now.getTime() + 2 * day);
    const keys = [lost.key, island.key].sort();
    const dry = await stores.gc({ now: later, graceMs: day, dryRun: true });
    assert.deepEqual(
      dry.removed.map((artifact) => artifact.key),
      keys,
    );
    assert.equal(dry.bytes, lost.bytes + island.bytes);
    assert.equal(await stores.artifacts.has(lost), true);

    assert.deepEqual(
      (await stores.gc({ now: later, graceMs: day, dryRun: false })).removed.map((a) => a.key),
      keys,
    );
    assert.equal(await stores.artifacts.has(lost), false);
    for (const ref of [direct, leaf, index]) assert.equal(await stores.artifacts.has(ref), true);
    assert.deepEqual((await stores.gc({ now: later, graceMs: day, dryRun: false })).removed, []);
  });
});
