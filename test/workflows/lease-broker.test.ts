import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { SIGNALS } from '../../src/contracts/messages.ts';
import { workflowId } from '../../src/contracts/names.ts';
import type { LeaseRequest } from '../../src/core/resources/broker.ts';
import type { LeasesView } from '../../src/workflows/lease-broker.ts';
import {
  attributesOf,
  fatten,
  openPlatform,
  sharedPlatform,
  stateText,
  until,
  type TestPlatform,
} from '../helpers/platform.ts';
import { notes, openScene } from './scene.ts';

describe('leaseBrokerWorkflow', () => {
  let platform: TestPlatform;
  let project: string;
  /** Workflows that stay open, so that they can hold leases: streams with nothing in them. */
  let holders: WorkflowHandle[];

  before(async () => {
    // A broker of its own, with one device.
    platform = await openPlatform({ beside: await sharedPlatform(), devices: { cpu: 1 } });
    await platform.work();
    const scene = await openScene(platform);
    await scene.admit(notes(1).map(({ payload }) => payload));
    project = scene.project;
    holders = await Promise.all(
      ['a', 'b', 'c'].map((name) =>
        platform.start('streamMonitorWorkflow', scene.subject, { id: `kpi/${project}/${name}` }),
      ),
    );
  });
  after(() => Promise.all(holders.map((holder) => holder.terminate().catch(() => undefined))));

  const broker = (): WorkflowHandle =>
    platform.temporal.workflow.getHandle(platform.queuePrefix + workflowId.leaseBroker());
  const view = (): Promise<LeasesView> => broker().query<LeasesView>('leases');
  const request = async (holder: WorkflowHandle, more: Partial<LeaseRequest> = {}): Promise<string> => {
    const { workflowId: id, runId } = await holder.describe();
    const leaseId = `${id}/${randomBytes(4).toString('hex')}`;
    const lease = {
      leaseId,
      holder: { workflowId: id, runId },
      project,
      class: 'cpu',
      priority: 3,
      maxMs: 60_000,
      purpose: 'a test',
    };
    await platform.temporal.workflow.signalWithStart('leaseBrokerWorkflow', {
      workflowId: platform.queuePrefix + workflowId.leaseBroker(),
      taskQueue: platform.workflowQueue,
      args: [{ classes: { cpu: 1 } }],
      signal: SIGNALS.requestLease,
      signalArgs: [{ ...lease, ...more }],
    });
    return leaseId;
  };
  const release = (leaseId: string): Promise<void> => broker().signal(SIGNALS.releaseLease, { leaseId });
  const heldBy = (leaseId: string): Promise<unknown> =>
    until(`${leaseId} to be held`, async () => {
      const { held } = await view();
      return held.length === 1 && held[0]!.leaseId === leaseId;
    });
  const booked = async (leaseId: string): Promise<{ seconds: number; holder: string }> =>
    until('the ledger', async () =>
      (await platform.stores.ledger.list(project)).find((line) => line.leaseId === leaseId),
    );

  it('grants one device to one requester at a time, by priority and arrival, and says who holds and who waits', async () => {
    const [a, b, c] = holders as [WorkflowHandle, WorkflowHandle, WorkflowHandle];
    const first = await request(a);
    await heldBy(first);
    const second = await request(b);
    const urgent = await request(c, { priority: 1 });
    await until('both to wait', async () => (await view()).queued.length === 2);
    assert.deepEqual(
      (await view()).queued.map(({ leaseId }) => leaseId),
      [urgent, second],
    );
    const told = await stateText(broker());
    assert.match(told, /cpu: 1 of 1 held, 2 waiting/);
    assert.match(told, new RegExp(`held by kpi/${project}/a: a test`));
    assert.match(told, new RegExp(`1\\. kpi/${project}/c \\(priority 1\\)`));
    assert.equal((await attributesOf(broker()))['ChimeraLayer'], 'resources');
    await release(first);
    await heldBy(urgent);
    await release(urgent);
    await heldBy(second);
    await release(second);
    await until('the device to be free', async () => (await view()).held.length === 0);
    for (const [lease, holder] of [
      [first, 'a'],
      [urgent, 'c'],
      [second, 'b'],
    ] as const) {
      assert.equal((await booked(lease)).holder, `kpi/${project}/${holder}`);
    }
  });

  it('takes a lease from a holder that has died, once it has run out, and gives it to the next', async () => {
    const [a, b] = holders as [WorkflowHandle, WorkflowHandle];
    const first = await request(a, { maxMs: 300 });
    await heldBy(first);
    const second = await request(b);
    await a.terminate('it dies');
    await heldBy(second);
    assert.ok((await booked(first)).seconds >= 0.3);
    // Who is gone before its turn comes never gets the device.
    const gone = await request(a);
    await until('it to wait', async () => (await view()).queued.length === 1);
    await release(second);
    await until('nobody to hold it', async () => {
      const { held, queued } = await view();
      return held.length === 0 && queued.length === 0;
    });
    await booked(gone);
  });

  it('carries what is held and who waits into a new run, and takes new counts', async () => {
    const [, b, c] = holders as [WorkflowHandle, WorkflowHandle, WorkflowHandle];
    const first = await request(b);
    await heldBy(first);
    const second = await request(c);
    const { runId } = await broker().describe();
    await fatten(broker());
    await until('a new run', async () => {
      await broker().signal(SIGNALS.resizeDevices, { cpu: 1 });
      return (await broker().describe()).runId !== runId;
    });
    await heldBy(first);
    assert.deepEqual(
      (await view()).queued.map(({ leaseId }) => leaseId),
      [second],
    );
    await broker().signal(SIGNALS.resizeDevices, { cpu: 2 });
    await until('both to hold one', async () => (await view()).held.length === 2);
    await release(first);
    await release(second);
    await booked(second);
  });
});
