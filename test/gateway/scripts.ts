import type { JsonObject, JsonValue } from '../../src/contracts/records.ts';
import { ChimeraClient, type ApprovalView, type ExecutionDetails, type TaskView } from '../../src/client/index.ts';
import { createGateway } from '../../src/gateway/server.ts';
import type { Stores } from '../../src/stores/index.ts';
import { testAgent } from '../helpers/agents.ts';
import { randomProject, sharedPlatform, until, type TestPlatform } from '../helpers/platform.ts';
import { openScene } from '../workflows/scene.ts';
import { effect, SCRIPTS } from '../workflows/scripts.ts';

export const count = (n: number): JsonObject => effect('tool', { tool: 'counting', input: { n } });
export const ask = (question: string, more: JsonObject = {}): JsonObject => effect('ask-human', { question, ...more });

/** A gateway before workers, with an agent that goes turn by turn. */
export interface Scripts {
  readonly platform: TestPlatform;
  readonly stores: Stores;
  readonly project: string;
  /** Of the agent that serves. */
  readonly version: string;
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly client: ChimeraClient;
  /** Of another project. */
  readonly stranger: ChimeraClient;
  /** Accepts a task of this script; its execution has the task's ID. */
  submit(script: JsonValue): Promise<string>;
  /** The open question of an execution, once it asks one. */
  question(executionId: string): Promise<ApprovalView>;
  /** The execution, once it waits. */
  waiting(executionId: string): Promise<ExecutionDetails>;
  /** The task, once it is completed or failed. */
  resolved(taskId: string): Promise<TaskView>;
  /** An execution that is stored and that nothing runs. */
  opened(executionId: string): Promise<void>;
  close(): Promise<void>;
}

export async function openScripts(): Promise<Scripts> {
  const platform = await sharedPlatform();
  const { stores, temporal, queuePrefix } = platform;
  const { project, taskType } = await openScene(platform, await testAgent('scripted'), {
    type: SCRIPTS,
    manifest: { capabilities: ['tool', 'ask-human'], tools: ['counting'] },
  });
  const version = (await stores.deployments.current(project, taskType))!.champion;
  const { key: apiKey } = await stores.apiKeys.create(project, 'ada');
  const other = randomProject();
  await stores.projects.ensure(other);
  const { key: otherKey } = await stores.apiKeys.create(other, 'mallory');
  const gateway = createGateway({ stores, temporal, config: { queuePrefix, startDeadlineMs: 10_000 } });
  const baseUrl = await gateway.listen({ host: '127.0.0.1', port: 0 });
  const client = new ChimeraClient({ baseUrl, apiKey });
  return {
    ...{ platform, stores, project, version, baseUrl, apiKey, client },
    stranger: new ChimeraClient({ baseUrl, apiKey: otherKey }),
    submit: async (script) => (await client.submit({ taskType, payload: { script } })).taskId,
    question: (executionId) =>
      until('a question', async () => (await client.approvals.list({ execution: executionId }))[0]),
    waiting: (executionId) =>
      until('the execution to wait', async () => {
        const found = await client.executions.get(executionId).catch(() => undefined);
        return found?.now?.state === 'waiting' ? found : undefined;
      }),
    resolved: (taskId) =>
      until('the task to be resolved', async () => {
        const task = await client.getTask(taskId);
        return task.state === 'completed' || task.state === 'failed' ? task : undefined;
      }),
    opened: async (executionId) => {
      await stores.longExecutions.open(project, {
        ...{ executionId, taskType, taskId: executionId, ordinal: 0, agentVersion: version, depth: 0 },
        config: { seed: '1', budget: {} },
      });
    },
    close: () => gateway.close(),
  };
}
