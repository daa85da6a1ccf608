declare global {
  // Set only by the preload of a kill test; absent in every other process.
  var __chimeraFailpoint: ((name: string) => void) | undefined;
}

/**
 * A named place between a commit and its acknowledgement, where a kill test may end the process. Does nothing unless a
 * test preload has set `globalThis.__chimeraFailpoint`.
 */
export function failpoint(name: string): void {
  globalThis.__chimeraFailpoint?.(name);
}
