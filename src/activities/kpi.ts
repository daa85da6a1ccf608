import { driftVerdict } from '../core/kpi/drift.ts';
import type { ActivityDeps } from './deps.ts';
import { heartbeating } from './heartbeat.ts';
import { consume, untilResolved } from './stream.ts';

export interface StreamStep {
  consumedTo: number;
  watermark: number;
  /** An alarm that this step raised. */
  drift?: { ordinal: number; text: string };
  text: string;
}

export interface KpiActivities {
  /** Follows the stream to the watermark, waiting up to `waitMs` for something to follow. */
  advanceStream(input: { project: string; taskType: string; waitMs: number }): Promise<StreamStep>;
}

export function createKpiActivities({ stores }: ActivityDeps): KpiActivities {
  return {
    async advanceStream({ project, taskType, waitMs }) {
      return heartbeating(async (signal) => {
        const before = (await stores.kpi.monitor(project, taskType))?.consumedTo ?? 0;
        const alarmsBefore = (await stores.kpi.driftEvents(project, taskType)).length;
        await untilResolved(stores, project, taskType, before, waitMs, signal);
        const { consumedTo, watermark, document } = await consume(stores, project, taskType);
        const alarms = await stores.kpi.driftEvents(project, taskType);
        const latest = alarms.length > alarmsBefore ? alarms.at(-1) : undefined;
        const verdict = document.drift === null ? undefined : driftVerdict(document.drift);
        const state =
          verdict === undefined
            ? 'no features to watch'
            : verdict.drift
              ? `drift since ordinal ${verdict.atOrdinal}`
              : `no drift (p ${verdict.pValue.toPrecision(2)})`;
        return {
          consumedTo,
          watermark,
          text: `${consumedTo} tasks followed; ${state}`,
          ...(latest === undefined
            ? {}
            : { drift: { ordinal: latest.ordinal, text: String(latest.details.text ?? 'drift') } }),
        };
      });
    },
  };
}
