import { z } from 'zod';
import { route, type Route } from '../route.ts';
import { deadLetterList, redriveAnswer, redriveRequest } from '../schemas.ts';
import type { Services } from '../services.ts';

export function deadLetterRoutes({ stores }: Services): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/dead-letters',
      tag: 'dead letters',
      summary: 'Tasks that could not be run, with the reason, newest first',
      query: z.strictObject({
        taskType: z.string().min(1).max(128).optional(),
        limit: z.coerce.number().int().min(1).max(1000).default(100),
      }),
      responses: { 200: { description: 'Those that were not re-driven.', schema: deadLetterList } },
      handle: async ({ query, principal }) => ({
        status: 200,
        body: { deadLetters: await stores.deadLetters.list(principal.project, query) },
      }),
    }),
    route({
      method: 'POST',
      path: '/v1/dead-letters/redrive',
      tag: 'dead letters',
      summary: 'Run dead tasks again, with their routing as admitted',
      body: redriveRequest,
      responses: { 202: { description: 'The tasks that will run again.', schema: redriveAnswer } },
      errors: ['CHIMERA_MALFORMED_JSON', 'CHIMERA_TOO_LARGE'],
      handle: async ({ body, principal }) => {
        const { project, keyName } = principal;
        const redriven = await stores.deadLetters.redrive(project, body.taskIds, {
          type: 'deadLetters.redriven',
          actor: keyName,
          subject: body.taskIds === undefined ? 'all' : `${body.taskIds.length} tasks`,
          details: body.taskIds === undefined ? {} : { taskIds: body.taskIds },
        });
        return { status: 202, body: { redriven } };
      },
    }),
  ];
}
