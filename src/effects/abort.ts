/**
 * What `work` comes to, or undefined where `signal` is aborted first: work that cannot be stopped is left. Rejects as `work` does;
 * what becomes of work that was left, nobody hears.
 */
export async function unlessAborted<T>(
  work: T | PromiseLike<T>,
  signal: AbortSignal,
): Promise<{ readonly value: T } | undefined> {
  const aborted = Promise.withResolvers<undefined>();
  const abort = (): void => aborted.resolve(undefined);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([aborted.promise, Promise.resolve(work).then((value) => ({ value }))]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
