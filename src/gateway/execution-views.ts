import type { Approval, LongExecution } from '../contracts/executions.ts';
import type { JsonValue } from '../contracts/records.ts';
import type { KeptRecord } from '../core/execution/types.ts';
import type { ApprovalView, EffectsPage, EffectView, ExecutionView } from '../client/types.ts';
import type { StoredEffect, Stores } from '../stores/index.ts';

/** Bytes of large bodies after which a page ends, at the end of a turn. */
const PAGE_BYTES = 8 * 1_048_576;
/** Questions that are looked through for open ones. */
const LOOKED_THROUGH = 1_000;

export const executionLink = (executionId: string): string => `/v1/executions/${encodeURIComponent(executionId)}`;

export const isDone = ({ state }: Pick<LongExecution, 'state'>): boolean => state === 'completed' || state === 'failed';

/** An execution without its record, but with what that came to. */
export function viewExecution({ project: _project, record, ...execution }: LongExecution): ExecutionView {
  const { output, reason } = (record ?? {}) as unknown as Partial<KeptRecord>;
  return {
    ...execution,
    link: executionLink(execution.executionId),
    ...(output === undefined ? {} : { output }),
    ...(reason === undefined ? {} : { reason }),
  };
}

/** Questions with who asked them, and whether an answer still helps. */
export async function viewApprovals(
  { longExecutions }: Pick<Stores, 'longExecutions'>,
  project: string,
  approvals: readonly Approval[],
): Promise<ApprovalView[]> {
  const ids = new Set(approvals.map(({ executionId }) => executionId));
  const found = await Promise.all([...ids].map((id) => longExecutions.require(project, id)));
  const executions = new Map(found.map((execution) => [execution.executionId, execution]));
  return approvals.map((approval) => {
    const execution = executions.get(approval.executionId)!;
    const { taskId, agentVersion } = execution;
    return { ...approval, taskId, agentVersion, state: stateOf(approval, execution) };
  });
}

function stateOf({ answeredAt, deadline }: Approval, execution: LongExecution): ApprovalView['state'] {
  if (answeredAt !== undefined) return 'answered';
  const late = deadline !== undefined && Date.parse(deadline) <= Date.now();
  return late || isDone(execution) ? 'over' : 'open';
}

/** Questions that an answer still helps, oldest first; with `all` every question there was. */
export async function listApprovals(
  stores: Pick<Stores, 'longExecutions' | 'approvals'>,
  project: string,
  { all, execution, limit }: { all: boolean; execution?: string | undefined; limit: number },
): Promise<ApprovalView[]> {
  const listed = await stores.approvals.list(project, {
    all,
    // What is unanswered may be over: there is no telling how many of them come first.
    limit: all ? limit : LOOKED_THROUGH,
    ...(execution === undefined ? {} : { executionId: execution }),
  });
  const views = await viewApprovals(stores, project, listed);
  return all ? views : views.filter(({ state }) => state === 'open').slice(0, limit);
}

/**
 * Effects from a turn on: about `limit`, for a turn is never cut. Bodies that are artifacts are named with their size; with `full`
 * they are fetched, and a page ends earlier.
 */
export async function pageOfEffects(
  { effects, artifacts }: Pick<Stores, 'effects' | 'artifacts'>,
  { project, executionId }: LongExecution,
  { from, limit, full }: { from: number; limit: number; full: boolean },
): Promise<EffectsPage> {
  const { rows, next } = await wholeTurns((size) => effects.from(project, executionId, from, size), limit);
  const views: EffectView[] = [];
  let bytes = 0;
  for (const { body, ...effect } of rows) {
    if (bytes > PAGE_BYTES && effect.turn !== views.at(-1)?.turn) return { effects: views, next: effect.turn };
    if (typeof body === 'string') views.push({ ...effect, body: JSON.parse(body) as JsonValue });
    else if (!full) views.push({ ...effect, artifact: { sha256: body.sha256, bytes: body.bytes } });
    else {
      const content = await artifacts.get(body);
      bytes += content.length;
      views.push({ ...effect, body: JSON.parse(new TextDecoder().decode(content)) as JsonValue });
    }
  }
  return { effects: views, ...(next === undefined ? {} : { next }) };
}

/** At least one turn, and of the others as many as `limit` lets in; and the turn after them. */
async function wholeTurns(
  read: (size: number) => Promise<StoredEffect[]>,
  limit: number,
): Promise<{ rows: StoredEffect[]; next?: number }> {
  for (let size = limit + 1; ; size *= 4) {
    const rows = await read(size);
    const beyond = rows.findIndex(({ turn }, i) => i >= limit && turn !== rows[0]!.turn);
    if (beyond >= 0) {
      const next = rows[beyond]!.turn;
      return { rows: rows.filter(({ turn }) => turn < next), next };
    }
    if (rows.length < size) return { rows };
  }
}
