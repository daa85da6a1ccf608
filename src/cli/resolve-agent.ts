import { ChimeraError, invalidInput } from '../contracts/errors.ts';
import type { AgentVersion } from '../contracts/records.ts';
import type { Stores } from '../stores/index.ts';

/** The task type that is meant where nobody names one: the only one there is. */
export async function theTaskType(stores: Stores, project: string, named: string | undefined): Promise<string> {
  if (named !== undefined) return (await stores.taskTypes.require(project, named)).name;
  const all = await stores.taskTypes.list(project);
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
    if (deployment === undefined)
      throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'deployment', name: `of task type ${type}` });
    return stores.agents.require(project, deployment.champion);
  }
  const exact = await stores.agents.get(project, name);
  if (exact !== undefined) return exact;
  const agents = await stores.agents.list(project);
  const byName = agents.find(({ agent }) => agent === name);
  if (byName !== undefined) return stores.agents.require(project, byName.latest);
  const versions = (await Promise.all(agents.map(({ agent }) => stores.agents.versionsOf(project, agent)))).flat();
  const fitting = versions.filter(({ id }) => id.startsWith(name));
  if (fitting.length === 1) return fitting[0]!;
  if (fitting.length > 1)
    throw invalidInput('the agent', [{ path: name, message: `${fitting.length} versions begin so; give more digits` }]);
  const known = agents.map(({ agent }) => ({ path: agent, message: 'is a known agent' }));
  throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'agent', name, problems: known });
}
