import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDirectoryArtifacts, createStores, type Stores } from '../../src/stores/index.ts';
import type { AuditEvent, ExecutionRow, JsonObject, TaskRecord } from '../../src/contracts/records.ts';
import { testStack } from '../helpers/stack.ts';

export const PROJECT = 'default';
export const TYPE = 'mail-triage';

export interface Fixture {
  readonly stores: Stores;
  readonly url: string;
  close(): Promise<void>;
}

/** An empty, migrated database and an artifact directory of their own. */
export async function openFixture(): Promise<Fixture> {
  const database = await (await testStack()).createDatabase();
  const folder = await mkdtemp(join(tmpdir(), 'chimera-stores-'));
  const stores = createStores({ databaseUrl: database.url, artifacts: createDirectoryArtifacts(folder) });
  await stores.migrate();
  return {
    stores,
    url: database.url,
    async close() {
      await stores.close();
      await database.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export const event = (type: string, details: JsonObject = {}): AuditEvent => ({
  type,
  actor: 'test',
  subject: TYPE,
  details,
});

/** A task type with a first deployment of champion `a`, in a project of its own. */
export async function openStream(stores: Stores, project: string, taskType = TYPE): Promise<void> {
  await stores.projects.ensure(project);
  await stores.taskTypes.put(project, { name: taskType, version: 1, feedbackDeadlineMs: 60_000 });
  await stores.deployments.initial(project, taskType, 'a', event('deployment.initial'));
}

/** Admits tasks with keys `k0`, `k1`, … and returns them. */
export async function admit(stores: Stores, project: string, count: number, from = 0): Promise<TaskRecord[]> {
  const submissions = Array.from({ length: count }, (_, i) => ({ key: `k${from + i}`, payload: { n: from + i } }));
  return (await stores.tasks.acceptMany(project, TYPE, submissions)).map(({ task }) => task);
}

export function execution(task: TaskRecord, over: Partial<ExecutionRow> = {}): ExecutionRow {
  return {
    taskId: task.taskId,
    ordinal: task.ordinal,
    agentVersion: task.routing.served,
    role: 'served',
    status: 'completed',
    output: { label: 'spam' },
    fuel: 1_000_000_000_000,
    modelCalls: 1,
    memoryBytes: 65_536,
    turns: 2,
    recordHash: `hash-${task.ordinal}`,
    features: [0.1, 1e-300, 12345678.9, -0.5],
    ...over,
  };
}
