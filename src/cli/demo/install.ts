import { storeVersion } from '../../activities/publishing.ts';
import type { JsonObject } from '../../contracts/records.ts';
import { compileGenome } from '../../core/evolution/compile.ts';
import { createFabric } from '../../fabric/index.ts';
import type { Stores, TaskTypeDocument } from '../../stores/index.ts';
import type { DemoExample } from './example.ts';

/**
 * Registers the example's task type, publishes its first agent and lets it serve. Doing so again changes nothing.
 * Returns the id of the baseline's version.
 */
export async function installExample(stores: Stores, project: string, example: DemoExample): Promise<string> {
  const { taskType, baseline } = example;
  await stores.taskTypes.put(project, taskType as unknown as TaskTypeDocument);
  const module = compileGenome(baseline.genome);
  const fabric = createFabric({ poolSize: 1, resolve: (sha256) => stores.artifacts.get({ sha256 }) });
  try {
    const published = await fabric.publish(module, {
      abi: 'chimera:agent@1',
      description: baseline.description,
      capabilities: [],
      models: {},
      limits: {},
      engine: 'any',
    });
    await storeVersion(stores, project, module, published, {
      agent: baseline.agent,
      by: 'install',
      genome: baseline.genome as unknown as JsonObject,
    });
    if ((await stores.deployments.current(project, taskType.name)) === undefined) {
      await stores.deployments.initial(project, taskType.name, published.id, {
        type: 'deployment.initial',
        actor: 'install',
        subject: taskType.name,
        details: { champion: published.id },
      });
    }
    return published.id;
  } finally {
    fabric.close();
  }
}
