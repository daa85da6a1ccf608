import type { AgentPublication } from '../contracts/agents.ts';
import type { AgentBuild } from './build.ts';
import type { AgentProject } from './project.ts';

/** What the API is sent to publish an agent, with what it was built from. */
export function publicationOf(
  { language, manifest, taskType, samples }: AgentProject,
  { module, toolchain, sources, linked }: AgentBuild,
): AgentPublication {
  return {
    manifest,
    module: Buffer.from(module).toString('base64'),
    taskType: taskType.name,
    samples: [...samples],
    origin: { language, toolchain, sources: { ...sources }, linked: [...linked] },
  };
}
