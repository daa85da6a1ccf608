import { createRequire } from 'node:module';
import type { WorkflowClientInterceptor } from '@temporalio/client';
import {
  OpenTelemetryActivityInboundInterceptor,
  OpenTelemetryActivityOutboundInterceptor,
  OpenTelemetryWorkflowClientInterceptor,
  makeWorkflowExporter,
} from '@temporalio/interceptors-opentelemetry-v2';
import type {
  ActivityInboundCallsInterceptor,
  InjectedSinks,
  LogMetadata,
  RuntimeOptions,
  WorkerInterceptors,
} from '@temporalio/worker';
import { makeTelemetryFilterString } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { Layer } from '../contracts/names.ts';
import { measure } from './metrics.ts';
import type { Telemetry } from './telemetry.ts';

/**
 * What Temporal's clients, workers and bundler need so that one trace runs from the gateway through workflows into
 * activities. The workflow side is always in the bundle, with or without a collector: it draws IDs from the workflow's
 * random stream, so a worker without it would not replay what one with it recorded.
 */

/** For `bundleWorkflowCode({workflowInterceptorModules})` and `Worker.create({interceptors: {workflowModules}})`. */
export const WORKFLOW_INTERCEPTOR_MODULES: readonly string[] = [
  createRequire(import.meta.url).resolve('@temporalio/interceptors-opentelemetry-v2/lib/workflow-interceptors'),
];

/** For `new Client({interceptors})`. */
export function clientInterceptors(): { workflow: WorkflowClientInterceptor[] } {
  return { workflow: [new OpenTelemetryWorkflowClientInterceptor()] };
}

/**
 * For `Worker.create({interceptors})`: traces activities and counts each as an operation of its layer.
 * @param layerOf the layer of an activity type; undefined leaves it uncounted.
 */
export function workerInterceptors(layerOf: (activityType: string) => Layer | undefined): WorkerInterceptors {
  return {
    client: clientInterceptors(),
    activity: [
      (activity) => ({
        inbound: new OpenTelemetryActivityInboundInterceptor(activity),
        outbound: new OpenTelemetryActivityOutboundInterceptor(activity),
      }),
      (activity) => ({ inbound: measuring(activity.info.activityType, layerOf(activity.info.activityType)) }),
    ],
  };
}

function measuring(operation: string, layer: Layer | undefined): ActivityInboundCallsInterceptor {
  if (layer === undefined) return {};
  return {
    execute: (input, next) => measure(layer, operation, () => next(input), projectOf(input.args[0])),
  };
}

/** Every activity takes one object that names its project. */
function projectOf(argument: unknown): { project?: string } {
  if (typeof argument !== 'object' || argument === null || !('project' in argument)) return {};
  return typeof argument.project === 'string' ? { project: argument.project } : {};
}

/** For `Worker.create({sinks})` and replay workers: where the spans of workflows go. */
export function workflowSinks(telemetry: Pick<Telemetry, 'resource' | 'spanProcessor'>): InjectedSinks<{
  exporter: { export(spans: unknown[]): void };
}> {
  return { exporter: makeWorkflowExporter(telemetry.spanProcessor, telemetry.resource) };
}

/**
 * For `Runtime.install`, once a process, before any worker: SDK and workflow logs go to our log, the core's own
 * metrics to a Prometheus endpoint where one is asked for.
 * @param temporalMetrics host:port to serve the core's metrics on.
 */
export function runtimeOptions(telemetry: Pick<Telemetry, 'logger'>, temporalMetrics?: string): RuntimeOptions {
  return {
    logger: temporalLogger(telemetry.logger),
    shutdownSignals: [],
    telemetryOptions: {
      logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }) },
      ...(temporalMetrics && {
        metrics: {
          prometheus: {
            bindAddress: temporalMetrics,
            countersTotalSuffix: true,
            unitSuffix: true,
            useSecondsForDurations: true,
          },
        },
      }),
    },
  };
}

function temporalLogger(logger: Logger): NonNullable<RuntimeOptions['logger']> {
  const at =
    (level: 'trace' | 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, meta?: LogMetadata): void =>
      logger[level](plain(meta), message);
  const methods = { trace: at('trace'), debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  return {
    ...methods,
    log: (level, message, meta) => {
      const name = level.toLowerCase() as keyof typeof methods;
      methods[name](message, meta);
    },
  };
}

/** The SDK's metadata under our names; its times are nanoseconds as BigInt, which JSON does not have. */
function plain(meta: LogMetadata = {}): Record<string, unknown> {
  const { error, ...rest } = meta as Record<string, unknown>;
  const entries = Object.entries(rest).map(([key, value]) => [key, typeof value === 'bigint' ? String(value) : value]);
  return { ...Object.fromEntries(entries), ...(error !== undefined && { err: error }) };
}
