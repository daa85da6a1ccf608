import { z } from 'zod';
import { ChimeraError } from '../../contracts/errors.ts';
import { parseTaskType } from '../../core/validation/task-type.ts';
import type { TaskTypeDocument } from '../../stores/index.ts';
import { route, type Route } from '../route.ts';
import { deploymentList, deploymentRequest, deploymentView, taskTypeList, taskTypeView } from '../schemas.ts';
import type { Services } from '../services.ts';

const named = z.strictObject({ name: z.string().min(1).max(128) });

export function taskTypeRoutes({ stores, starter, taskTypes, log }: Services): Route[] {
  const readDeployment = async (project: string, taskType: string): Promise<unknown> => {
    await stores.taskTypes.require(project, taskType);
    const history = await stores.deployments.history(project, taskType);
    const current = history.at(-1);
    if (current === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'deployment', name: taskType });
    return { current, history };
  };
  return [
    route({
      method: 'POST',
      path: '/v1/task-types',
      tag: 'task types',
      summary: 'Register a version of a task type',
      description:
        'The same content again changes nothing; another content under the same name and version is refused.',
      body: taskTypeView,
      responses: {
        200: { description: 'It was registered before.', schema: taskTypeView },
        201: { description: 'It is registered.', schema: taskTypeView },
      },
      errors: ['CHIMERA_MALFORMED_JSON', 'CHIMERA_TOO_LARGE', 'CHIMERA_CONFLICT'],
      handle: async ({ body, principal }) => {
        const document = parseTaskType(body);
        const { created } = await stores.taskTypes.put(principal.project, document as TaskTypeDocument);
        taskTypes.forget(principal.project);
        return { status: created ? 201 : 200, body: document };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/task-types',
      tag: 'task types',
      summary: 'The latest version of each task type',
      responses: { 200: { description: 'By name.', schema: taskTypeList } },
      handle: async ({ principal }) => ({
        status: 200,
        body: { taskTypes: await stores.taskTypes.list(principal.project) },
      }),
    }),
    route({
      method: 'GET',
      path: '/v1/task-types/{name}',
      tag: 'task types',
      summary: 'Read a task type',
      params: named,
      query: z.strictObject({
        version: z.coerce.number().int().min(1).optional().describe('Default: the latest.'),
      }),
      responses: { 200: { description: 'The task type.', schema: taskTypeView } },
      errors: ['CHIMERA_UNKNOWN_TASK_TYPE'],
      handle: async ({ params, query, principal }) => ({
        status: 200,
        body: await stores.taskTypes.require(principal.project, params.name, query.version),
      }),
    }),
    route({
      method: 'GET',
      path: '/v1/task-types/{name}/deployment',
      tag: 'deployments',
      summary: 'Which agent versions serve a task type, and which did',
      params: named,
      responses: { 200: { description: 'The deployment and its history.', schema: deploymentView } },
      errors: ['CHIMERA_UNKNOWN_TASK_TYPE', 'CHIMERA_NOT_FOUND'],
      handle: async ({ params, principal }) => ({
        status: 200,
        body: await readDeployment(principal.project, params.name),
      }),
    }),
    route({
      method: 'POST',
      path: '/v1/task-types/{name}/deployment',
      tag: 'deployments',
      summary: 'Name the first champion of a task type',
      description: 'Once: later champions come from rollouts. The same one again changes nothing.',
      params: named,
      body: deploymentRequest,
      responses: { 200: { description: 'The deployment and its history.', schema: deploymentView } },
      errors: ['CHIMERA_UNKNOWN_TASK_TYPE', 'CHIMERA_NOT_FOUND', 'CHIMERA_EPOCH_CONFLICT'],
      handle: async ({ params, body, principal }) => {
        const { project, keyName } = principal;
        await stores.taskTypes.require(project, params.name);
        await stores.agents.require(project, body.champion);
        await stores.deployments.initial(project, params.name, body.champion, {
          type: 'deployment.initial',
          actor: keyName,
          subject: params.name,
          details: { champion: body.champion },
        });
        await starter
          .monitor({ project, taskType: params.name })
          .catch((err: unknown) => log.warn({ err }, 'the monitor of a stream is left to the dispatcher'));
        return { status: 200, body: await readDeployment(project, params.name) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/deployments',
      tag: 'deployments',
      summary: 'The current deployment of each task type',
      responses: { 200: { description: 'By task type.', schema: deploymentList } },
      handle: async ({ principal }) => {
        const types = await stores.taskTypes.list(principal.project);
        const current = await Promise.all(types.map(({ name }) => stores.deployments.current(principal.project, name)));
        return { status: 200, body: { deployments: current.filter((deployment) => deployment !== undefined) } };
      },
    }),
  ];
}
