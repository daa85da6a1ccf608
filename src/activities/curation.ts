import { failpoint } from '../contracts/failpoint.ts';
import type { CurationInput } from '../contracts/inputs.ts';
import type { JsonObject } from '../contracts/records.ts';
import { cutDataset, OLDER_SHARES, RECENT_SHARES } from '../core/curation/cut.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import type { ActivityDeps } from './deps.ts';
import { heartbeating } from './heartbeat.ts';
import { readLabelled } from './labelled.ts';
import { consume } from './stream.ts';

export interface DatasetSummary {
  id: string;
  version: number;
  counts: { train: number; validation: number; test: number };
  uptoOrdinal: number;
  text: string;
}

export interface CurationActivities {
  /** Cuts a dataset version; the same stream, ordinals and seed give the same version. */
  curate(input: CurationInput): Promise<DatasetSummary>;
}

/** Where the stream as it is now begins: at the last drift below `upto`, else at its start. */
export const recentFrom = (alarms: readonly { ordinal: number }[], upto: number): number =>
  alarms.findLast(({ ordinal }) => ordinal < upto)?.ordinal ?? 0;

export function createCurationActivities(deps: ActivityDeps): CurationActivities {
  const { stores } = deps;
  return {
    async curate({ project, taskType, seed, uptoOrdinal, minimumExamples, shuffleLabels }) {
      return heartbeating(async (signal, note) => {
        const type = await stores.taskTypes.require<TaskType>(project, taskType);
        const { consumedTo } = await consume(stores, project, taskType);
        const upto = Math.min(uptoOrdinal ?? consumedTo, consumedTo);
        const candidates = await readLabelled(deps, project, type, upto, signal, (read) => note({ read, of: upto }));
        const cut = cutDataset(
          type,
          candidates,
          {
            seed,
            shares: OLDER_SHARES,
            recentShares: RECENT_SHARES,
            recentFrom: recentFrom(await stores.kpi.driftEvents(project, taskType), upto),
            shuffleLabels,
          },
          minimumExamples,
        );
        const artifact = await stores.artifacts.put(cut.bytes, { kind: 'dataset' });
        failpoint('dataset.put');
        const { id, counts } = cut;
        const record = await stores.datasets.put(
          project,
          { id, taskType, artifact, counts, uptoOrdinal: upto, datasheet: cut.datasheet as unknown as JsonObject },
          { type: 'dataset.created', actor: 'curation', subject: id, details: { taskType, uptoOrdinal: upto, counts } },
        );
        failpoint('dataset.row');
        const left = Object.values(cut.datasheet.rejected).reduce((sum, count) => sum + (count ?? 0), 0);
        const text = `dataset version ${record.version} (${id.slice(0, 8)}): ${counts.train} train, ${counts.validation} validation, ${counts.test} test; ${left} left out`;
        return { id, version: record.version, counts, uptoOrdinal: upto, text };
      });
    },
  };
}
