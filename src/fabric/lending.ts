import { createFabric, type Fabric, type FabricOptions } from './fabric.ts';

/** Makes modules that are not stored known to the sandboxes until they are released. */
export type LendBlobs = (blobs: readonly { sha256: string; module: Uint8Array }[]) => { release(): void };

/** A fabric that also runs modules that nobody stored: candidates of a search, compiled for one generation. */
export function createLendingFabric(options: FabricOptions): { fabric: Fabric; lendBlobs: LendBlobs } {
  const lent = new Map<string, Uint8Array>();
  const fabric = createFabric({
    ...options,
    resolve: async (sha256) => lent.get(sha256) ?? options.resolve(sha256),
  });
  return {
    fabric,
    lendBlobs(blobs) {
      for (const { sha256, module } of blobs) lent.set(sha256, module);
      return { release: () => blobs.forEach(({ sha256 }) => lent.delete(sha256)) };
    },
  };
}
