import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { trace } from '@opentelemetry/api';
import { ChimeraError } from '../../src/contracts/errors.ts';
import { LAYERS } from '../../src/contracts/names.ts';
import {
  LAYER_METRICS,
  METRIC_NAMES,
  layerMetrics,
  measure,
  secondsByLayer,
  whileWaiting,
} from '../../src/telemetry/metrics.ts';
import type { Telemetry, TelemetryOptions } from '../../src/telemetry/telemetry.ts';
import { startTelemetry } from '../../src/telemetry/telemetry.ts';
import { watched } from '../../src/telemetry/watched-exporter.ts';
import { OtlpSink } from './otlp-sink.ts';

/** A log destination that keeps its lines. */
function logLines(): { lines: Record<string, unknown>[]; destination: Writable } {
  const lines: Record<string, unknown>[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString('utf8')) as Record<string, unknown>);
      done();
    },
  });
  return { lines, destination };
}

describe('telemetry', () => {
  let telemetry: Telemetry | undefined;
  const start = async (over: Partial<TelemetryOptions> = {}): Promise<Telemetry> => {
    telemetry = await startTelemetry({ serviceName: 'test', logLevel: 'silent', ...over });
    return telemetry;
  };
  afterEach(async () => {
    await telemetry?.shutdown();
    telemetry = undefined;
  });

  it('runs work without telemetry as if it were not there', async () => {
    assert.equal(await measure('kpi', 'score', () => 7), 7);
    await assert.rejects(
      measure('kpi', 'score', () => {
        throw new ChimeraError('CHIMERA_CANCELLED', { what: 'it' });
      }),
      { code: 'CHIMERA_CANCELLED' },
    );
  });

  it('counts, times and tracks every layer under its own name', async () => {
    const { metricsText } = await start();
    for (const layer of LAYERS) await layerMetrics(layer).measure('work', () => undefined, { project: 'acme' });
    const text = await metricsText();
    for (const layer of LAYERS) {
      assert.match(
        text,
        new RegExp(`^chimera_${layer}_operations_total{project="acme",operation="work",outcome="completed"} 1$`, 'm'),
      );
      assert.match(text, new RegExp(`^${LAYER_METRICS.inFlight(layer)}{project="acme",operation="work"} 0$`, 'm'));
      assert.match(text, new RegExp(`^${LAYER_METRICS.duration(layer)}_bucket{.*le="0.05"} 1$`, 'm'));
      assert.ok(secondsByLayer(text)[layer] > 0);
    }
    for (const name of METRIC_NAMES.filter((name) => !name.includes('telemetry')))
      assert.ok(text.includes(`# TYPE ${name} `), name);
  });

  it('tells refused, cancelled and failed work apart and passes the error on', async () => {
    const { metricsText } = await start();
    const fail = (error: Error): Promise<void> =>
      assert.rejects(
        measure('validation', 'check', () => {
          throw error;
        }),
        error,
      );
    await fail(new ChimeraError('CHIMERA_INVALID_INPUT', { what: 'x' }));
    await fail(new ChimeraError('CHIMERA_STORE_UNAVAILABLE', { why: 'x' }));
    await fail(new ChimeraError('CHIMERA_CANCELLED', { what: 'x' }));
    await fail(Object.assign(new Error('stop'), { name: 'CancelledFailure' }));
    await fail(new Error('boom'));
    const text = await metricsText();
    const count = (outcome: string): string | undefined =>
      new RegExp(`operations_total{.*outcome="${outcome}"} (\\d+)`).exec(text)?.[1];
    assert.deepEqual(
      [count('refused'), count('failed'), count('cancelled'), count('completed')],
      ['1', '2', '2', undefined],
    );
  });

  it('does not count what a layer only waited as time spent in it', async () => {
    const { metricsText } = await start();
    const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    await measure('kpi', 'follow', async () => {
      await whileWaiting(() => pause(80));
      await assert.rejects(whileWaiting(() => Promise.reject(new Error('gone'))));
      await pause(5);
    });
    await whileWaiting(() => pause(1));
    const text = await metricsText();
    const waited = Number(/kpi_waiting_seconds_total\{.*\} (\S+)/.exec(text)?.[1]);
    assert.ok(waited >= 0.07, `${waited} s`);
    const { kpi } = secondsByLayer(text);
    const whole = Number(/kpi_operation_duration_seconds_sum\{.*\} (\S+)/.exec(text)?.[1]);
    assert.ok(Math.abs(kpi - (whole - waited)) < 1e-9 && kpi > 0);
  });

  it('serves /metrics on loopback and names the port when it is taken', async () => {
    const { metricsPort } = await start({ metricsPort: 0 });
    await measure('ingestion', 'submit', () => undefined);
    const response = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    assert.match(await response.text(), /chimera_ingestion_operations_total/);
    assert.equal((await fetch(`http://127.0.0.1:${metricsPort}/other`)).status, 404);
    await assert.rejects(startTelemetry({ serviceName: 'second', logLevel: 'silent', metricsPort: metricsPort! }), {
      code: 'CHIMERA_SETUP',
    });
  });

  it('sends spans to the collector, children under their parents', async () => {
    const sink = await OtlpSink.start();
    const { shutdown } = await start({ otlpEndpoint: `${sink.endpoint}/` });
    await measure('ingestion', 'submit', () => measure('validation', 'check', () => undefined));
    await shutdown();
    await sink.stop();
    assert.equal(sink.find('validation.check').parentSpanId, sink.find('ingestion.submit').spanId);
    assert.equal(sink.find('validation.check').traceId, sink.find('ingestion.submit').traceId);
    assert.equal(sink.find('ingestion.submit').service, 'test');
  });

  it('goes on without a collector: same results, one warning, spans counted as dropped', async () => {
    const { lines, destination } = logLines();
    const sink = await OtlpSink.start();
    sink.status = 400;
    const { metricsText, spanProcessor } = await start({
      otlpEndpoint: sink.endpoint,
      logLevel: 'info',
      logDestination: destination,
    });
    for (let i = 0; i < 3; i += 1) {
      assert.equal(await measure('kpi', 'score', () => i), i);
      await spanProcessor.forceFlush().catch(() => undefined);
    }
    assert.match(await metricsText(), /chimera_telemetry_dropped_spans_total 3/);
    sink.status = 200;
    await measure('kpi', 'score', () => 3);
    await spanProcessor.forceFlush();
    await sink.stop();
    assert.deepEqual(
      lines.map((line) => line['level']),
      ['warn', 'info'],
    );
    assert.match(String(lines[0]?.['msg']), /work goes on without it/);
  });

  it('ends soon even where nothing listens at the endpoint', async () => {
    const closed = await OtlpSink.start();
    const endpoint = closed.endpoint;
    await closed.stop();
    const { shutdown } = await start({ otlpEndpoint: endpoint });
    await measure('kpi', 'score', () => 1);
    const began = performance.now();
    await shutdown();
    assert.ok(performance.now() - began < 4000);
    assert.equal(trace.getTracer('x').startSpan('after').isRecording(), false);
  });

  it('logs JSON with the trace it belongs to, errors with their code, and no secrets', async () => {
    const { lines, destination } = logLines();
    const { logger } = await start({ logLevel: 'info', logDestination: destination });
    let traceId: string | undefined;
    await measure('kpi', 'score', () => {
      traceId = trace.getActiveSpan()?.spanContext().traceId;
      logger.child({ project: 'acme' }).info({ apiKey: 'k1', request: { authorization: 'Bearer k1' } }, 'hello');
    });
    logger.error({ err: new ChimeraError('CHIMERA_NOT_FOUND', { what: 'agent', name: 'x' }) }, 'no');
    if (lines.length < 2) await once(destination, 'drain');
    assert.match(traceId ?? '', /^[0-9a-f]{32}$/);
    assert.equal(lines[0]?.['traceId'], traceId);
    assert.equal(lines[0]?.['project'], 'acme');
    assert.equal(lines[0]?.['level'], 'info');
    assert.ok(!JSON.stringify(lines).includes('k1'));
    assert.equal((lines[1]?.['err'] as { code: string }).code, 'CHIMERA_NOT_FOUND');
    assert.equal(lines[1]?.['traceId'], undefined);
  });
});

describe('watched exporter', () => {
  it('says once that the collector is gone and once that it is back', () => {
    const said: string[] = [];
    const codes = [0, 1, 1, 0, 0, 1];
    const exporter = watched(
      {
        export: (_spans, done) => done({ code: codes.shift()! }),
        shutdown: () => Promise.resolve(),
      },
      {
        dropped: (spans) => said.push(`dropped ${spans}`),
        lost: () => said.push('lost'),
        recovered: () => said.push('recovered'),
      },
    );
    for (let i = 0; i < 6; i += 1) exporter.export([{} as never], () => undefined);
    assert.deepEqual(said, ['dropped 1', 'lost', 'dropped 1', 'recovered', 'dropped 1', 'lost']);
  });
});
