import { z } from 'zod';
import { ChimeraError, invalidInput, isChimeraError, renderMessage, type Problem } from '../../contracts/errors.ts';
import type { LongExecution } from '../../contracts/executions.ts';
import { workflowId } from '../../contracts/names.ts';
import type { AgentVersion } from '../../contracts/records.ts';
import { planFork, type PlannedFork } from '../../core/execution/fork.ts';
import type { ExecutionDetails, ExecutionNow, ForkRequest } from '../../client/types.ts';
import type { Stores } from '../../stores/index.ts';
import {
  effectsPage,
  executionDetails,
  executionList,
  executionState,
  executionView,
  forkRequest,
} from '../execution-schemas.ts';
import { isDone, listApprovals, pageOfEffects, viewExecution } from '../execution-views.ts';
import { route, type Route } from '../route.ts';
import type { Control, Inspected, RunningExecutions } from '../running-executions.ts';
import type { Services } from '../services.ts';

const byId = z.strictObject({ id: z.string().min(1).max(512) });

type Needs = Pick<Services, 'stores' | 'starter' | 'ui'>;

export function executionRoutes(services: Needs, running: RunningExecutions): Route[] {
  const { stores, starter } = services;
  const { longExecutions } = stores;
  return [
    route({
      method: 'GET',
      path: '/v1/executions',
      tag: 'executions',
      summary: 'Executions that go turn by turn, newest first',
      query: z.strictObject({
        taskType: z.string().min(1).max(128).optional(),
        task: z.string().min(1).max(256).optional().describe('Those of one task: its own, and forks of it.'),
        state: executionState.optional(),
        limit: z.coerce.number().int().min(1).max(500).default(50),
      }),
      responses: { 200: { description: 'The executions.', schema: executionList } },
      handle: async ({ query: { task, ...filters }, principal }) => {
        const found = await longExecutions.list(principal.project, {
          ...filters,
          ...(task === undefined ? {} : { taskId: task }),
        });
        return { status: 200, body: { executions: found.map(viewExecution) } };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/executions/{id}',
      tag: 'executions',
      summary: 'An execution: where it stands, what it waits for, what came out',
      params: byId,
      responses: { 200: { description: 'The execution.', schema: executionDetails } },
      errors: ['CHIMERA_NOT_FOUND'],
      handle: async ({ params, principal: { project } }) => {
        const before = await longExecutions.require(project, params.id);
        if (isDone(before)) return { status: 200, body: await details(services, before, {}) };
        const inspected = await running.inspect(project, params.id);
        const now = await longExecutions.require(project, params.id);
        return { status: 200, body: await details(services, now, isDone(now) ? {} : inspected) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/executions/{id}/effects',
      tag: 'executions',
      summary: 'The transcript of an execution: what its agent asked for, and what came of it',
      params: byId,
      query: z.strictObject({
        from: z.coerce.number().int().min(0).default(0).describe('The first turn.'),
        limit: z.coerce
          .number()
          .int()
          .min(1)
          .max(500)
          .default(100)
          .describe('About so many effects: a turn is never cut.'),
        full: z
          .enum(['true', 'false'])
          .default('false')
          .describe('Fetch bodies over 64 KB, too; without it they are named with their size.'),
      }),
      responses: { 200: { description: 'Effects by turn and index.', schema: effectsPage } },
      errors: ['CHIMERA_NOT_FOUND', 'CHIMERA_ARTIFACT_CORRUPT'],
      handle: async ({ params, query, principal }) => {
        const execution = await longExecutions.require(principal.project, params.id);
        const full = query.full === 'true';
        return { status: 200, body: await pageOfEffects(stores, execution, { ...query, full }) };
      },
    }),
    control(services, running, 'pause', 'Pause an execution', 'It takes no turn until it is resumed.'),
    control(services, running, 'resume', 'Let a paused execution go on', 'It goes on where it was.'),
    control(services, running, 'cancel', 'Cancel an execution', 'It ends as failed with what its agent has.'),
    route({
      method: 'POST',
      path: '/v1/executions/{id}/fork',
      tag: 'executions',
      summary: 'Fork an execution from a turn on, with another version, seed, limits or budget',
      description:
        'A fork runs the same task and answers nobody: the task keeps the answer that it has. The same fork again is the same execution.',
      params: byId,
      body: forkRequest,
      responses: { 202: { description: 'The fork that runs now, or ran.', schema: executionView } },
      errors: ['CHIMERA_MALFORMED_JSON', 'CHIMERA_TOO_LARGE', 'CHIMERA_NOT_FOUND', 'CHIMERA_TEMPORAL_UNAVAILABLE'],
      handle: async ({ params, body, principal: { project, keyName } }) => {
        const parent = await longExecutions.require(project, params.id);
        const planned = await plan(stores, parent, body);
        const fork = await longExecutions.fork(project, planned, keyName);
        if (!isDone(fork)) await starter.execution({ ...fork, parent: planned.parent });
        return { status: 202, body: viewExecution(fork) };
      },
    }),
  ];
}

function control(services: Needs, running: RunningExecutions, verb: Control, summary: string, does: string): Route {
  const { longExecutions } = services.stores;
  return route({
    method: 'POST',
    path: `/v1/executions/{id}/${verb}`,
    tag: 'executions',
    summary,
    description: `${does} The answer comes when no step is under way any more. Once more changes nothing; an execution that is done is a conflict${verb === 'cancel' ? ', unless it was cancelled' : ''}.`,
    params: byId,
    responses: { 200: { description: 'The execution.', schema: executionDetails } },
    errors: ['CHIMERA_NOT_FOUND', 'CHIMERA_CONFLICT', 'CHIMERA_TEMPORAL_UNAVAILABLE'],
    handle: async ({ params: { id }, principal: { project, keyName } }) => {
      const before = await longExecutions.require(project, id);
      if (isDone(before)) return { status: 200, body: await details(services, stillFine(before, verb), {}) };
      let now: ExecutionNow | undefined;
      try {
        now = await running.tell(project, id, verb, keyName);
      } catch (error) {
        const meanwhile = await longExecutions.require(project, id);
        if (!isDone(meanwhile)) throw error;
        stillFine(meanwhile, verb);
      }
      const after = await longExecutions.require(project, id);
      const says = now === undefined || isDone(after) ? {} : { now };
      return { status: 200, body: await details(services, after, says) };
    },
  });
}

/** Of what is done only cancelling what was cancelled is no conflict: a caller may not know that it got through. */
function stillFine(done: LongExecution, verb: Control): LongExecution {
  const { executionId, state } = done;
  if (verb === 'cancel' && viewExecution(done).reason?.code === 'cancelled') return done;
  const problems: Problem[] = [{ path: '/state', message: `is ${state}: there is nothing left to ${verb}` }];
  throw new ChimeraError('CHIMERA_CONFLICT', { what: `the result of execution ${executionId}`, problems });
}

async function details(
  { stores, ui }: Needs,
  execution: LongExecution,
  inspected: Partial<Inspected>,
): Promise<ExecutionDetails> {
  const { project, executionId, record } = execution;
  const questions = isDone(execution)
    ? []
    : await listApprovals(stores, project, { all: false, execution: executionId, limit: 100 });
  const run = encodeURIComponent(workflowId.execution(project, executionId));
  return {
    ...viewExecution(execution),
    ...inspected,
    questions,
    ...(record === undefined ? {} : { record }),
    ...(ui === undefined ? {} : { ui: `${ui.url}/namespaces/${ui.namespace}/workflows/${run}` }),
  };
}

/** The fork as it is opened. Throws `CHIMERA_INVALID_INPUT` with every problem, an unknown version among them. */
async function plan({ agents }: Stores, parent: LongExecution, request: ForkRequest): Promise<PlannedFork> {
  const problems: Problem[] = [];
  let version: Pick<AgentVersion, 'id' | 'manifest'>;
  try {
    version = await agents.find(parent.project, request.agentVersion ?? parent.agentVersion);
  } catch (error) {
    if (!isChimeraError(error) || error.status >= 500) throw error;
    const { problems: known = [], ...rest } = error.details;
    problems.push({ path: '/agentVersion', message: renderMessage(error.code, rest) }, ...known);
    version = await agents.find(parent.project, parent.agentVersion);
  }
  try {
    const fork = { ...request, execution: parent.executionId, agentVersion: version.id };
    const planned = planFork(parent, fork, version.manifest);
    if (problems.length === 0) return planned;
  } catch (error) {
    if (!isChimeraError(error, 'CHIMERA_INVALID_INPUT')) throw error;
    problems.push(...(error.details.problems ?? []));
  }
  throw invalidInput('the fork', problems);
}
