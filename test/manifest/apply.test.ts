import { Connection, ScheduleClient } from '@temporalio/client';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { isChimeraError } from '../../src/contracts/errors.ts';
import { applyManifest, type Change } from '../../src/manifest/apply.ts';
import { loadManifest, type Manifest } from '../../src/manifest/manifest.ts';
import { testStack } from '../helpers/stack.ts';

describe('chimera apply', () => {
  const id = randomBytes(4).toString('hex');
  const shipped = loadManifest();
  let connection: Connection;
  let namespace: string;
  let manifest: Manifest;

  before(async () => {
    const stack = await testStack();
    namespace = stack.namespace;
    connection = await Connection.connect({ address: stack.temporalAddress });
    const [cycle] = shipped.schedules;
    manifest = {
      ...shipped,
      searchAttributes: { ...shipped.searchAttributes, [`Extra${id}`]: 'Int' },
      schedules: [
        { ...cycle!, name: `every-${id}` },
        { ...cycle!, name: `cron-${id}`, every: undefined, cron: '5 * * * *' },
      ],
    };
  });
  after(async () => connection.close());

  const by = (changes: readonly Change[], action: Change['action']): string[] =>
    changes.filter((change) => change.action === action).map(({ name }) => name);
  const apply = (wanted: Manifest, dryRun = false): Promise<Change[]> =>
    applyManifest(wanted, connection, { namespace, dryRun });

  it('shows the difference, makes it, and then finds none', async () => {
    const expected = [`Extra${id}`, `every-${id}`, `cron-${id}`];
    assert.deepEqual(by(await apply(manifest, true), 'created'), expected, 'dry run');
    assert.deepEqual(by(await apply(manifest), 'created'), expected, 'a dry run changed nothing');
    const again = await apply(manifest);
    assert.deepEqual(by(again, 'unchanged').length, again.length, JSON.stringify(again));

    const schedules = new ScheduleClient({ connection, namespace });
    const made = await schedules.getHandle(`every-${id}`).describe();
    assert.equal(made.state.paused, true, 'enabled: false');
    assert.equal(made.policies.overlap, 'SKIP');
    assert.equal(made.policies.catchupWindow, 3_600_000, 'one interval');
    assert.equal(made.policies.pauseOnFailure, true);
    assert.equal(made.spec.jitter, 60_000);
    assert.deepEqual(made.action.args, [{ taskType: 'mail-triage' }]);
  });

  it('updates what was declared anew, and what somebody edited; a pause by people stays', async () => {
    const schedules = new ScheduleClient({ connection, namespace });
    const handle = schedules.getHandle(`every-${id}`);
    const [every, cron] = manifest.schedules;
    const enabled: Manifest = {
      ...manifest,
      schedules: [
        { ...every!, enabled: true },
        { ...cron!, cron: '6 * * * *' },
      ],
    };
    assert.deepEqual(by(await apply(enabled), 'updated'), [`every-${id}`, `cron-${id}`]);
    assert.equal((await handle.describe()).state.paused, false);

    await handle.pause('by hand');
    await handle.update(({ policies, ...rest }) => ({ ...rest, policies: { ...policies, pauseOnFailure: false } }));
    const repaired = (await apply(enabled)).find(({ name }) => name === `every-${id}`);
    assert.deepEqual(repaired?.details, ['pause on failure false → true']);
    const { state, policies } = await handle.describe();
    assert.equal(policies.pauseOnFailure, true);
    assert.equal(state.paused, true);
    assert.deepEqual(by(await apply(enabled), 'updated'), []);
  });

  it('creates a namespace with everything in it, and changes its retention', async () => {
    const name = `made-${id}`;
    const own: Manifest = { ...shipped, namespace: { name, retention: 48 * 3_600_000 }, schedules: [] };
    const dry = await applyManifest(own, connection, { dryRun: true });
    assert.deepEqual(by(dry, 'created').length, dry.length);
    const made = await applyManifest(own, connection);
    assert.deepEqual(
      made.map(({ action }) => action),
      made.map(() => 'created'),
      JSON.stringify(made),
    );
    const longer = { ...own, namespace: { name, retention: 72 * 3_600_000 } };
    assert.deepEqual((await applyManifest(longer, connection))[0], {
      resource: 'namespace',
      name,
      action: 'updated',
      details: ['retention 2d → 3d'],
    });
  });

  it('reports what the server refuses, with its reason, and applies the rest', async () => {
    const stack = await testStack();
    const { searchAttributes } = manifest;
    const clash: Manifest = {
      ...manifest,
      searchAttributes: { ...searchAttributes, [`Extra${id}`]: 'Bool', OkAttribute: 'Keyword' },
      schedules: [{ ...manifest.schedules[0]!, name: `bad-${id}`, every: undefined, cron: '99 99 * * *' }],
    };
    const changes = await applyManifest(clash, connection, { namespace: stack.namespace });
    assert.deepEqual(by(changes, 'created'), ['OkAttribute']);
    const refused = changes.filter(({ action }) => action === 'refused');
    assert.deepEqual(
      refused.map(({ name }) => name),
      [`Extra${id}`, `bad-${id}`],
    );
    assert.match(refused[0]!.details[0]!, /is Int on the server and cannot become Bool/);
    assert.match(refused[1]!.details[0]!, /Minute is not in range/);
  });

  it('reports a missing permission as a refusal, and a server that is away as an error', async () => {
    const stack = await testStack();
    const denied = await Connection.connect({
      address: stack.temporalAddress,
      interceptors: [denying('UpdateNamespace'), denying('ListSearchAttributes'), denying('DescribeSchedule')],
    });
    try {
      const changes = await applyManifest(
        { ...manifest, namespace: { ...manifest.namespace, retention: 240 * 3_600_000 } },
        denied,
        { namespace: stack.namespace },
      );
      assert.deepEqual(by(changes, 'refused').length, changes.length);
      for (const { details } of changes) assert.match(details[0]!, /not allowed here/);
    } finally {
      await denied.close();
    }
    const away = Connection.lazy({ address: '127.0.0.1:1' });
    await assert.rejects(
      away.withDeadline(Date.now() + 2000, () => applyManifest(manifest, away)),
      (error) => isChimeraError(error, 'CHIMERA_TEMPORAL_UNAVAILABLE'),
    );
    await away.close();
  });
});

type GrpcInterceptor = NonNullable<NonNullable<Parameters<typeof Connection.connect>[0]>['interceptors']>[number];

/** Stands in front of a server and forbids one method. */
function denying(method: string): GrpcInterceptor {
  return ((options, nextCall) => {
    const call = nextCall(options);
    if (!options.method_definition.path.endsWith(`/${method}`)) return call;
    const start = call.start.bind(call);
    call.start = (metadata, listener) =>
      start(metadata, {
        onReceiveMetadata: (received) => listener?.onReceiveMetadata?.(received),
        onReceiveMessage: () => {},
        onReceiveStatus: (status) => listener?.onReceiveStatus?.({ ...status, code: 7, details: 'not allowed here' }),
      });
    return call;
  }) as GrpcInterceptor;
}
