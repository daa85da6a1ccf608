import type { AgentVersion } from '../contracts/records.ts';
import { CALL_PRICE } from '../core/training/adapter/variants.ts';
import { FUEL_PER_UNIT } from '../core/evolution/fitness.ts';
import { parseGenome, type Genome } from '../core/evolution/genome.ts';
import type { Stores } from '../stores/index.ts';

/** The price of so many model calls of one version, in units of the cheapest model's call. */
export type CallPrice = (calls: number) => number;

/**
 * Prices of a version's model calls. A genome asks its models in a fixed order, so its price is exact; for any other agent a
 * call counts at the mean price of the models it may ask, as a row holds only how many calls there were.
 */
export async function callPrice(
  stores: Pick<Stores, 'models'>,
  project: string,
  { genome, manifest }: Pick<AgentVersion, 'genome' | 'manifest'>,
): Promise<CallPrice> {
  const priceOf = async (name: string): Promise<number> => {
    const id = manifest.models[name];
    if (id === undefined) return 0;
    // What was not trained here is a base: an embedding is a run of it, as an adapter's answer is.
    return (await stores.models.get(project, id))?.price ?? CALL_PRICE;
  };
  if (genome !== undefined) {
    const prices = await Promise.all(askingOrder(parseGenome(genome)).map(priceOf));
    return (calls) => prices.slice(0, calls).reduce((sum, price) => sum + price, 0);
  }
  const prices = await Promise.all(Object.keys(manifest.models).map(priceOf));
  const mean = prices.length === 0 ? 0 : prices.reduce((sum, price) => sum + price, 0) / prices.length;
  return (calls) => calls * mean;
}

/** The models of a genome in the order in which it asks them. */
function askingOrder({ model }: Genome): string[] {
  if (model === undefined) return [];
  return model.second === undefined ? [model.name] : [model.name, model.second.name];
}

/** What one execution cost, in units of the cheapest model's call: its model calls and its fuel. */
export const costOf = (price: CallPrice, modelCalls: number, fuel: number): number =>
  price(modelCalls) + fuel / FUEL_PER_UNIT;

/** The cost of every stored execution with an ordinal in [from, to). */
export async function executionCosts(
  stores: Stores,
  project: string,
  taskType: string,
  from: number,
  to: number,
): Promise<(taskId: string, agentVersion: string) => number> {
  const executions = await stores.executions.range(project, taskType, from, to);
  const prices = new Map<string, CallPrice>();
  for (const { agentVersion } of executions) {
    if (prices.has(agentVersion)) continue;
    prices.set(agentVersion, await callPrice(stores, project, await stores.agents.require(project, agentVersion)));
  }
  const costs = new Map(
    executions.map(({ taskId, agentVersion, modelCalls, fuel }) => [
      `${taskId} ${agentVersion}`,
      costOf(prices.get(agentVersion)!, modelCalls, fuel),
    ]),
  );
  return (taskId, agentVersion) => costs.get(`${taskId} ${agentVersion}`) ?? 0;
}
