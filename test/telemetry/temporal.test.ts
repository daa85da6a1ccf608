import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker, bundleWorkflowCode } from '@temporalio/worker';
import { measure } from '../../src/telemetry/metrics.ts';
import type { Telemetry } from '../../src/telemetry/telemetry.ts';
import { startTelemetry } from '../../src/telemetry/telemetry.ts';
import {
  WORKFLOW_INTERCEPTOR_MODULES,
  clientInterceptors,
  runtimeOptions,
  workerInterceptors,
  workflowSinks,
} from '../../src/telemetry/temporal.ts';
import type { TestStack } from '../helpers/stack.ts';
import { queuePrefix, testStack } from '../helpers/stack.ts';
import { createGreetingActivities } from './fixtures/activities.ts';
import { OtlpSink } from './otlp-sink.ts';

const QUEUE = `${queuePrefix()}telemetry`;

describe('telemetry of Temporal', function () {
  this.timeout(60_000);
  let stack: TestStack;
  let connection: Connection;
  let nativeConnection: NativeConnection;
  let workflowBundle: { code: string };

  before(async () => {
    stack = await testStack();
    connection = await Connection.connect({ address: stack.temporalAddress });
    nativeConnection = await NativeConnection.connect({ address: stack.temporalAddress });
    workflowBundle = await bundleWorkflowCode({
      workflowsPath: fileURLToPath(new URL('fixtures/greeting.workflow.ts', import.meta.url)),
      workflowInterceptorModules: [...WORKFLOW_INTERCEPTOR_MODULES],
      logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} },
    });
  });
  after(async () => {
    await nativeConnection?.close();
    await connection?.close();
  });

  /** Runs one greeting as the gateway would: inside a measured operation. */
  async function greet(telemetry: Telemetry, workflowId: string): Promise<string> {
    const worker = await Worker.create({
      connection: nativeConnection,
      namespace: stack.namespace,
      taskQueue: QUEUE,
      workflowBundle,
      activities: createGreetingActivities(telemetry.logger),
      interceptors: workerInterceptors((activity) => (activity === 'greet' ? 'distribution' : undefined)),
      sinks: workflowSinks(telemetry),
    });
    const client = new Client({ connection, namespace: stack.namespace, interceptors: clientInterceptors() });
    return await worker.runUntil(() =>
      measure('ingestion', 'submit', () =>
        client.workflow.execute('greetingWorkflow', {
          taskQueue: QUEUE,
          workflowId,
          args: [{ project: 'acme', name: 'Ada' }],
        }),
      ),
    );
  }

  it('is one trace from the gateway through the workflow into the activity, logged and counted', async () => {
    const sink = await OtlpSink.start();
    const lines: Record<string, unknown>[] = [];
    const logDestination = new Writable({
      write(chunk: Buffer, _encoding, done) {
        lines.push(JSON.parse(chunk.toString('utf8')) as Record<string, unknown>);
        done();
      },
    });
    const telemetry = await startTelemetry({
      serviceName: 'test',
      logLevel: 'info',
      otlpEndpoint: sink.endpoint,
      logDestination,
    });
    assert.equal(await greet(telemetry, 'traced'), 'Hello, Ada');
    const text = await telemetry.metricsText();
    await telemetry.shutdown();
    await sink.stop();

    const path = [
      'ingestion.submit',
      'StartWorkflow:greetingWorkflow',
      'RunWorkflow:greetingWorkflow',
      'StartActivity:greet',
      'RunActivity:greet',
      'distribution.greet',
      'execution.step',
    ];
    for (const [index, name] of path.entries()) {
      const span = sink.find(name);
      assert.equal(span.traceId, sink.find(path[0]!).traceId, name);
      assert.equal(span.service, 'test');
      if (index > 0) assert.equal(span.parentSpanId, sink.find(path[index - 1]!).spanId, name);
    }
    assert.match(text, /chimera_distribution_operations_total{project="acme",operation="greet",outcome="completed"} 1/);
    const line = lines.find((candidate) => candidate['msg'] === 'greeted');
    assert.equal(line?.['traceId'], sink.find('execution.step').traceId);
    assert.equal(line?.['workflowId'], 'traced');
    assert.equal(line?.['activity'], 'greet');
  });

  it('does the same work with a dead collector and with none', async () => {
    const sink = await OtlpSink.start();
    const otlpEndpoint = sink.endpoint;
    await sink.stop();
    for (const endpoint of [{ otlpEndpoint }, {}]) {
      const telemetry = await startTelemetry({ serviceName: 'test', logLevel: 'silent', ...endpoint });
      assert.equal(await greet(telemetry, `untraced-${'otlpEndpoint' in endpoint}`), 'Hello, Ada');
      await telemetry.shutdown();
    }
  });

  it('forwards what the SDK logs under our names, times as text', async () => {
    const lines: Record<string, unknown>[] = [];
    const logDestination = { write: (line: string): void => void lines.push(JSON.parse(line) as never) };
    const telemetry = await startTelemetry({ serviceName: 'test', logLevel: 'info', logDestination });
    const { logger } = runtimeOptions(telemetry);
    logger?.info('Worker state changed', { timestampNanos: 12n, state: 'RUNNING' });
    logger?.log('WARN', 'poll failed', { error: new Error('gone') });
    logger?.debug('too quiet to be written');
    await telemetry.shutdown();
    assert.equal(lines.length, 2);
    assert.equal(lines[0]?.['timestampNanos'], '12');
    assert.equal(lines[0]?.['state'], 'RUNNING');
    assert.equal(lines[1]?.['level'], 'warn');
    assert.equal((lines[1]?.['err'] as { message: string }).message, 'gone');
  });
});
