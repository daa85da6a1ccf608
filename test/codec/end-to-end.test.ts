import assert from 'node:assert/strict';
import { Client, type WorkflowHandle } from '@temporalio/client';
import { createDataConverter } from '../../src/codec/data-converter.ts';
import { installExample } from '../../src/cli/demo/install.ts';
import { WORKFLOWS } from '../../src/contracts/names.ts';
import { startWorkers, type RunningWorkers } from '../../src/workers/runtime.ts';
import { words } from '../failpoints/words.ts';
import { openPlatform, randomProject, silentTelemetry, type TestPlatform } from '../helpers/platform.ts';

const key = (id: string, fill: number) => ({ id, key: Buffer.alloc(32, fill).toString('base64') });
const SECRET = 'urkaxa-nobody-else-may-read-this';

describe('codec: a worker that encrypts', function () {
  this.timeout(120_000);
  const project = randomProject();
  let platform: TestPlatform;
  let workers: RunningWorkers;
  let client: Client;

  const clientWith = (...keys: ReturnType<typeof key>[]): Client =>
    new Client({
      connection: platform.connection,
      namespace: platform.stack.namespace,
      dataConverter: createDataConverter(keys),
    });

  before(async () => {
    platform = await openPlatform();
    await platform.stores.projects.ensure(project);
    await installExample(platform.stores, project, words);
    workers = await startWorkers({
      role: 'all',
      queuePrefix: platform.queuePrefix,
      manifest: { ...platform.manifest, tools: [] },
      toolsFolder: '/',
      stores: platform.stores,
      telemetry: await silentTelemetry(),
      connection: { address: platform.stack.temporalAddress },
      namespace: platform.stack.namespace,
      cacheDir: platform.stack.config.cacheDir,
      poolSize: 1,
      encryptionKeys: [key('a', 1)],
    });
    client = clientWith(key('a', 1));
  });
  after(() => workers?.stop());

  const start = (workflowId: string, payload: object): Promise<WorkflowHandle> =>
    client.workflow.start(WORKFLOWS.task, {
      workflowId: `${project}/${workflowId}`,
      taskQueue: platform.workflowQueue,
      args: [{ project, taskType: words.taskType.name, payload, key: workflowId }],
      memo: { note: SECRET },
      staticSummary: SECRET,
    });

  /** Every byte that the server keeps of a run, and how its payloads are encoded. Headers hold the IDs of traces only. */
  async function historyOf({ workflowId }: WorkflowHandle): Promise<{ bytes: Buffer; encodings: Set<string> }> {
    const { history } = await platform.connection.workflowService.getWorkflowExecutionHistory({
      namespace: platform.stack.namespace,
      execution: { workflowId },
    });
    const encodings = new Set<string>();
    const chunks: Buffer[] = [];
    const walk = (value: unknown, within: string): void => {
      if (value instanceof Uint8Array || typeof value === 'string') chunks.push(Buffer.from(value));
      else if (typeof value === 'object' && value !== null) {
        const { encoding } = (value as { metadata?: { encoding?: Uint8Array } }).metadata ?? {};
        if (encoding !== undefined && !/searchAttributes|header/.test(within))
          encodings.add(Buffer.from(encoding).toString());
        for (const [name, member] of Object.entries(value)) walk(member, `${within}/${name}`);
      }
    };
    walk(history, '');
    return { bytes: Buffer.concat(chunks), encodings };
  }

  it('leaves nothing readable on the server, and everything to who has the key', async () => {
    const handle = await start('whole', { text: SECRET, size: 1 });
    const result = (await handle.result()) as { status: string; output: { label: string } };
    assert.equal(result.status, 'completed');
    const { bytes, encodings } = await historyOf(handle);
    assert.equal(bytes.includes(SECRET), false);
    assert.equal(bytes.includes(result.output.label), false);
    assert.deepEqual([...encodings], ['binary/encrypted']);
    const described = await handle.describe();
    assert.equal(described.memo?.['note'], SECRET);
    assert.equal(await described.staticSummary(), SECRET);
    const rotated = clientWith(key('b', 2), key('a', 1));
    assert.deepEqual(await rotated.workflow.getHandle(handle.workflowId).result(), result);
    const stranger = clientWith(key('b', 2)).workflow.getHandle(handle.workflowId);
    await assert.rejects(stranger.result(), /cannot be decrypted: it was encrypted with key "a"/);
  });

  it('encrypts what failures say', async () => {
    const handle = await start('failing', { text: SECRET, [SECRET]: true });
    await assert.rejects(handle.result(), (error: Error) => {
      let cause = error;
      while (cause.cause instanceof Error) cause = cause.cause;
      assert.match(cause.message, /payload is not valid/);
      return true;
    });
    const { bytes } = await historyOf(handle);
    assert.equal(bytes.includes(SECRET), false);
    assert.equal(bytes.includes('is not valid'), false);
    assert.equal(bytes.includes('Encoded failure'), true);
  });

  it('reads inputs that were not encrypted, as the form of a UI without a codec sends them', async () => {
    const handle = await platform.temporal.workflow.start(WORKFLOWS.task, {
      workflowId: `${project}/plain`,
      taskQueue: platform.workflowQueue,
      args: [{ project, taskType: words.taskType.name, payload: { text: 'loremi', size: 1 }, key: 'plain' }],
    });
    const result = (await client.workflow.getHandle(handle.workflowId).result()) as { status: string };
    assert.equal(result.status, 'completed');
  });
});
