import { z } from 'zod';
import { ChimeraError, type Problem } from '../../contracts/errors.ts';
import type { ApprovalView } from '../../client/types.ts';
import { APPROVALS_PAGE } from '../approvals-page.ts';
import { approvalAnswer, approvalList, approvalView } from '../execution-schemas.ts';
import { listApprovals, viewApprovals } from '../execution-views.ts';
import { route, type Route } from '../route.ts';
import type { RunningExecutions } from '../running-executions.ts';
import type { Services } from '../services.ts';

/** Of an answer: people write it. */
const ANSWER_BYTES = 65_536;

const byId = z.strictObject({ id: z.string().min(1).max(512) });

export function approvalRoutes({ stores, log }: Pick<Services, 'stores' | 'log'>, running: RunningExecutions): Route[] {
  const view = async (project: string, approvalId: string): Promise<ApprovalView> => {
    const asked = await stores.approvals.get(project, approvalId);
    if (asked === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'question', name: approvalId });
    return (await viewApprovals(stores, project, [asked]))[0]!;
  };
  return [
    route({
      method: 'GET',
      path: '/v1/approvals',
      tag: 'approvals',
      summary: 'Questions of agents to people, oldest first',
      query: z.strictObject({
        all: z
          .enum(['true', 'false'])
          .default('false')
          .describe('Those that are answered or over, too; without it those that an answer still helps.'),
        execution: z.string().min(1).max(512).optional(),
        limit: z.coerce.number().int().min(1).max(500).default(100),
      }),
      responses: { 200: { description: 'The questions.', schema: approvalList } },
      handle: async ({ query, principal }) => {
        const all = query.all === 'true';
        return { status: 200, body: { approvals: await listApprovals(stores, principal.project, { ...query, all }) } };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/approvals/{id}',
      tag: 'approvals',
      summary: 'A question, who asked it, and the answer if there is one',
      params: byId,
      responses: { 200: { description: 'The question.', schema: approvalView } },
      errors: ['CHIMERA_NOT_FOUND'],
      handle: async ({ params, principal }) => ({ status: 200, body: await view(principal.project, params.id) }),
    }),
    route({
      method: 'POST',
      path: '/v1/approvals/{id}',
      tag: 'approvals',
      summary: 'Answer a question',
      description:
        'The first answer holds: the same one again is fine, another one is a conflict, and so is one to a question that is over. It is recorded with the name of the API key.',
      params: byId,
      body: approvalAnswer,
      bodyBytes: ANSWER_BYTES,
      responses: { 200: { description: 'The question with its answer.', schema: approvalView } },
      errors: ['CHIMERA_MALFORMED_JSON', 'CHIMERA_TOO_LARGE', 'CHIMERA_NOT_FOUND', 'CHIMERA_CONFLICT'],
      handle: async ({ params, body, principal: { project, keyName } }) => {
        const asked = await view(project, params.id);
        if (asked.state === 'over') throw over(asked);
        const { executionId } = await stores.approvals.answer(project, params.id, body.answer, keyName);
        await running.news(project, executionId, (err) =>
          log.warn({ err, executionId }, 'answered, but the execution was not told; it will look for itself'),
        );
        return { status: 200, body: await view(project, params.id) };
      },
    }),
    route({
      method: 'GET',
      path: '/approvals',
      tag: 'approvals',
      operationId: 'getApprovalsPage',
      summary: 'The page on which people answer questions of agents',
      open: true,
      responses: { 200: { description: 'A page that asks for an API key and uses this API.', type: 'text/html' } },
      handle: () => Promise.resolve({ status: 200, ...APPROVALS_PAGE }),
    }),
  ];
}

function over({ approvalId, executionId, deadline, askedAt }: ApprovalView): ChimeraError {
  const message =
    deadline !== undefined && Date.parse(deadline) <= Date.now()
      ? `nobody answered between ${askedAt} and ${deadline}`
      : `the execution ${executionId} is done`;
  const problems: Problem[] = [{ path: '/state', message }];
  return new ChimeraError('CHIMERA_CONFLICT', { what: `the end of question ${approvalId}`, problems });
}
