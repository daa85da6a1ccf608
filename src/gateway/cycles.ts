import { WorkflowNotFoundError, type Client, type WorkflowExecutionInfo } from '@temporalio/client';
import { setTimeout as delay } from 'node:timers/promises';
import { ChimeraError } from '../contracts/errors.ts';
import { SEARCH_ATTRIBUTES, WORKFLOWS } from '../contracts/names.ts';
import type { JsonValue } from '../contracts/records.ts';
import type { CycleState, CycleView } from '../client/types.ts';
import type { CycleRecord, Stores } from '../stores/index.ts';
import { temporalError } from './starter.ts';

/** What a description and a list entry both say. */
type RunInfo = Pick<
  WorkflowExecutionInfo,
  'workflowId' | 'runId' | 'startTime' | 'closeTime' | 'status' | 'searchAttributes'
>;

export interface CycleReaderOptions {
  readonly stores: Pick<Stores, 'cycles'>;
  readonly temporal: Client;
  readonly ui?: { readonly url: string; readonly namespace: string };
  /** A worker must answer for the state text; without one the view goes without it. */
  readonly queryMs?: number;
}

/**
 * Cycles have two homes: the run in Temporal while it runs, the record in the store for good. An id names either.
 */
export class CycleReader {
  readonly #options: CycleReaderOptions;
  /** Runs started or listed here, by run ID: visibility lags behind a start. */
  readonly #workflowIds = new Map<string, string>();

  constructor(options: CycleReaderOptions) {
    this.#options = options;
  }

  /** A run that was started just now. */
  started(project: string, runId: string, workflowId: string): Promise<CycleView> {
    this.#remember(runId, workflowId);
    // What it tells is asked for by the next look: nobody waits for a worker here.
    return this.#runView(project, workflowId, runId, false);
  }

  #remember(runId: string, workflowId: string): void {
    if (this.#workflowIds.size > 10_000) this.#workflowIds.clear();
    this.#workflowIds.set(runId, workflowId);
  }

