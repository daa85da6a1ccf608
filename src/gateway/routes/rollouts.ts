import { z } from 'zod';
import type { RolloutDocument } from '../../activities/rollout.ts';
import { ChimeraError, invalidInput } from '../../contracts/errors.ts';
import type { RolloutView } from '../../client/types.ts';
import { explainRollout } from '../../core/rollout/rollout.ts';
import type { RolloutRecord } from '../../stores/index.ts';
import { rolloutList, rolloutRequest, rolloutStarted } from '../agent-schemas.ts';
import { route, type Route } from '../route.ts';
import type { Services } from '../services.ts';

const named = z.strictObject({ name: z.string().min(1).max(128) });

export function rolloutRoutes({ stores, starter }: Pick<Services, 'stores' | 'starter'>): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/task-types/{name}/rollouts',
      tag: 'deployments',
      summary: 'Prove a challenger against the champion on live traffic',
      description:
        'Every task is run by both versions from now on; the challenger is promoted once it is shown better, and rolled back on harm or at the cap. One at a time for a task type: while it runs, the same challenger again finds it.',
      params: named,
      body: rolloutRequest,
      responses: { 202: { description: 'The rollout that runs now.', schema: rolloutStarted } },
      errors: [
        'CHIMERA_MALFORMED_JSON',
        'CHIMERA_TOO_LARGE',
        'CHIMERA_UNKNOWN_TASK_TYPE',
        'CHIMERA_NOT_FOUND',
        'CHIMERA_CONFLICT',
        'CHIMERA_TEMPORAL_UNAVAILABLE',
      ],
      handle: async ({ params, body, principal }) => {
        const { project } = principal;
        const { name: taskType } = await stores.taskTypes.require(project, params.name);
        const { id: challenger } = await stores.agents.require(project, body.challenger);
        const history = await stores.deployments.history(project, taskType);
        // The deployment that the rollout began under: while it runs it moves on, and this names it still.
        const before = history.findLast(({ stage }) => stage === 'full');
        if (before === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'deployment', name: taskType });
        const { champion, epoch } = before;
        const current = history.at(-1)!;
        if (challenger === champion)
          throw invalidInput('the rollout', [{ path: '/challenger', message: 'is the champion already' }]);
        if (current.stage !== 'full' && current.challenger !== challenger)
          throw new ChimeraError('CHIMERA_CONFLICT', { what: `a rollout for ${taskType} that is still running` });
        const { workflowId } = await starter.rollout({ ...body, challenger, project, taskType }, epoch);
        return { status: 202, body: { workflowId, taskType, champion, challenger } };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/task-types/{name}/rollouts',
      tag: 'deployments',
      summary: 'Rollouts of a task type, newest first',
      params: named,
      responses: { 200: { description: 'Those that run and those that are decided.', schema: rolloutList } },
      errors: ['CHIMERA_UNKNOWN_TASK_TYPE'],
      handle: async ({ params, principal }) => {
        await stores.taskTypes.require(principal.project, params.name);
        const rollouts = await stores.rollouts.list(principal.project, params.name);
        return { status: 200, body: { rollouts: rollouts.map(viewOf).reverse() } };
      },
    }),
  ];
}

function viewOf({ id, taskType, champion, challenger, state, document, decidedAt }: RolloutRecord): RolloutView {
  const { text } = explainRollout((document as unknown as RolloutDocument).process);
  return { id, taskType, champion, challenger, state, text, ...(decidedAt === undefined ? {} : { decidedAt }) };
}
