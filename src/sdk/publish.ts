import { ChimeraError, invalidInput } from '../contracts/errors.ts';
import type { AgentVersion } from '../contracts/records.ts';
import { parseTaskType, type TaskType } from '../core/validation/task-type.ts';
import type { Stores } from '../stores/index.ts';
import type { AgentBuild } from './build.ts';
import type { AgentProject } from './project.ts';
import type { TrialReport } from './trial.ts';

/**
 * The registered task type that an agent is for. Throws `CHIMERA_UNKNOWN_TASK_TYPE`, or `CHIMERA_INVALID_INPUT` for
 * models in the manifest that the project does not have.
 */
export async function registeredTaskType(stores: Stores, project: string, agent: AgentProject): Promise<TaskType> {
  const { name, manifest, taskType } = agent;
  const document = await stores.taskTypes.require(project, taskType.name);
  const problems = [];
  for (const [model, id] of Object.entries(manifest.models)) {
    if ((await stores.models.get(project, id)) === undefined)
      problems.push({ path: `agent.json/models/${model}`, message: `this project has no model ${id}` });
  }
  if (problems.length > 0) throw invalidInput(`the manifest of ${name}`, problems);
  return parseTaskType(document);
}

/**
 * Stores an agent that passed its trial: the module, the manifest, and in the audit log what it was made of (compiler,
 * the hash of every source, imports, exports). The same content again changes nothing.
 */
export async function publishAgent(
  stores: Stores,
  project: string,
  agent: AgentProject,
  build: AgentBuild,
  { published, ok }: TrialReport,
): Promise<AgentVersion> {
  if (!ok) throw new ChimeraError('CHIMERA_AGENT_REFUSED', { why: 'a sample failed', rule: 'sample' });
  const artifact = await stores.artifacts.put(build.module, { kind: 'agent' });
  const { language, name } = agent;
  const { toolchain, sources } = build;
  return stores.agents.putVersion(
    project,
    { id: published.id, agent: name, module: artifact, manifest: published.manifest, parents: [] },
    {
      type: 'agent.published',
      actor: 'sdk',
      subject: published.id,
      details: {
        agent: name,
        language,
        toolchain,
        sources,
        imports: [],
        exports: [...published.exports],
        priceVersion: published.priceVersion,
      },
    },
  );
}
