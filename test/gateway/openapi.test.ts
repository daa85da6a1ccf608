import assert from 'node:assert/strict';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { OpenApiDocument } from '../../src/gateway/openapi.ts';
import { ERRORS } from '../../src/contracts/errors.ts';
import { answering } from '../fabric/agents.ts';
import { startPlatform, type Platform } from './fixture.ts';

interface Operation {
  operationId: string;
  summary: string;
  parameters: { name: string; in: string; required: boolean; schema: object }[];
  requestBody?: { content: Record<string, { schema: object }> };
  responses: Record<string, { description: string; content: Record<string, { schema: object }> }>;
  security?: unknown[];
}

describe('gateway: the OpenAPI document', function () {
  this.timeout(240_000);
  let platform: Platform;
  let document: OpenApiDocument & { components: { schemas: Record<string, object> } };
  let operations: [string, string, Operation][];

  before(async () => {
    platform = await startPlatform();
    document = (await (await fetch(`${platform.baseUrl}/openapi.json`)).json()) as typeof document;
    operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]): [string, string, Operation] => [
        path,
        method,
        operation as Operation,
      ]),
    );
  });
  after(() => platform?.close());

  it('is OpenAPI 3.1 in form', () => {
    assert.equal(document.openapi, '3.1.0');
    const ids = operations.map(([, , { operationId }]) => operationId);
    assert.equal(new Set(ids).size, ids.length, 'operation IDs are unique');
    for (const [path, method, operation] of operations) {
      assert.ok(operation.summary, `${method} ${path}`);
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const declared = operation.parameters.filter((parameter) => parameter.in === 'path');
      assert.deepEqual(
        declared.map(({ name }) => name),
        inPath,
        path,
      );
      assert.ok(declared.every(({ required }) => required));
      for (const [status, { description }] of Object.entries(operation.responses)) {
        assert.match(status, /^[2-5]\d\d$/);
        assert.ok(description);
      }
    }
  });

  it('has schemas that compile, and every reference resolves', () => {
    const ajv = new Ajv2020({ strict: false, formats: { 'date-time': true } });
    ajv.addSchema({ ...document, $id: 'openapi' });
    for (const name of Object.keys(document.components.schemas))
      assert.equal(typeof ajv.compile({ $ref: `openapi#/components/schemas/${name}` }), 'function', name);
    for (const [, reference] of JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)) {
      const name = /^#\/components\/schemas\/(\w+)$/.exec(reference!)?.[1];
      assert.ok(name !== undefined && name in document.components.schemas, reference);
    }
  });

  it('has every route that is served, and no other', () => {
    const served = platform.gateway
      .printRoutes({ commonPrefix: false, includeHooks: false })
      .split('\n')
      .flatMap((line) => {
        const found = /(\/\S*) \(([A-Z, ]+)\)/.exec(line);
        if (found === null) return [];
        const methods = found[2]!.split(', ').filter((method) => method !== 'HEAD');
        return methods.map((method) => method.toLowerCase());
      });
    assert.equal(served.length, operations.length);
    for (const [path, method] of operations)
      assert.ok(
        platform.gateway.hasRoute({ method: method.toUpperCase() as 'GET', url: path.replaceAll(/\{(\w+)\}/g, ':$1') }),
        path,
      );
  });

  it('asks for a key under /v1 and nowhere else', () => {
    for (const [path, , { security }] of operations)
      assert.equal(security === undefined, path.startsWith('/v1/'), path);
  });

  it('answers what it says: a task fits its schema, an error fits its', async () => {
    const ajv = new Ajv2020({ strict: false, formats: { 'date-time': true } });
    ajv.addSchema({ ...document, $id: 'openapi' });
    const fits = (name: string, value: unknown): void => {
      const validate = ajv.compile({ $ref: `openapi#/components/schemas/${name}` });
      assert.ok(validate(value), JSON.stringify(validate.errors));
    };
    const task = await platform.client.submit({ taskType: 'labels', payload: { text: 'x' } });
    fits('Task', task);
    fits('TaskTypes', { taskTypes: await platform.client.taskTypes() });
    fits('DeploymentHistory', await platform.client.deployment('labels'));
    fits('Agents', { agents: await platform.client.agents() });
    fits('AgentVersion', await platform.client.agentVersion('constant'));
    const published = await platform.client.publishAgent('answering', {
      manifest: { description: 'always a' },
      module: Buffer.from(answering('{"label":"a"}')).toString('base64'),
      taskType: 'labels',
      samples: [{ name: 'x', input: { text: 'x' }, expect: { output: { label: 'a' } } }],
    });
    fits('Published', published);
    const refused = await platform.call('POST', '/v1/tasks', '{}');
    fits('Error', await refused.json());
    assert.ok(String(refused.status) in (document.paths['/v1/tasks']!['post'] as Operation).responses);
  });

  it('documents a body that its handler checks', () => {
    const { requestBody } = document.paths['/v1/agents/{agent}/versions']!['post'] as Operation;
    const { schema } = requestBody!.content['application/json']!;
    assert.deepEqual(schema, { $ref: '#/components/schemas/AgentPublication' });
    const { required } = document.components.schemas['AgentPublication'] as { required: string[] };
    assert.deepEqual(required, ['manifest', 'module']);
  });

  it('names the errors of the table by status', () => {
    const { responses } = document.paths['/v1/tasks']!['post'] as Operation;
    assert.match(responses['404']!.description, /CHIMERA_UNKNOWN_TASK_TYPE/);
    assert.ok(responses[String(ERRORS.CHIMERA_TOO_LARGE.status)]);
  });
});
