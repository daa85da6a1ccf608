import { ChimeraError, invalidInput } from '../contracts/errors.ts';
import type { ChimeraClient } from '../client/index.ts';
import type { AgentVersion } from '../contracts/records.ts';
import type { Stores } from '../stores/index.ts';

/** The task type that is meant where nobody names one: the only one there is. */
export async function theTaskType(stores: Stores, project: string, named: string | undefined): Promise<string> {
  if (named !== undefined) return (await stores.taskTypes.require(project, named)).name;
  return onlyOne(await stores.taskTypes.list(project));
}

/** {@link theTaskType}, asked of the API. */
export async function theTaskTypeOf(client: ChimeraClient, named: string | undefined): Promise<string> {
  if (named !== undefined) return (await client.taskType(named)).name;
  return onlyOne(await client.taskTypes());
}

function onlyOne(all: readonly { name: string }[]): string {
  if (all.length === 1) return all[0]!.name;
  const known = all.map(({ name }) => name).join(', ') || 'none';
  throw invalidInput('the command line', [{ path: '--task-type', message: `name one of the task types: ${known}` }]);
}

/**
 * The agent version that a person means: `champion`, an ID, the beginning of an ID, or an agent's name (its latest).
 * @throws {ChimeraError} CHIMERA_NOT_FOUND; CHIMERA_INVALID_INPUT for a beginning that fits more than one
 */
export async function resolveAgent(
  stores: Stores,
  project: string,
  name: string,
  taskType?: string,
): Promise<AgentVersion> {
  if (name === 'champion') {
    const type = await theTaskType(stores, project, taskType);
    const deployment = await stores.deployments.current(project, type);
    if (deployment === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'deployment', name: type });
    return stores.agents.require(project, deployment.champion);
  }
  return stores.agents.find(project, name);
}

/** What the API finds the version by that a person means, `champion` included. */
export async function agentReference(client: ChimeraClient, name: string, taskType?: string): Promise<string> {
  if (name !== 'champion') return name;
  return (await client.deployment(await theTaskTypeOf(client, taskType))).current.champion;
}
