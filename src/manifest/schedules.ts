import {
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type ScheduleClient,
  type ScheduleDescription,
  type ScheduleHandle,
  type ScheduleOptions,
  type ScheduleOptionsStartWorkflowAction,
} from '@temporalio/client';
import type { Workflow } from '@temporalio/common';
import { canonicalJson, hashOf } from '../core/canonical/canonical.ts';
import type { ManifestSchedule } from './manifest.ts';

type Action = ScheduleOptionsStartWorkflowAction<Workflow>;
type Options = ScheduleOptions<Action>;

const OVERLAP = {
  skip: ScheduleOverlapPolicy.SKIP,
  bufferOne: ScheduleOverlapPolicy.BUFFER_ONE,
  allowAll: ScheduleOverlapPolicy.ALLOW_ALL,
} as const;

const HOUR_MS = 3_600_000;
/**
 * The memo of the started workflow that says which declaration started it. It also tells whether a schedule is up to
 * date: the server keeps cron expressions in a form that cannot be compared with what was written.
 */
const MARK = 'chimeraSchedule';

export interface ScheduleChange {
  readonly action: 'created' | 'updated' | 'unchanged';
  readonly details: readonly string[];
}

/**
 * Creates or updates one schedule. Whether it is paused follows `enabled` when it is created or its declaration changes;
 * otherwise it is left as it is, since people and failures pause schedules for a reason.
 */
export async function applySchedule(
  client: ScheduleClient,
  declared: ManifestSchedule,
  dryRun: boolean,
): Promise<ScheduleChange> {
  const options = scheduleOptions(declared);
  const handle = client.getHandle(declared.name);
  const existing = await describe(handle);
  if (existing === undefined) {
    if (!dryRun) await client.create(options);
    return { action: 'created', details: [when(declared), declared.enabled ? 'enabled' : 'paused'] };
  }
  const details = differences(existing, options);
  if (details.length === 0) return { action: 'unchanged', details: [] };
  if (!dryRun)
    await handle.update<Workflow>(({ state }) => ({
      ...options,
      state: isMarked(existing, options) ? state : { paused: !declared.enabled, note: declared.note },
    }));
  return { action: 'updated', details };
}

async function describe(handle: ScheduleHandle): Promise<ScheduleDescription | undefined> {
  try {
    return await handle.describe();
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return undefined;
    throw error;
  }
}

function scheduleOptions(declared: ManifestSchedule): Options {
  const mark = hashOf(declared).slice(0, 16);
  return {
    scheduleId: declared.name,
    spec: {
      ...(declared.every === undefined ? {} : { intervals: [{ every: declared.every }] }),
      ...(declared.cron === undefined ? {} : { cronExpressions: [declared.cron] }),
      ...(declared.jitter === undefined ? {} : { jitter: declared.jitter }),
    },
    action: {
      type: 'startWorkflow',
      workflowType: declared.workflow,
      workflowId: declared.workflowId,
      taskQueue: declared.taskQueue,
      args: [declared.input],
      memo: { [MARK]: mark },
    },
    policies: {
      overlap: OVERLAP[declared.overlap],
      catchupWindow: declared.catchUp ?? declared.every ?? HOUR_MS,
      pauseOnFailure: declared.pauseOnFailure,
    },
    state: { paused: !declared.enabled, note: declared.note },
  };
}

function isMarked(existing: ScheduleDescription, wanted: Options): boolean {
  const memo = existing.action.type === 'startWorkflow' ? existing.action.memo : undefined;
  return memo?.[MARK] === wanted.action.memo?.[MARK];
}

/** What of an existing schedule is not as declared, the declaration itself or what somebody edited since. */
function differences(existing: ScheduleDescription, wanted: Options): string[] {
  const details: string[] = [];
  const compare = (what: string, is: unknown, should: unknown): void => {
    if (is !== should) details.push(`${what} ${String(is)} → ${String(should)}`);
  };
  const intervals = (existing.spec.intervals ?? []).map(({ every }) => Number(every)).join(', ');
  compare('interval ms', intervals, (wanted.spec.intervals ?? []).map(({ every }) => Number(every)).join(', '));
  compare('jitter ms', Number(existing.spec.jitter ?? 0), Number(wanted.spec.jitter ?? 0));
  compare('overlap', existing.policies.overlap, wanted.policies?.overlap);
  compare('catch-up ms', existing.policies.catchupWindow, wanted.policies?.catchupWindow);
  compare('pause on failure', existing.policies.pauseOnFailure, wanted.policies?.pauseOnFailure);
  compare('workflow', existing.action.workflowType, wanted.action.workflowType);
  compare('task queue', existing.action.taskQueue, wanted.action.taskQueue);
  compare('input', canonicalJson(existing.action.args?.[0] ?? null), canonicalJson(wanted.action.args![0]));
  if (details.length === 0 && !isMarked(existing, wanted)) details.push('declaration changed');
  return details;
}

function when(declared: ManifestSchedule): string {
  return declared.cron === undefined ? `every ${declared.every! / 1000} s` : `cron ${declared.cron}`;
}
