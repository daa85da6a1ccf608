import assert from 'node:assert/strict';
import { callPrice, costOf } from '../../src/activities/costs.ts';
import type { AgentManifest, ModelRecord } from '../../src/contracts/records.ts';
import { CALL_PRICE } from '../../src/core/training/adapter/variants.ts';
import { FUEL_PER_UNIT } from '../../src/core/evolution/fitness.ts';

const BASE = 'b'.repeat(64);
const PRICES: Record<string, number> = { ['1'.repeat(64)]: 1, ['2'.repeat(64)]: 40 };
const stores = {
  models: {
    get: (_project: string, id: string) =>
      Promise.resolve(PRICES[id] === undefined ? undefined : ({ price: PRICES[id] } as ModelRecord)),
  },
} as Parameters<typeof callPrice>[0];

const manifest = (models: Record<string, string>): AgentManifest => ({
  ...{ abi: 'chimera:agent@1', description: '', capabilities: ['infer'], models, limits: {}, engine: 'any' },
});

describe('what an execution costs', () => {
  const [cheap, dear] = Object.keys(PRICES) as [string, string];
  const priceOf = (models: Record<string, string>, calls: number): Promise<number> =>
    callPrice(stores, 'p', { manifest: manifest(models) }).then((price) => price(calls));

  it('is the mean price of the models that an agent may ask, a call', async () => {
    assert.equal(await priceOf({ cheap, dear }, 2), 41);
    assert.equal(await priceOf({}, 0), 0);
  });

  it('is not nothing where a call embeds by a base model, which nobody trained here', async () => {
    assert.equal(await priceOf({ embedder: BASE }, 3), 3 * CALL_PRICE);
  });

  it('adds the fuel, in the same unit', async () => {
    const price = await callPrice(stores, 'p', { manifest: manifest({ cheap }) });
    assert.equal(costOf(price, 2, FUEL_PER_UNIT / 2), 2.5);
  });
});
