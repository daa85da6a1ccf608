import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';

export interface ExportWatcher {
  /** A batch of so many spans was not taken. */
  dropped(spans: number): void;
  /** The collector took the last batch and not this one. */
  lost(error: Error | undefined): void;
  /** The collector takes batches again. */
  recovered(): void;
}

type ExportResult = Parameters<Parameters<SpanExporter['export']>[1]>[0];

/** `ExportResultCode.SUCCESS` of @opentelemetry/core. */
const SUCCESS = 0;

/** `exporter`, telling `watcher` when its collector goes and comes back: once each, not for every batch. */
export function watched(exporter: SpanExporter, watcher: ExportWatcher): SpanExporter {
  let reachable = true;
  const note = (spans: number, result: ExportResult): void => {
    const ok = result.code === SUCCESS;
    if (!ok) watcher.dropped(spans);
    if (ok && !reachable) watcher.recovered();
    if (!ok && reachable) watcher.lost(result.error);
    reachable = ok;
  };
  return {
    export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
      exporter.export(spans, (result) => {
        note(spans.length, result);
        done(result);
      });
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}
