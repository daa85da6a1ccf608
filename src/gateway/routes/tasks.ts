import { z } from 'zod';
import { ChimeraError, invalidInput } from '../../contracts/errors.ts';
import { failpoint } from '../../contracts/failpoint.ts';
import type { TaskRecord } from '../../contracts/records.ts';
import { routingOf } from '../../core/rollout/routing.ts';
import { whileWaiting } from '../../telemetry/metrics.ts';
import { checkPayload } from '../admission.ts';
import { route, type Answer, type Route } from '../route.ts';
import { taskSubmission, taskView } from '../schemas.ts';
import type { Services } from '../services.ts';
import { freshView, isResolved, viewTask } from '../views.ts';

const LONGEST_WAIT_MS = 60_000;

export function taskRoutes(services: Services): Route[] {
  const { stores } = services;
  return [
    route({
      method: 'POST',
      path: '/v1/tasks',
      tag: 'tasks',
      summary: 'Submit a task',
      description:
        'The same key again is the same task; with another body it is a conflict. With `wait` the answer comes when the task is completed, failed or dead, or after that many milliseconds.',
      headers: { 'Idempotency-Key': 'Instead of `key` in the body.' },
      query: z.strictObject({
        wait: z.coerce
          .number()
          .int()
          .min(0)
          .max(LONGEST_WAIT_MS)
          .optional()
          .describe('Milliseconds to wait for the result.'),
      }),
      body: taskSubmission,
      responses: {
        200: { description: 'The task is resolved.', schema: taskView },
        202: { description: 'The task is accepted.', schema: taskView },
      },
      errors: ['CHIMERA_MALFORMED_JSON', 'CHIMERA_TOO_LARGE', 'CHIMERA_UNKNOWN_TASK_TYPE', 'CHIMERA_CONFLICT'],
      handle: async ({ body, query, headers, principal, signal }) => {
        const key = oneKey(headers['idempotency-key'], body.key, '/key');
        const taskType = await services.taskTypes.require(principal.project, body.taskType);
        checkPayload(taskType, body.payload);
        const { payload, priority } = body;
        const [acceptance] = await stores.tasks.acceptMany(
          principal.project,
          body.taskType,
          [{ payload, ...(key === undefined ? {} : { key }), ...(priority === undefined ? {} : { priority }) }],
          { route: routingOf },
        );
        const { task, created } = acceptance!;
        if (isResolved(task)) return { status: 200, body: await viewTask(stores, task) };
        const wait = query.wait ?? 0;
        if (created || wait > 0) return startAndAnswer(services, task, wait, signal);
        return { status: 202, body: await viewTask(stores, task) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/tasks/{id}',
      tag: 'tasks',
      summary: 'Read a task: state, routing, answer, version, fuel, reason, feedback',
      params: z.strictObject({ id: z.string().min(1).max(256) }),
      responses: { 200: { description: 'The task.', schema: taskView } },
      errors: ['CHIMERA_NOT_FOUND'],
      handle: async ({ params, principal }) => {
        const task = await stores.tasks.get(principal.project, params.id);
        if (task === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'task', name: params.id });
        return { status: 200, body: await viewTask(stores, task) };
      },
    }),
  ];
}

/** The task is accepted whatever happens here: what is not started now, the dispatcher starts from the accept row. */
async function startAndAnswer(
  { stores, starter, marks, log }: Services,
  task: TaskRecord,
  waitMs: number,
  signal: AbortSignal,
): Promise<Answer> {
  failpoint('accept.dispatch');
  const started = await starter.task(task).then(
    (handle) => {
      failpoint('accept.dispatch');
      marks.add(task.project, task.taskId);
      return handle;
    },
    (error: unknown) => log.warn({ err: error, taskId: task.taskId }, 'not started yet; the dispatcher will'),
  );
  if (started === undefined || waitMs === 0) return { status: 202, body: freshView(task) };
  await whileWaiting(() => settled(started.result(), waitMs, signal));
  const now = await stores.tasks.get(task.project, task.taskId);
  const view = await viewTask(stores, now ?? task);
  return { status: isResolved(view) ? 200 : 202, body: view };
}

/** Resolves when the promise settles either way, after `ms`, or when the caller is gone. */
async function settled(promise: Promise<unknown>, ms: number, signal: AbortSignal): Promise<void> {
  const { promise: first, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => resolve(), { once: true });
  promise.then(
    () => resolve(),
    () => resolve(),
  );
  await first;
  clearTimeout(timer);
}

/** The idempotency key of header and body (or query), which must not differ. */
export function oneKey(
  header: string | string[] | undefined,
  other: string | undefined,
  path: string,
): string | undefined {
  if (header === undefined) return other;
  if (Array.isArray(header) || header.length === 0 || header.length > 256)
    throw invalidInput('the request', [
      { path: 'Idempotency-Key', message: 'must be one text of 1 to 256 characters' },
    ]);
  if (other !== undefined && other !== header)
    throw invalidInput('the request', [{ path, message: 'differs from the header Idempotency-Key' }]);
  return header;
}
