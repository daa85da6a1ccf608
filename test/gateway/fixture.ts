import { Client, Connection } from '@temporalio/client';
import type { FastifyInstance } from 'fastify';
import { ChimeraClient } from '../../src/client/index.ts';
import { parseTaskType, type TaskType } from '../../src/core/validation/task-type.ts';
import { createGateway, type GatewayConfig } from '../../src/gateway/server.ts';
import { openArtifacts } from '../../src/stores/artifacts/open.ts';
import { createStores, type Stores, type TaskTypeDocument } from '../../src/stores/index.ts';
import { queuePrefix, testStack } from '../helpers/stack.ts';

export const PROJECT = 'default';
export const CHAMPION = 'a'.repeat(64);

/** A task type without anything special: a text in, a label out. */
export const LABELS: TaskType = parseTaskType({
  name: 'labels',
  version: 1,
  title: 'Texts to labels',
  input: {
    type: 'object',
    required: ['text'],
    properties: { text: { type: 'string', minLength: 1 }, size: { type: 'integer', minimum: 0 }, tree: {} },
    additionalProperties: false,
  },
  output: { type: 'object', required: ['label'], properties: { label: { enum: ['a', 'b'] } } },
  scorer: { kind: 'label', pointer: '/label', labels: ['a', 'b'], positive: 'b' },
  objectives: [{ kpi: 'accuracy', direction: 'maximise' }],
});

export interface Platform {
  readonly stores: Stores;
  readonly temporal: Client;
  readonly queuePrefix: string;
  readonly apiKey: string;
  readonly gateway: FastifyInstance;
  readonly baseUrl: string;
  readonly databaseUrl: string;
  readonly client: ChimeraClient;
  /** A call with the key, unless `headers` say otherwise. */
  call(
    method: string,
    path: string,
    body?: string | Uint8Array | null,
    headers?: Record<string, string>,
  ): Promise<Response>;
  close(): Promise<void>;
}

/** A gateway on loopback over a database of its own, with a task type and a champion; no workers. */
export async function startPlatform(config: GatewayConfig = {}): Promise<Platform> {
  const stack = await testStack();
  const database = await stack.createDatabase();
  const artifacts = openArtifacts(stack.stack.artifacts);
  const stores = createStores({ databaseUrl: database.url, artifacts });
  await stores.migrate();
  await stores.projects.ensure(PROJECT);
  const { key: apiKey } = await stores.apiKeys.create(PROJECT, 'test');
  await stores.taskTypes.put(PROJECT, LABELS as TaskTypeDocument);
  await stores.agents.putVersion(PROJECT, {
    id: CHAMPION,
    agent: 'constant',
    module: await artifacts.put(Buffer.from('a module')),
    manifest: {
      abi: 'chimera:agent@1',
      description: 'always a',
      capabilities: [],
      models: {},
      limits: {},
      engine: 'any',
    },
    parents: [],
  });
  await stores.deployments.initial(PROJECT, LABELS.name, CHAMPION, {
    type: 'deployment.initial',
    actor: 'test',
    subject: LABELS.name,
    details: {},
  });
  const connection = await Connection.connect({ address: stack.temporalAddress });
  const temporal = new Client({ connection, namespace: stack.namespace });
  const prefix = queuePrefix();
  const gateway = createGateway({
    stores,
    temporal,
    config: { queuePrefix: prefix, startDeadlineMs: 10_000, ...config },
    metrics: () => Promise.resolve('# HELP up Whether it is up\n'),
  });
  const baseUrl = await gateway.listen({ host: '127.0.0.1', port: 0 });
  return {
    stores,
    temporal,
    queuePrefix: prefix,
    apiKey,
    gateway,
    baseUrl,
    databaseUrl: database.url,
    client: new ChimeraClient({ baseUrl, apiKey, retry: { initialMs: 10 } }),
    call: (method, path, body, headers) =>
      fetch(baseUrl + path, {
        method,
        headers: {
          authorization: `Bearer ${apiKey}`,
          ...(body == null ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body == null ? {} : { body: body as string }),
      }),
    close: async () => {
      await gateway.close();
      await stores.close();
      await connection.close();
      await database.drop();
    },
  };
}