  /** @throws {ChimeraError} CHIMERA_NOT_FOUND */
  async get(project: string, id: string): Promise<CycleView> {
    const record = await this.#options.stores.cycles.get(project, id);
    if (record !== undefined) return recordView(record);
    const workflowId = await this.#workflowIdOf(project, id);
    if (workflowId === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'cycle', name: id });
    return this.#runView(project, workflowId, id);
  }

  /** Those on record, newest first, after those that run. */
  async list(project: string, options: { taskType?: string; limit: number }): Promise<CycleView[]> {
    const [records, running] = await Promise.all([
      this.#options.stores.cycles.list(project, options),
      this.#running(project, options.taskType).catch(() => []),
    ]);
    return [...running, ...records.filter(({ status }) => status !== 'running').map(recordView)].slice(
      0,
      options.limit,
    );
  }

  async #running(project: string, taskType: string | undefined): Promise<CycleView[]> {
    const views: CycleView[] = [];
    const query = `WorkflowType = '${WORKFLOWS.evolutionCycle}' AND ExecutionStatus = 'Running'`;
    for await (const info of this.#options.temporal.workflow.list({ query, pageSize: 100 })) {
      const view = this.#infoView(project, info);
      if (view === undefined || (taskType !== undefined && view.taskType !== taskType)) continue;
      this.#remember(info.runId, info.workflowId);
      views.push(view);
    }
    return views;
  }

  async #workflowIdOf(project: string, runId: string): Promise<string | undefined> {
    // A run ID is a UUID; anything else would be a query of the caller's making.
    if (!/^[0-9a-f-]{36}$/.test(runId)) return undefined;
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const known = this.#workflowIds.get(runId);
      if (known !== undefined) return known.startsWith(idPrefix(project)) ? known : undefined;
      const query = `WorkflowType = '${WORKFLOWS.evolutionCycle}' AND RunId = '${runId}'`;
      try {
        for await (const info of this.#options.temporal.workflow.list({ query, pageSize: 1 }))
          this.#remember(runId, info.workflowId);
      } catch (error) {
        throw temporalError(error);
      }
      if (!this.#workflowIds.has(runId)) await delay(100);
    }
    return undefined;
  }

  async #runView(project: string, workflowId: string, runId: string, withDetails = true): Promise<CycleView> {
    const { temporal, stores } = this.#options;
    const handle = temporal.workflow.getHandle(workflowId, runId);
    let view: CycleView;
    try {
      view = this.#infoView(project, await handle.describe())!;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError)
        throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'cycle', name: runId });
      throw temporalError(error);
    }
    if (view.state === 'running') {
      const details = withDetails ? await this.#details(workflowId, runId) : undefined;
      return details === undefined ? view : { ...view, details };
    }
    try {
      const result = (await handle.result()) as JsonValue;
      const id = typeof result === 'object' && result !== null && !Array.isArray(result) ? result['cycle'] : undefined;
      const record = typeof id === 'string' ? await stores.cycles.get(project, id) : undefined;
      return { ...view, result, ...(record === undefined ? {} : recordExtras(record)) };
    } catch (error) {
      return { ...view, error: innermost(error) };
    }
  }

  /** The current-state text: a worker answers it, so it is not waited for long. */
  async #details(workflowId: string, runId: string): Promise<string | undefined> {
    const { temporal, queryMs = 1_500 } = this.#options;
    try {
      const handle = temporal.workflow.getHandle(workflowId, runId);
      const metadata = await temporal.withDeadline(Date.now() + queryMs, () =>
        handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata'),
      );
      return metadata.currentDetails || undefined;
    } catch {
      return undefined;
    }
  }

  #infoView(project: string, info: RunInfo): CycleView | undefined {
    const { workflowId, runId, startTime, closeTime, status, searchAttributes } = info;
    if (!workflowId.startsWith(idPrefix(project))) return undefined;
    const first = (name: string): string | undefined => searchAttributes?.[name]?.[0] as string | undefined;
    const phase = first(SEARCH_ATTRIBUTES.phase);
    const { ui } = this.#options;
    return {
      id: runId,
      workflowId,
      taskType: first(SEARCH_ATTRIBUTES.taskType) ?? workflowId.slice(idPrefix(project).length),
      state: STATES[status.name] ?? 'failed',
      startedAt: startTime.toISOString(),
      ...(closeTime === undefined ? {} : { closedAt: closeTime.toISOString() }),
      ...(phase === undefined ? {} : { phase }),
      ...(ui === undefined ? {} : { ui: runUrl(ui, workflowId, runId) }),
    };
  }
}

const STATES: Partial<Record<string, CycleState>> = {
  RUNNING: 'running',
  COMPLETED: 'completed',
  CANCELLED: 'cancelled',
  TERMINATED: 'terminated',
  TIMED_OUT: 'timed out',
};

/** IDs of a project's cycles begin so, those of schedules too: the tenant wall of this page. */
const idPrefix = (project: string): string => `cycle/${project}/`;

function runUrl({ url, namespace }: { url: string; namespace: string }, workflowId: string, runId: string): string {
  return `${url}/namespaces/${namespace}/workflows/${encodeURIComponent(workflowId)}/${runId}/history`;
}

function recordView(record: CycleRecord): CycleView {
  return {
    id: record.id,
    taskType: record.taskType,
    state: record.status,
    ...(record.status === 'running' ? {} : { closedAt: record.updatedAt }),
    result: record.document,
    ...recordExtras(record),
  };
}

function recordExtras(record: CycleRecord): Pick<CycleView, 'details' | 'report'> {
  return {
    ...(record.log === '' ? {} : { details: record.log }),
    ...(record.report === undefined ? {} : { report: `/v1/reports/${encodeURIComponent(record.id)}` }),
  };
}

function innermost(error: unknown): string {
  let inner = error;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  return inner instanceof Error ? inner.message : String(inner);
}
