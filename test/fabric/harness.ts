import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { AgentManifest, JsonObject } from '../../src/contracts/records.ts';
import { createFabric } from '../../src/fabric/index.ts';
import type { AgentRef, Fabric, FabricOptions, RunItem, RunJob } from '../../src/fabric/index.ts';

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A fabric over a map of blobs, with the test's own sandbox entry. */
export class Bench {
  readonly blobs = new Map<string, Uint8Array>();
  readonly fabric: Fabric;

  constructor(options: Partial<FabricOptions> = {}) {
    this.fabric = createFabric({
      poolSize: 2,
      entry: fileURLToPath(new URL('./sandbox-entry.ts', import.meta.url)),
      resolve: (name) => {
        const bytes = this.blobs.get(name);
        return bytes === undefined ? Promise.reject(new Error(`no blob ${name}`)) : Promise.resolve(bytes);
      },
      ...options,
    });
  }

  put(bytes: Uint8Array): string {
    const name = sha256(bytes);
    this.blobs.set(name, bytes);
    return name;
  }

  agent(module: Uint8Array, manifest: Partial<AgentManifest> = {}): AgentRef {
    return { sha256: this.put(module), manifest: { ...MANIFEST, ...manifest } };
  }

  job(agent: AgentRef, payloads: readonly JsonObject[]): RunJob {
    return { agent, taskType: TASK_TYPE, items: payloads.map(item) };
  }
}

export const MANIFEST: AgentManifest = {
  abi: 'chimera:agent@1',
  description: 'a test agent',
  capabilities: [],
  models: {},
  limits: {},
  engine: 'any',
};

export const TASK_TYPE: RunJob['taskType'] = { preprocess: [], features: [], output: {} };

export const item = (payload: JsonObject, index = 0): RunItem => ({
  key: `task-${index}`,
  seed: BigInt(index),
  payload,
});
