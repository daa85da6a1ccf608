import { hash } from 'node:crypto';
import type { AgentManifest } from '../../src/contracts/records.ts';
import { compileGenome } from '../../src/core/evolution/compile.ts';
import { LIMIT_CEILINGS } from '../../src/core/execution/limits.ts';
import { Code, I32, I64 } from '../../src/core/wasm/code.ts';
import { encodeModule } from '../../src/core/wasm/encoder.ts';
import { createFabric } from '../../src/fabric/index.ts';
import type { AgentRef, Fabric, FabricOptions, RunItem, TaskTypeRef } from '../../src/fabric/index.ts';

const MANIFEST: AgentManifest = {
  abi: 'chimera:agent@1',
  description: 'an agent of the benchmark',
  capabilities: [],
  models: {},
  limits: {},
  engine: 'any',
};

export const TASK_TYPE: TaskTypeRef = {
  preprocess: [],
  features: [],
  output: { type: 'object', properties: { label: { type: 'string' } } },
};

/** The smallest thing that evolution makes: a program of two rules over two features. Another one for each number. */
export const smallAgent = (number: number): Uint8Array<ArrayBuffer> =>
  compileGenome({
    labels: ['ham', 'spam'],
    rules: [
      { when: [{ feature: 0, op: '>', threshold: 1e6 + number }], then: { label: 'spam' } },
      {
        when: [{ sum: [0, 1].map((feature) => ({ feature, weight: 0.5 })), op: '>', threshold: 7 }],
        then: { label: 'ham' },
      },
    ],
    otherwise: { label: 'spam' },
    default: 'ham',
  });

/** An agent that never answers. */
export const endlessAgent = (): Uint8Array<ArrayBuffer> =>
  encodeModule({
    functions: [
      {
        params: [I32, I32, I32, I64, I64, I32, I32, I32, I32, I32],
        results: [I32],
        code: new Code().loop().br(0).end().op('unreachable'),
        export: 'step',
      },
      { params: [I32, I32, I32, I32], results: [I32], code: new Code().i32(8), export: 'cabi_realloc' },
    ],
    memory: { min: 1, export: 'memory' },
  });

/** Fuel that no machine burns before a deadline of the benchmark. */
export const ENDLESS_LIMITS = { fuel: LIMIT_CEILINGS.fuel };

/** Inputs as they are in a dataset: small, prepared, no two alike. */
export const items = (count: number): (RunItem & Required<Pick<RunItem, 'prepared'>>)[] =>
  Array.from({ length: count }, (_, n) => ({
    key: `item/${n}`,
    seed: BigInt(n),
    prepared: {
      payload: { id: n, text: `the quick brown fox number ${n}`, total: n / 8 },
      features: Float64Array.of(n, n % 7),
    },
  }));

/** A fabric whose agents are these modules. */
export function fabricOf(
  modules: readonly Uint8Array[],
  options: Pick<FabricOptions, 'poolSize' | 'wasmtime' | 'engine'>,
  limits: AgentManifest['limits'] = {},
): { fabric: Fabric; agents: AgentRef[] } {
  const known = new Map(modules.map((module) => [hash('sha256', module), module]));
  const fabric = createFabric({ ...options, resolve: (sha256) => Promise.resolve(known.get(sha256)!) });
  return { fabric, agents: agentsOf([...known.values()], limits) };
}

/** How jobs name the agents of these modules. */
export const agentsOf = (modules: readonly Uint8Array[], limits: AgentManifest['limits'] = {}): AgentRef[] =>
  modules.map((module) => ({ sha256: hash('sha256', module), manifest: { ...MANIFEST, limits } }));
