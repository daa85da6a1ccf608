import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { ChimeraError, invalidInput } from '../../contracts/errors.ts';
import { admitBatch } from '../batch-admission.ts';
import { route, type Route } from '../route.ts';
import { batchAccepted, batchLine, batchView } from '../schemas.ts';
import type { Services } from '../services.ts';
import { viewBatch } from '../views.ts';
import { oneKey } from './tasks.ts';

export function batchRoutes(services: Services): Route[] {
  const { stores } = services;
  return [
    route({
      method: 'POST',
      path: '/v1/task-types/{name}/batches',
      tag: 'batches',
      summary: 'Submit many tasks as NDJSON',
      description:
        'Lines are read as fast as they are taken. Nothing starts before all of them are accepted; when any is refused, all problems are listed (100 at most) and none is accepted. The same key again is the same batch.',
      headers: { 'Idempotency-Key': 'Instead of `key` in the query.' },
      params: z.strictObject({ name: z.string().min(1).max(128) }),
      query: z.strictObject({
        key: z.string().min(1).max(200).optional().describe('Idempotency key of the batch.'),
      }),
      lines: batchLine,
      responses: { 202: { description: 'All tasks are accepted.', schema: batchAccepted } },
      errors: ['CHIMERA_TOO_LARGE', 'CHIMERA_UNKNOWN_TASK_TYPE', 'CHIMERA_CONFLICT'],
      handle: async ({ params, query, headers, stream, principal }) => {
        const taskType = await services.taskTypes.require(principal.project, params.name);
        if (stream === undefined)
          throw invalidInput('the request', [{ path: 'Content-Type', message: 'must be application/x-ndjson' }]);
        const key = oneKey(headers['idempotency-key'], query.key, '/key') ?? randomUUID();
        const batch = await admitBatch({ stores, project: principal.project, taskType, key, stream });
        return { status: 202, body: batch };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/batches/{id}',
      tag: 'batches',
      summary: 'Progress of a batch',
      params: z.strictObject({ id: z.string().min(1).max(256) }),
      responses: { 200: { description: 'The batch.', schema: batchView } },
      errors: ['CHIMERA_NOT_FOUND'],
      handle: async ({ params, principal }) => {
        const batch = await stores.batches.get(principal.project, params.id);
        if (batch === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'batch', name: params.id });
        return { status: 200, body: await viewBatch(stores, batch) };
      },
    }),
  ];
}
