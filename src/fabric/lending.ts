import { createFabric, type Fabric, type FabricOptions } from './fabric.ts';

/** Makes modules that are not stored known to the sandboxes until they are released. */
export type LendBlobs = (blobs: readonly { sha256: string; module: Uint8Array }[]) => { release(): void };

/** A fabric that also runs modules that nobody stored: candidates of a search, compiled for one generation. */
export function createLendingFabric(options: FabricOptions): { fabric: Fabric; lendBlobs: LendBlobs } {
  const lent = new Map<string, { module: Uint8Array; holders: number }>();
  const fabric = createFabric({
    ...options,
    resolve: async (sha256) => lent.get(sha256)?.module ?? options.resolve(sha256),
  });
  return {
    fabric,
    lendBlobs(blobs) {
      // Shards of one generation lend the same modules at the same time.
      for (const { sha256, module } of blobs)
        lent.set(sha256, { module, holders: (lent.get(sha256)?.holders ?? 0) + 1 });
      let released = false;
      return {
        release() {
          if (released) return;
          released = true;
          for (const { sha256 } of blobs) {
            const { module, holders } = lent.get(sha256)!;
            if (holders > 1) lent.set(sha256, { module, holders: holders - 1 });
            else lent.delete(sha256);
          }
        },
      };
    },
  };
}
