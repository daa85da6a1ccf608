import { ChimeraError } from '../contracts/errors.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { ArtifactRef, JsonObject } from '../contracts/records.ts';
import { hashOf } from '../core/canonical/canonical.ts';
import { renderCycleReport } from '../report/cycle.ts';
import type { ActivityDeps } from './deps.ts';
import { collectCycleReport, type CycleReportInput } from './cycle-report.ts';
import { consume } from './stream.ts';

export interface CycleDecision {
  id: string;
  act: boolean;
  /** Examples below this ordinal are used. */
  uptoOrdinal: number;
  reason: string;
}

export interface CycleResult {
  cycle: string;
  outcome: 'idle' | 'kept' | 'promoted' | 'rolled-back';
  text: string;
  champion?: string;
  report?: ArtifactRef;
}

export interface CycleActivities {
  /** Is there a reason to act (forced, drift, new data), and up to which ordinal does the cycle look? */
  decideCycle(input: {
    project: string;
    taskType: string;
    seed: string;
    force: boolean;
    minimumExamples: number;
    /** The workflow that asks, and its run: a run has one cycle. */
    startedBy: string;
    run: string;
  }): Promise<CycleDecision>;
  reportCycle(input: CycleReportInput & { outcome: CycleResult['outcome']; text: string }): Promise<CycleResult>;
  closeCycle(input: { project: string; cycle: string; status: 'failed' | 'cancelled'; text: string }): Promise<void>;
}

/** What the record of a cycle says of its beginning: a retry, later in the stream, goes on with that. */
function begunAs({ uptoOrdinal, reason }: JsonObject): Pick<CycleDecision, 'uptoOrdinal' | 'reason'> {
  return { uptoOrdinal: Number(uptoOrdinal), reason: String(reason) };
}

/** New data is a reason once it is this share of what the last dataset was cut from. */
const NEW_DATA_SHARE = 0.2;

export function createCycleActivities({ stores }: Pick<ActivityDeps, 'stores'>): CycleActivities {
  return {
    async decideCycle({ project, taskType, seed, force, minimumExamples, startedBy, run }) {
      await stores.taskTypes.require(project, taskType);
      const deployment = await stores.deployments.current(project, taskType);
      if (deployment === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'deployment', name: taskType });
      const begun = (await stores.cycles.list(project, { taskType })).find(({ document }) => document.run === run);
      if (begun !== undefined) return { id: begun.id, act: true, ...begunAs(begun.document) };
      const { consumedTo } = await consume(stores, project, taskType);
      const last = await stores.datasets.latest(project, taskType);
      const lastEnd = last?.uptoOrdinal ?? 0;
      const drift = (await stores.kpi.driftEvents(project, taskType)).findLast((event) => event.ordinal >= lastEnd);
      const fresh = (await stores.feedback.demonstrations(project, taskType, lastEnd, consumedTo)).filter(
        (row) => !row.late,
      );
      const enough = fresh.length >= Math.max(minimumExamples, NEW_DATA_SHARE * lastEnd);
      const reason = force
        ? `forced; ${fresh.length} new examples since ordinal ${lastEnd}`
        : drift !== undefined
          ? `drift at ordinal ${drift.ordinal}, ${fresh.length} new examples since ordinal ${lastEnd}`
          : enough
            ? `new data: ${fresh.length} examples since ordinal ${lastEnd}`
            : `no drift, and only ${fresh.length} new examples since ordinal ${lastEnd}`;
      const act = force || (drift !== undefined && fresh.length > 0) || enough;
      // The same stream asked the same question is the same cycle, in whichever stack.
      const id = hashOf({ project, taskType, seed, upto: consumedTo, champion: deployment.champion }).slice(0, 16);
      if (act) {
        await stores.cycles.put(
          project,
          {
            id,
            taskType,
            status: 'running',
            log: reason,
            document: { startedBy, run, uptoOrdinal: consumedTo, reason },
          },
          { type: 'cycle.started', actor: startedBy, subject: id, details: { reason, uptoOrdinal: consumedTo } },
        );
        failpoint('cycle.started');
      }
      return { id, act, uptoOrdinal: consumedTo, reason };
    },

    async reportCycle({ outcome, text, ...input }) {
      const { project, taskType, cycle } = input;
      const data = await collectCycleReport(stores, input);
      const encoder = new TextEncoder();
      const report = await stores.artifacts.put(encoder.encode(renderCycleReport(data)), { kind: 'report' });
      const json = await stores.artifacts.put(encoder.encode(JSON.stringify(data)), { kind: 'report-data' });
      const deployment = await stores.deployments.current(project, taskType);
      const champion = deployment?.champion;
      const before = await stores.cycles.get(project, cycle);
      await stores.cycles.put(
        project,
        {
          id: cycle,
          taskType,
          status: 'completed',
          // A retry finds its own line there.
          log: before?.status === 'completed' ? before.log : [before?.log ?? input.reason, text].join('\n'),
          document: {
            ...before?.document,
            outcome,
            ...(input.dataset === undefined ? {} : { dataset: input.dataset }),
            ...(input.search === undefined ? {} : { search: input.search }),
            ...(input.evaluation === undefined ? {} : { evaluation: input.evaluation }),
            ...(input.rollout === undefined ? {} : { rollout: input.rollout }),
            ...(champion === undefined ? {} : { champion }),
            seconds: input.seconds,
            data: json as unknown as JsonObject,
          },
          report,
        },
        { type: 'cycle.completed', actor: `cycle/${cycle}`, subject: cycle, details: { outcome, text } },
      );
      failpoint('cycle.reported');
      return { cycle, outcome, text, report, ...(champion === undefined ? {} : { champion }) };
    },

    async closeCycle({ project, cycle, status, text }) {
      const record = await stores.cycles.get(project, cycle);
      if (record === undefined || record.status !== 'running') return;
      const { project: _project, updatedAt: _updatedAt, ...rest } = record;
      await stores.cycles.put(
        project,
        { ...rest, status, log: `${record.log}\n${text}` },
        { type: `cycle.${status}`, actor: `cycle/${cycle}`, subject: cycle, details: { text } },
      );
    },
  };
}
