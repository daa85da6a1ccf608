export interface Interruption {
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  /** Resolves with it. */
  readonly promise: Promise<void>;
  /** Ctrl-C ends the process again, as it does without this. */
  release(): void;
}

/** Turns Ctrl-C and SIGTERM into an orderly end. A second Ctrl-C ends the process at once. */
export function untilInterrupted(): Interruption {
  const controller = new AbortController();
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new Error('interrupted'));
    resolve();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return {
    signal: controller.signal,
    promise,
    release: () => {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
    },
  };
}
