import { driftVerdict } from '../core/kpi/drift.ts';
import type { ActivityDeps } from './deps.ts';
import { heartbeating } from './heartbeat.ts';
import { consume, untilResolved, type Consumed } from './stream.ts';

export interface StreamStep {
  consumedTo: number;
  /** An alarm that this step raised. */
  drift?: { ordinal: number; text: string };
  text: string;
}

export interface KpiActivities {
  /** Follows the stream to the watermark, waiting up to `waitMs` for something to follow. */
  advanceStream(input: { project: string; taskType: string; waitMs: number }): Promise<StreamStep>;
}

/** How often, and how many times at most, a step looks whether more has come in behind. */
const LOOK_MS = 100;
const LOOKS = 10;

export function createKpiActivities({ stores }: ActivityDeps): KpiActivities {
  /** Each step is a round of the workflow: it takes along what comes in while it is at it. */
  async function consumeAlong(project: string, taskType: string, signal: AbortSignal): Promise<Consumed> {
    let consumed = await consume(stores, project, taskType);
    for (let look = 0; look < LOOKS && !signal.aborted; look++) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      const next = await consume(stores, project, taskType);
      const still = next.consumedTo === consumed.consumedTo;
      consumed = next;
      if (still) break;
    }
    return consumed;
  }

  return {
    async advanceStream({ project, taskType, waitMs }) {
      return heartbeating(async (signal) => {
        const before = (await stores.kpi.monitor(project, taskType))?.consumedTo ?? 0;
        const alarmsBefore = (await stores.kpi.driftEvents(project, taskType)).length;
        await untilResolved(stores, project, taskType, before, waitMs, signal);
        const { consumedTo, document } = await consumeAlong(project, taskType, signal);
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
          text: `${consumedTo} tasks followed; ${state}`,
          ...(latest === undefined
            ? {}
            : { drift: { ordinal: latest.ordinal, text: String(latest.details.text ?? 'drift') } }),
        };
      });
    },
  };
}
