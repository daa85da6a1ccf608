import type { ArtifactRef } from '../contracts/records.ts';
import { Comparison, type Check, type VerifyDeps } from './check.ts';

/** An artifact that a row names, and which. */
export interface NamedArtifact {
  readonly name: string;
  readonly ref: Pick<ArtifactRef, 'sha256'>;
}

/** That artifacts are what their names say: those that rows name, and with `all` everything that is stored. */
export async function checkArtifacts(deps: VerifyDeps, named: readonly NamedArtifact[], all: boolean): Promise<Check> {
  const { artifacts } = deps.stores;
  const compared = new Comparison('artifacts');
  const read = async (name: string, ref: NamedArtifact['ref']): Promise<void> => {
    deps.signal.throwIfAborted();
    // Reading one checks its content; what fails is the difference.
    await compared.derive(name, async () => {
      await artifacts.get(ref);
      compared.same(name, ref.sha256, ref.sha256);
    });
  };
  const seen = new Set<string>();
  for (const { name, ref } of named) {
    if (seen.has(ref.sha256)) continue;
    seen.add(ref.sha256);
    await read(`${name}, artifact ${ref.sha256}`, ref);
  }
  if (all) {
    for await (const ref of artifacts.list()) if (!seen.has(ref.sha256)) await read(`artifact ${ref.sha256}`, ref);
  }
  return compared.done();
}
