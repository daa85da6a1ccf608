import { z } from 'zod';
import { ChimeraError } from '../../contracts/errors.ts';
import { evolutionCycleInput } from '../../contracts/inputs.ts';
import type { CycleReader } from '../cycles.ts';
import { parse } from '../parse.ts';
import { route, type Route } from '../route.ts';
import { cycleList, cycleRequest, cycleView } from '../schemas.ts';
import type { Services } from '../services.ts';

const byId = z.strictObject({ id: z.string().min(1).max(256) });

export function cycleRoutes({ stores, starter }: Services, cycles: CycleReader): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/cycles',
      tag: 'cycles',
      summary: 'Start an evolution cycle',
      description: 'One at a time for a task type: while one runs, that one is the answer.',
      body: cycleRequest,
      responses: { 202: { description: 'The cycle that runs now.', schema: cycleView } },
      errors: [
        'CHIMERA_MALFORMED_JSON',
        'CHIMERA_TOO_LARGE',
        'CHIMERA_UNKNOWN_TASK_TYPE',
        'CHIMERA_TEMPORAL_UNAVAILABLE',
      ],
      handle: async ({ body, principal }) => {
        const { project } = principal;
        await stores.taskTypes.require(project, body.taskType);
        const handle = await starter.cycle(parse(evolutionCycleInput, { ...body, project }, 'the cycle'));
        return { status: 202, body: await cycles.started(project, handle.firstExecutionRunId, handle.workflowId) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/cycles',
      tag: 'cycles',
      summary: 'Cycles: those that run, then those on record, newest first',
      query: z.strictObject({
        taskType: z.string().min(1).max(128).optional(),
        limit: z.coerce.number().int().min(1).max(500).default(50),
      }),
      responses: { 200: { description: 'The cycles.', schema: cycleList } },
      handle: async ({ query, principal }) => ({
        status: 200,
        body: { cycles: await cycles.list(principal.project, query) },
      }),
    }),
    route({
      method: 'GET',
      path: '/v1/cycles/{id}',
      tag: 'cycles',
      summary: 'A cycle: where it is, what it tells, what came out',
      params: byId,
      responses: { 200: { description: 'The cycle.', schema: cycleView } },
      errors: ['CHIMERA_NOT_FOUND', 'CHIMERA_TEMPORAL_UNAVAILABLE'],
      handle: async ({ params, principal }) => ({ status: 200, body: await cycles.get(principal.project, params.id) }),
    }),
    route({
      method: 'GET',
      path: '/v1/reports/{id}',
      tag: 'cycles',
      summary: 'The HTML report of a cycle',
      params: byId,
      responses: { 200: { description: 'A page that needs nothing else.', type: 'text/html' } },
      errors: ['CHIMERA_NOT_FOUND', 'CHIMERA_ARTIFACT_CORRUPT'],
      handle: async ({ params, principal }) => {
        const record = await stores.cycles.get(principal.project, params.id);
        if (record?.report === undefined)
          throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'report of cycle', name: params.id });
        const html = await stores.artifacts.get(record.report);
        return {
          status: 200,
          body: Buffer.from(html),
          type: 'text/html; charset=utf-8',
          // It may style itself and draw; it may not load, send or run anything.
          headers: {
            'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
          },
        };
      },
    }),
  ];
}
