import { context, metrics, propagation, trace } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import type { Resource } from '@opentelemetry/resources';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { node, tracing } from '@opentelemetry/sdk-node';
import type { SpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { DestinationStream, Logger } from 'pino';
import type { LogLevel } from './logger.ts';
import { createLogger } from './logger.ts';
import { serveMetrics } from './metrics-server.ts';
import { DROPPED_SPANS } from './metrics.ts';
import { watched } from './watched-exporter.ts';

export interface TelemetryOptions {
  /** `chimera-gateway`, `chimera-worker-io`, … */
  serviceName: string;
  /** Base URL of an OTLP/HTTP collector, for example http://127.0.0.1:4318. Without one no trace leaves the process. */
  otlpEndpoint?: string;
  /** Serves /metrics on 127.0.0.1 at this port; 0 takes a free one. Without it only `metricsText()` is there. */
  metricsPort?: number;
  logLevel: LogLevel;
  /** Where the log goes; default: standard error. */
  logDestination?: DestinationStream;
}

export interface Telemetry {
  readonly logger: Logger;
  readonly resource: Resource;
  /** Takes the spans of workflows, which cannot export on their own. */
  readonly spanProcessor: SpanProcessor;
  /** Port /metrics is served on, where it is. */
  readonly metricsPort: number | undefined;
  /** All metrics of this process in Prometheus text format. */
  metricsText(): Promise<string>;
  /** Sends what is left, waiting two seconds at most, and puts the process back to no telemetry. Never throws. */
  shutdown(): Promise<void>;
}

/** A collector that hangs must not hold up the end of a process. */
const SHUTDOWN_MS = 2000;
const EXPORT_TIMEOUT_MS = 3000;

/**
 * Starts traces, metrics and logs of this process; one at a time, before clients and workers are made.
 * A collector that is away or broken costs dropped spans and one warning, never a failed or slower operation.
 * @throws ChimeraError `CHIMERA_SETUP` where the metrics port is taken.
 */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { serviceName, otlpEndpoint, logDestination } = options;
  const logger = createLogger({
    level: options.logLevel,
    name: serviceName,
    ...(logDestination && { destination: logDestination }),
  });
  const resource = resourceFromAttributes({ 'service.name': serviceName });
  const reader = new PrometheusExporter({ preventServerStart: true });
  const meterProvider = new MeterProvider({ resource, readers: [reader] });
  const serializer = new PrometheusSerializer(undefined, false, undefined, false, true);
  const metricsText = async (): Promise<string> => serializer.serialize((await reader.collect()).resourceMetrics);
  const server = options.metricsPort === undefined ? undefined : await serveMetrics(metricsText, options.metricsPort);

  const spanProcessor = otlpEndpoint
    ? exportingProcessor(otlpEndpoint, meterProvider, logger)
    : new tracing.NoopSpanProcessor();
  const tracerProvider = new node.NodeTracerProvider({ resource, spanProcessors: [spanProcessor] });
  tracerProvider.register();
  metrics.setGlobalMeterProvider(meterProvider);

  return {
    logger,
    resource,
    spanProcessor,
    metricsPort: server?.port,
    metricsText,
    async shutdown() {
      await atMost(SHUTDOWN_MS, tracerProvider.shutdown());
      await atMost(SHUTDOWN_MS, meterProvider.shutdown());
      await server?.close();
      for (const api of [trace, metrics, context, propagation]) api.disable();
    },
  };
}

function exportingProcessor(endpoint: string, meterProvider: MeterProvider, logger: Logger): SpanProcessor {
  const dropped = meterProvider.getMeter('chimera').createCounter(DROPPED_SPANS, {
    description: 'Spans that the collector did not take',
  });
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
    timeoutMillis: EXPORT_TIMEOUT_MS,
  });
  const watchedExporter = watched(exporter, {
    dropped: (spans) => dropped.add(spans),
    lost: (err) => logger.warn({ err, endpoint }, 'trace collector does not take spans; work goes on without it'),
    recovered: () => logger.info({ endpoint }, 'trace collector takes spans again'),
  });
  return new tracing.BatchSpanProcessor(watchedExporter, {
    maxQueueSize: 4096,
    scheduledDelayMillis: 1000,
    exportTimeoutMillis: EXPORT_TIMEOUT_MS,
  });
}

/** Waits for `work`, but no longer than `ms`, and swallows its failure. */
async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work.catch(() => undefined), limit]);
  clearTimeout(timer);
}
