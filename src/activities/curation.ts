import { ChimeraError } from '../contracts/errors.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { CurationInput } from '../contracts/inputs.ts';
import type { DatasetExample, JsonObject, JsonValue } from '../contracts/records.ts';
import { hashOf } from '../core/canonical/canonical.ts';
import { writeJsonLines } from '../core/canonical/json-lines.ts';
import { curate } from '../core/curation/dataset.ts';
import { selectGolden, type GoldenCandidate } from '../core/kpi/golden.ts';
import { valueAt } from '../core/kpi/pointer.ts';
import { stream } from '../core/random/random.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import type { ActivityDeps } from './deps.ts';
import { heartbeating } from './heartbeat.ts';
import { fabricType } from './runs.ts';
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

/** Examples that a dataset version holds at most. */
const LIMIT = 50_000;
/** Ordinals that are read and prepared at a time. */
const CHUNK = 1000;
/** How examples of the stream as it is now are split; and those from before the last drift, which mostly train. */
const RECENT_SHARES = { train: 0.66, validation: 0.2, test: 0.14 };
const OLDER_SHARES = { train: 0.85, validation: 0.1, test: 0.05 };

/** A resolved task that shows the right answer. */
interface Labelled extends GoldenCandidate {
  taskId: string;
  payload: JsonObject;
  features: number[];
  expected: JsonValue;
}

export function createCurationActivities({ stores, fabric }: ActivityDeps): CurationActivities {
  /** Where the stream as it is now begins: at the last drift, else at its start. */
  async function recentFrom(project: string, taskType: string, upto: number): Promise<number> {
    const drift = (await stores.kpi.driftEvents(project, taskType)).findLast(({ ordinal }) => ordinal < upto);
    return drift?.ordinal ?? 0;
  }

  async function labelled(
    project: string,
    type: TaskType,
    from: number,
    to: number,
    signal: AbortSignal,
  ): Promise<Labelled[]> {
    const [tasks, demonstrations, scores] = await Promise.all([
      stores.tasks.range(project, type.name, from, to),
      stores.feedback.demonstrations(project, type.name, from, to),
      stores.scores.range(project, type.name, from, to),
    ]);
    const shown = new Map(demonstrations.filter(({ late }) => !late).map((row) => [row.taskId, row.value]));
    const wrong = new Set(scores.filter((row) => row.role === 'served' && !row.correct).map((row) => row.taskId));
    const known = tasks.filter((task) => shown.has(task.taskId));
    const prepared = await fabric.prepare(
      { taskType: fabricType(type), payloads: known.map((task) => task.payload as JsonObject) },
      { signal },
    );
    return known.flatMap(({ taskId, ordinal }, i) => {
      const result = prepared[i]!;
      if ('error' in result) return []; // never ran either: nothing to learn from
      const expected = shown.get(taskId)!;
      const { pointer } = type.scorer;
      return [
        {
          taskId,
          ordinal,
          payload: result.payload,
          features: [...result.features],
          expected,
          demonstration: true,
          disagreement: wrong.has(taskId),
          label: type.scorer.kind === 'label' ? String(valueAt(expected, pointer)) : undefined,
        },
      ];
    });
  }

  return {
    async curate({ project, taskType, seed, uptoOrdinal, minimumExamples, shuffleLabels }) {
      return heartbeating(async (signal, note) => {
        const type = await stores.taskTypes.require<TaskType>(project, taskType);
        const { consumedTo } = await consume(stores, project, taskType);
        const upto = Math.min(uptoOrdinal ?? consumedTo, consumedTo);
        const candidates: Labelled[] = [];
        for (let from = 0; from < upto; from += CHUNK) {
          signal.throwIfAborted();
          candidates.push(...(await labelled(project, type, from, Math.min(from + CHUNK, upto), signal)));
          note({ read: Math.min(from + CHUNK, upto), of: upto });
        }
        const golden = selectGolden(candidates, { seed, limit: LIMIT });
        const chosen = new Set(golden.selected.map(({ ordinal }) => ordinal));
        const selected = candidates.filter(({ ordinal }) => chosen.has(ordinal));
        if (selected.length < minimumExamples) {
          const why = `${selected.length} tasks below ordinal ${upto} show the right answer, ${minimumExamples} are needed`;
          throw new ChimeraError('CHIMERA_NO_DATA', { why });
        }
        const learned = shuffleLabels ? shuffled(selected, seed) : selected;
        const byOrdinal = new Map(learned.map((example) => [example.ordinal, example]));
        const version = curate(
          learned.map(({ ordinal, payload, expected, label }) => ({
            ordinal,
            source: 'stream',
            input: payload,
            expected,
            ...(label === undefined ? {} : { label }),
          })),
          {
            taskType: `${type.name}@${type.version}`,
            seed,
            split: {
              by: 'hash',
              shares: OLDER_SHARES,
              recent: { fromOrdinal: await recentFrom(project, taskType, upto), shares: RECENT_SHARES },
            },
          },
        );
        const examples: DatasetExample[] = (['train', 'validation', 'test'] as const)
          .flatMap((split) =>
            version.splits[split].map(({ ordinal, input, expected }) => {
              const { taskId, features } = byOrdinal.get(ordinal)!;
              return {
                ordinal,
                taskId,
                split,
                payload: input as JsonObject,
                features,
                expected: expected as JsonValue,
              };
            }),
          )
          .sort((a, b) => a.ordinal - b.ordinal);
        const artifact = await stores.artifacts.put(writeJsonLines(examples), { kind: 'dataset' });
        failpoint('dataset.put');
        const { train, validation, test } = version.datasheet.splits;
        const counts = { train: train.examples, validation: validation.examples, test: test.examples };
        const id = hashOf({ datasheet: version.hash, examples: artifact.sha256, shuffleLabels });
        const record = await stores.datasets.put(
          project,
          {
            id,
            taskType,
            artifact,
            counts,
            uptoOrdinal: upto,
            datasheet: {
              ...(version.datasheet as unknown as JsonObject),
              golden: golden.byReason,
              shuffledLabels: shuffleLabels,
            },
          },
          { type: 'dataset.created', actor: 'curation', subject: id, details: { taskType, uptoOrdinal: upto, counts } },
        );
        failpoint('dataset.row');
        const left = Object.values(version.datasheet.rejected).reduce((sum, count) => sum + (count ?? 0), 0);
        const text = `dataset version ${record.version} (${id.slice(0, 8)}): ${counts.train} train, ${counts.validation} validation, ${counts.test} test; ${left} left out`;
        return { id, version: record.version, counts, uptoOrdinal: upto, text };
      });
    },
  };
}

/** The same examples with their labels dealt out anew: nothing true is left to learn. */
function shuffled(examples: readonly Labelled[], seed: string): Labelled[] {
  const dealt = stream(seed, 0, 0, 'shuffle-labels').shuffle(
    examples.map(({ expected, label }) => ({ expected, label })),
  );
  return examples.map((example, i) => ({ ...example, ...dealt[i]! }));
}
