import { AsyncLocalStorage } from 'node:async_hooks';
import type { Counter, Histogram, Meter, MeterProvider, UpDownCounter } from '@opentelemetry/api';
import { SpanStatusCode, metrics, trace } from '@opentelemetry/api';
import { isChimeraError } from '../contracts/errors.ts';
import type { Layer } from '../contracts/names.ts';
import { DEFAULT_PROJECT, LAYERS } from '../contracts/names.ts';

/**
 * The same four metrics for every layer, so that one dashboard and one alert fit all. Nothing here needs
 * `startTelemetry`: without it every call does nothing but run the work.
 */

export const LAYER_METRICS = {
  operations: (layer: Layer): string => `chimera_${layer}_operations_total`,
  duration: (layer: Layer): string => `chimera_${layer}_operation_duration_seconds`,
  inFlight: (layer: Layer): string => `chimera_${layer}_operations_in_flight`,
  waiting: (layer: Layer): string => `chimera_${layer}_waiting_seconds_total`,
} as const;

/** Spans that the collector did not take, counted instead of reported: telemetry never fails work. */
export const DROPPED_SPANS = 'chimera_telemetry_dropped_spans_total';

/** Every metric name the code exports. Dashboards and alert rules may name these only. */
export const METRIC_NAMES: readonly string[] = [
  ...LAYERS.flatMap((layer) => Object.values(LAYER_METRICS).map((name) => name(layer))),
  DROPPED_SPANS,
];

/** Upper bounds in seconds: a millisecond of sandbox to half an hour of search. */
const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

/** `refused`: the caller's mistake (an error of status 4xx). `failed`: ours. */
export type Outcome = 'completed' | 'refused' | 'failed' | 'cancelled';

export interface LayerMetrics {
  /** Runs `work` as one operation of the layer: counts it, times it, and makes it a span. The error passes through. */
  measure<T>(operation: string, work: () => Promise<T> | T, labels?: { project?: string }): Promise<T>;
}

interface Instruments {
  operations: Counter;
  duration: Histogram;
  inFlight: UpDownCounter;
  waiting: Counter;
}

const SCOPE = 'chimera';
/** Tells the operation that is running here that so many seconds of it were spent waiting. */
const running = new AsyncLocalStorage<(seconds: number) => void>();
const instruments = new WeakMap<MeterProvider, Map<Layer, Instruments>>();

function createInstruments(meter: Meter, layer: Layer): Instruments {
  return {
    operations: meter.createCounter(LAYER_METRICS.operations(layer), {
      description: `Operations of layer ${layer} by outcome`,
    }),
    duration: meter.createHistogram(LAYER_METRICS.duration(layer), {
      description: `Duration of an operation of layer ${layer}`,
      unit: 's',
      advice: { explicitBucketBoundaries: DURATION_BUCKETS },
    }),
    inFlight: meter.createUpDownCounter(LAYER_METRICS.inFlight(layer), {
      description: `Operations of layer ${layer} that are running now`,
    }),
    waiting: meter.createCounter(LAYER_METRICS.waiting(layer), {
      description: `Part of the durations in which layer ${layer} waited for something to happen elsewhere`,
      unit: 's',
    }),
  };
}

/** Instruments belong to a provider, and the global one changes when telemetry starts or stops. */
function instrumentsOf(layer: Layer): Instruments {
  const provider = metrics.getMeterProvider();
  const byLayer = instruments.get(provider) ?? new Map<Layer, Instruments>();
  instruments.set(provider, byLayer);
  const found = byLayer.get(layer) ?? createInstruments(provider.getMeter(SCOPE), layer);
  byLayer.set(layer, found);
  return found;
}

/** What an error means for the layer's figures. */
export function outcomeOf(error: unknown): Outcome {
  if (isChimeraError(error)) {
    if (error.code === 'CHIMERA_CANCELLED') return 'cancelled';
    return error.status < 500 ? 'refused' : 'failed';
  }
  const name = error instanceof Error ? error.name : '';
  return name === 'CancelledFailure' || name === 'AbortError' ? 'cancelled' : 'failed';
}

/** Runs `work` as one operation of `layer`; see {@link LayerMetrics.measure}. */
export async function measure<T>(
  layer: Layer,
  operation: string,
  work: () => Promise<T> | T,
  labels: { project?: string } = {},
): Promise<T> {
  const { operations, duration, inFlight, waiting } = instrumentsOf(layer);
  const place = { project: labels.project ?? DEFAULT_PROJECT, operation };
  const attributes = { 'chimera.layer': layer, 'chimera.project': place.project };
  return trace.getTracer(SCOPE).startActiveSpan(`${layer}.${operation}`, { attributes }, async (span) => {
    const start = performance.now();
    let outcome: Outcome = 'completed';
    inFlight.add(1, place);
    waiting.add(0, place);
    try {
      return await running.run((seconds) => waiting.add(seconds, place), work);
    } catch (error) {
      outcome = outcomeOf(error);
      span.recordException(error instanceof Error ? error : String(error));
      span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) });
      throw error;
    } finally {
      inFlight.add(-1, place);
      operations.add(1, { ...place, outcome });
      duration.record((performance.now() - start) / 1000, { ...place, outcome });
      span.end();
    }
  });
}

/** Runs `work`, which only waits for something to happen elsewhere: a long poll is no work of the layer that asks. */
export async function whileWaiting<T>(work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  try {
    return await work();
  } finally {
    running.getStore()?.((performance.now() - start) / 1000);
  }
}

/** The metrics of one layer, for code that measures several operations. */
export function layerMetrics(layer: Layer): LayerMetrics {
  return { measure: (operation, work, labels) => measure(layer, operation, work, labels) };
}

/**
 * Seconds spent in each layer without those it only waited, read off a Prometheus text (several processes' texts may be
 * joined). Operations of one layer that ran at the same time are added up, and so is a layer called from within another.
 */
export function secondsByLayer(text: string): Record<Layer, number> {
  const seconds = Object.fromEntries(LAYERS.map((layer) => [layer, 0])) as Record<Layer, number>;
  for (const layer of LAYERS) {
    const sum = (name: string): number =>
      [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))].reduce(
        (all, match) => all + Number(match[1]),
        0,
      );
    seconds[layer] = Math.max(0, sum(`${LAYER_METRICS.duration(layer)}_sum`) - sum(LAYER_METRICS.waiting(layer)));
  }
  return seconds;
}
