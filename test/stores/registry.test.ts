import { strict as assert } from 'node:assert';
import type { Publication } from '../../src/contracts/agents.ts';
import type { AgentVersion, ArtifactRef, ModelRecord } from '../../src/contracts/records.ts';
import { event, openFixture, openStream, TYPE, type Fixture } from './fixture.ts';

const artifact = (sha256: string): ArtifactRef => ({
  bucket: 'local',
  key: `sha256/${sha256.slice(0, 2)}/${sha256}`,
  sha256,
  bytes: 1,
});

const agent = (id: string, models: Record<string, string> = {}): Omit<AgentVersion, 'project'> => ({
  id,
  agent: 'keyword',
  module: artifact('a'.repeat(64)),
  manifest: { abi: 'chimera:agent@1', description: id, capabilities: ['infer'], models, limits: {}, engine: 'any' },
  parents: [],
});

const model = (id: string): Omit<ModelRecord, 'project'> => ({
  ...{ id, name: 'word-lr', taskType: TYPE, artifact: artifact('b'.repeat(64)), price: 1, dataset: 'd' },
  spec: {},
  report: { accuracy: 0.9 },
});

describe('stores: registry', () => {
  let fixture: Fixture;
  let project: string;
  let count = 0;
  before(async () => (fixture = await openFixture()));
  after(() => fixture.close());
  beforeEach(async () => {
    project = `g${count++}`;
    await openStream(fixture.stores, project);
  });

  const types = async (): Promise<string[]> => {
    await fixture.stores.audit.seal(project);
    return (await fixture.stores.audit.list(project))
      .map((entry) => entry.type)
      .filter((t) => t !== 'deployment.initial');
  };
  const next = (champion: string): { champion: string; stage: 'full'; share: number; reason: string } => ({
    ...{ champion, stage: 'full', share: 0, reason: 'better' },
  });

  it('one of many that advance the same epoch wins; its decision again is the same deployment', async () => {
    const { deployments } = fixture.stores;
    const tries = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) =>
        deployments.advance(project, TYPE, 0, next(`v${i}`), {
          decisionId: `d${i}`,
          audit: event('deployment.promoted'),
        }),
      ),
    );
    const won = tries.flatMap((t) => (t.status === 'fulfilled' ? [t.value] : []));
    const lost = tries.flatMap((t) => (t.status === 'rejected' ? [(t.reason as { code: string }).code] : []));
    assert.equal(won.length, 1);
    assert.deepEqual(lost, Array(7).fill('CHIMERA_EPOCH_CONFLICT'));
    const decisionId = `d${tries.findIndex((t) => t.status === 'fulfilled')}`;
    const again = await deployments.advance(project, TYPE, 0, next('x'), {
      decisionId,
      audit: event('deployment.promoted'),
    });
    assert.deepEqual(again, won[0]);
    assert.deepEqual(await types(), ['deployment.promoted']);
    assert.deepEqual(
      (await deployments.history(project, TYPE)).map((d) => d.epoch),
      [0, 1],
    );
    assert.deepEqual(await deployments.current(project, TYPE), won[0]);
    assert.equal((await deployments.initial(project, TYPE, 'a', event('deployment.initial'))).epoch, 0);
    await assert.rejects(deployments.initial(project, TYPE, 'b', event('x')), { code: 'CHIMERA_EPOCH_CONFLICT' });
  });

  it('keeps agent versions and models once, with one audit event, and knows the active models', async () => {
    const { agents, models, deployments } = fixture.stores;
    const stored = await agents.putVersion(project, agent('v1', { m: 'm1' }), event('agent.published'));
    assert.deepEqual(stored, { ...agent('v1', { m: 'm1' }), project });
    await agents.putVersion(project, agent('v1', { m: 'm1' }), event('agent.published'));
    await agents.putVersion(project, agent('v0'));
    assert.deepEqual(
      (await agents.versionsOf(project, 'keyword')).map((version) => version.id),
      ['v1', 'v0'],
    );
    assert.deepEqual(await agents.list(project), [{ agent: 'keyword', versions: 2, latest: 'v0' }]);
    await assert.rejects(agents.require(project, 'none'), { code: 'CHIMERA_NOT_FOUND' });
    for (const id of ['m1', 'm2', 'm1']) await models.put(project, model(id), event('model.registered'));
    assert.deepEqual(
      (await models.list(project, { dataset: 'd' })).map((m) => m.id),
      ['m1', 'm2'],
    );
    assert.deepEqual(await models.active(project), []);
    await deployments.advance(project, TYPE, 0, next('v1'), { decisionId: 'd', audit: event('deployment.promoted') });
    assert.deepEqual(await models.active(project, TYPE), [{ ...model('m1'), project }]);
    assert.deepEqual(await types(), ['agent.published', 'model.registered', 'model.registered', 'deployment.promoted']);
  });

  it('keeps how a version was published, and finds it by ID, name or beginning', async () => {
    const { agents } = fixture.stores;
    const smoke = { input: 'empty' as const, ok: true, fuel: 7 };
    const publication = { by: 'me', smoke } as Publication;
    await agents.putVersion(project, agent('aa1'), undefined, publication);
    await agents.putVersion(project, agent('aa1'), undefined, { ...publication, by: 'another' });
    await agents.putVersion(project, agent('aa2'));
    const [first, second] = await agents.records(project, 'keyword');
    assert.deepEqual([first!.publication, second!.publication], [publication, undefined]);
    assert.match(first!.publishedAt!, /^\d{4}-\d\d-\d\dT/);
    assert.deepEqual(await agents.find(project, 'aa1'), first);
    assert.equal((await agents.find(project, 'keyword')).id, 'aa2');
    await agents.putVersion(project, { ...agent('keyword'), agent: 'other' });
    assert.equal((await agents.find(project, 'keyword')).agent, 'other', 'an ID before a name');
    assert.equal((await agents.find(project, 'key')).id, 'keyword');
    await assert.rejects(agents.find(project, 'aa'), { code: 'CHIMERA_INVALID_INPUT', message: /2 versions begin so/ });
    await assert.rejects(agents.find(project, 'zz'), { code: 'CHIMERA_NOT_FOUND', message: /other: is a known agent/ });
    await assert.rejects(agents.find('elsewhere', 'aa1'), { code: 'CHIMERA_NOT_FOUND' });
  });

  it('numbers data sets without a gap, the same content once', async () => {
    const { datasets } = fixture.stores;
    const put = (id: string): ReturnType<typeof datasets.put> =>
      datasets.put(
        project,
        {
          ...{ id, taskType: TYPE, artifact: artifact('c'.repeat(64)), uptoOrdinal: 9, datasheet: {} },
          counts: { train: 1, validation: 0, test: 0 },
        },
        event('dataset.created'),
      );
    const made = await Promise.all(['x', 'y', 'x', 'z', 'y'].map(put));
    assert.deepEqual([...new Set(made.map((d) => d.version))].sort(), [1, 2, 3]);
    assert.deepEqual(made[0], made[2]);
    assert.equal((await datasets.latest(project, TYPE))?.version, 3);
    assert.deepEqual(
      (await datasets.list(project, TYPE)).map((d) => d.version),
      [1, 2, 3],
    );
    assert.equal((await types()).length, 3);
  });

  it('keeps experiments, lineage, evaluations and snapshots; the first content of a name wins', async () => {
    const { experiments, candidates, evaluations, snapshots } = fixture.stores;
    await experiments.put(project, { id: 'e', taskType: TYPE, document: { seed: 's' } });
    await experiments.updateStatus(project, 'e', 'completed', { seed: 's', best: 'c1' });
    const again = await experiments.put(project, { id: 'e', taskType: TYPE, document: {} });
    assert.deepEqual([again.status, again.document], ['completed', { seed: 's', best: 'c1' }]);
    await assert.rejects(experiments.updateStatus(project, 'none', 'failed'), { code: 'CHIMERA_NOT_FOUND' });

    const row = (id: string, generation: number, index: number, parents: string[]) => ({
      ...{ id, generation, index, parents, operator: 'mutate', genomeHash: `h${id}`, quality: 0.1 + 0.2, cost: 3 },
      document: { id },
    });
    const rows = [row('c2', 1, 0, ['c0', 'c1']), row('c1', 0, 1, []), row('c0', 0, 0, [])];
    await candidates.putMany(project, 'e', rows);
    await candidates.putMany(project, 'e', rows);
    assert.deepEqual(await candidates.list(project, 'e'), [rows[2], rows[1], rows[0]]);
    assert.deepEqual(await candidates.list(project, 'e', { generation: 1 }), [rows[0]]);

    assert.deepEqual(await evaluations.putMany(project, 'data', [{ subject: 'g1', document: { q: 1 } }]), {
      inserted: 1,
    });
    assert.deepEqual(await evaluations.putMany(project, 'data', [{ subject: 'g1', document: { q: 2 } }]), {
      inserted: 0,
    });
    assert.deepEqual(await evaluations.getMany(project, 'data', ['g1', 'g2']), new Map([['g1', { q: 1 }]]));

    await snapshots.put(project, 'e', 1, artifact('1'.repeat(64)));
    await snapshots.put(project, 'e', 10, artifact('2'.repeat(64)));
    await snapshots.put(project, 'e', 10, artifact('3'.repeat(64)));
    assert.deepEqual(await snapshots.latest(project, 'e'), { step: 10, artifact: artifact('2'.repeat(64)) });
    assert.equal(await snapshots.get(project, 'e', 2), undefined);
    assert.deepEqual(await snapshots.latest(project, 'e', 9), { step: 1, artifact: artifact('1'.repeat(64)) });
    assert.equal(await snapshots.latest(project, 'e', 0), undefined);
    await snapshots.put(project, 'other', 1, artifact('1'.repeat(64)));
    await snapshots.prune(project, 'e', 1);
    assert.equal(await snapshots.get(project, 'e', 1), undefined);
    assert.equal((await snapshots.latest(project, 'e'))?.step, 10);
    await snapshots.prune(project, 'e', 0);
    assert.equal(await snapshots.latest(project, 'e'), undefined);
    assert.equal((await snapshots.latest(project, 'other'))?.step, 1);
  });

  it('moves a rollout by compare-and-set and decides it once', async () => {
    const { rollouts } = fixture.stores;
    const start = { id: 'r', taskType: TYPE, champion: 'a', challenger: 'b', state: 'shadow', document: { n: 0 } };
    const created = await rollouts.create(project, start, event('rollout.started'));
    assert.deepEqual(await rollouts.create(project, { ...start, state: 'x' }, event('rollout.started')), created);
    const tries = await Promise.allSettled(
      [1, 2, 3].map((n) => rollouts.compareAndSet(project, 'r', 0, { state: 'canary', document: { n } })),
    );
    const won = tries.flatMap((t) => (t.status === 'fulfilled' ? [t.value] : []));
    assert.equal(won.length, 1);
    assert.equal(won[0]?.revision, 1);
    const decision = { state: 'promoted', document: { n: 9 } };
    const decided = await rollouts.decide(project, 'r', decision, event('rollout.decided'));
    assert.deepEqual(await rollouts.decide(project, 'r', decision, event('rollout.decided')), decided);
    await assert.rejects(rollouts.decide(project, 'r', { state: 'rolled-back', document: {} }, event('x')), {
      code: 'CHIMERA_CONFLICT',
    });
    await assert.rejects(rollouts.compareAndSet(project, 'r', 2, { state: 'canary', document: {} }), {
      code: 'CHIMERA_CONFLICT',
    });
    assert.deepEqual(await types(), ['rollout.started', 'rollout.decided']);
  });

  it('keeps what models of providers used, each call once, the newest in the order in which they came', async () => {
    const { usage } = fixture.stores;
    const entry = {
      ...{ usageId: 'b', provider: 'vendor', model: 'talker', task: 'generation', caller: 'ci' },
      ...{ promptTokens: 12, completionTokens: 3, cost: 0.5, estimated: false },
    };
    await usage.put(project, entry);
    await usage.put(project, { ...entry, cost: 99 });
    await usage.put(project, { ...entry, usageId: 'a', estimated: true, promptTokens: 2 ** 40 });
    await usage.put(project, { ...entry, usageId: 'c', model: 'embedder', completionTokens: 0 });
    await usage.put(`${project}-other`, entry);
    const [first, ...others] = await usage.list(project);
    const { at, ...stored } = first!;
    assert.deepEqual(stored, entry);
    assert.match(at, /^\d{4}-.*Z$/);
    assert.deepEqual(
      others.map(({ usageId }) => usageId),
      ['a', 'c'],
    );
    assert.deepEqual(
      (await usage.list(project, 2)).map(({ usageId }) => usageId),
      ['a', 'c'],
    );
    const common = { provider: 'vendor', completionTokens: 0, promptTokens: 12, cost: 0.5, calls: 1, estimated: 0 };
    assert.deepEqual(await usage.sum(project), [
      { ...common, model: 'embedder' },
      {
        ...common,
        ...{ model: 'talker', calls: 2, estimated: 1, promptTokens: 12 + 2 ** 40, completionTokens: 6, cost: 1 },
      },
    ]);
    assert.deepEqual(await usage.sum('nobody'), []);
  });

  it('keeps cycles, the ledger, windows, the monitor and drift', async () => {
    const { cycles, ledger, kpi } = fixture.stores;
    const cycle = { id: 'c', taskType: TYPE, status: 'running', log: 'begun', document: {} } as const;
    await cycles.put(project, cycle, event('cycle.begun'));
    await cycles.put(project, cycle, event('cycle.begun'));
    const done = { ...cycle, status: 'completed', report: artifact('d'.repeat(64)) } as const;
    assert.deepEqual((await cycles.put(project, done, event('cycle.completed'))).report, done.report);
    assert.deepEqual(await types(), ['cycle.begun', 'cycle.completed']);
    assert.equal((await cycles.list(project)).length, 1);

    const entry = { leaseId: 'l', deviceClass: 'cpu', holder: 'w', purpose: 'training', seconds: 1.5, cost: 0.25 };
    await ledger.put(project, entry);
    await ledger.put(project, entry);
    await ledger.put(project, { ...entry, leaseId: 'm' });
    assert.deepEqual(await ledger.sum(project), [{ deviceClass: 'cpu', seconds: 3, cost: 0.5, leases: 2 }]);

    const window = { agentVersion: 'a', fromOrdinal: 0, toOrdinal: 5, values: { accuracy: 0.5 } };
    await kpi.putWindows(project, TYPE, [window, { ...window, fromOrdinal: 10, toOrdinal: 20 }]);
    await kpi.putWindows(project, TYPE, [{ ...window, toOrdinal: 10, values: { accuracy: 1 } }]);
    assert.deepEqual(
      (await kpi.windows(project, TYPE)).map((w) => [w.fromOrdinal, w.toOrdinal]),
      [
        [0, 10],
        [10, 20],
      ],
    );

    const drift = { ordinal: 7, detector: 'adwin', details: { p: 0.01 } };
    const moves = await Promise.all(
      [1, 2, 3].map((n) =>
        kpi.compareAndSetMonitor(project, TYPE, undefined, { consumedTo: n, state: { n } }, [drift]),
      ),
    );
    assert.equal(moves.filter(Boolean).length, 1);
    const state = await kpi.monitor(project, TYPE);
    assert.ok(state);
    assert.equal(await kpi.compareAndSetMonitor(project, TYPE, undefined, state), true);
    assert.equal(await kpi.compareAndSetMonitor(project, TYPE, 99, { consumedTo: 100, state: null }), false);
    assert.equal(
      await kpi.compareAndSetMonitor(project, TYPE, state.consumedTo, { consumedTo: 100, state: null }),
      true,
    );
    assert.deepEqual(
      (await kpi.driftEvents(project, TYPE)).map(({ at: _at, ...rest }) => rest),
      [drift],
    );
  });

  it('knows projects, keys and task types', async () => {
    const { projects, apiKeys, taskTypes } = fixture.stores;
    await projects.ensure(project);
    assert.ok((await projects.list()).includes(project));
    const { key } = await apiKeys.create(project, 'ci');
    assert.deepEqual(await apiKeys.verify(key), { project, name: 'ci' });
    assert.equal(await apiKeys.verify(key.slice(0, -2)), undefined);
    assert.equal(await apiKeys.verify(key.replace(project, 'other')), undefined);
    assert.equal(await apiKeys.verify('nonsense'), undefined);
    await assert.rejects(apiKeys.create(project, 'ci'), { code: 'CHIMERA_CONFLICT' });
    assert.equal(await apiKeys.revoke(project, 'ci'), true);
    assert.equal(await apiKeys.revoke(project, 'none'), false);
    assert.equal(await apiKeys.verify(key), undefined);
    assert.ok((await apiKeys.list(project))[0]?.revokedAt);

    const document = { name: 'other', version: 1, b: 1, a: { y: [1], x: 0.1 } };
    assert.deepEqual(await taskTypes.put(project, document), { created: true });
    assert.deepEqual(await taskTypes.put(project, { a: { x: 0.1, y: [1] }, b: 1, version: 1, name: 'other' }), {
      created: false,
    });
    await assert.rejects(taskTypes.put(project, { ...document, b: 2 }), { code: 'CHIMERA_CONFLICT' });
    await taskTypes.put(project, { ...document, version: 2 });
    assert.equal((await taskTypes.get(project, 'other'))?.version, 2);
    assert.deepEqual(await taskTypes.require(project, 'other', 1), document);
    await assert.rejects(taskTypes.require(project, 'none'), /known task types: mail-triage, other/);
    assert.deepEqual(
      (await taskTypes.list(project)).map((t) => [t.name, t.version]),
      [
        [TYPE, 1],
        ['other', 2],
      ],
    );
  });
});
