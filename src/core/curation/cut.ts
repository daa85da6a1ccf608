import { ChimeraError } from '../../contracts/errors.ts';
import type { DatasetExample, JsonObject, JsonValue, ScoreRow, TaskRecord } from '../../contracts/records.ts';
import { hashOf, sha256Hex } from '../canonical/canonical.ts';
import { writeJsonLines } from '../canonical/json-lines.ts';
import { selectGolden, type GoldenCandidate, type GoldenReason } from '../kpi/golden.ts';
import { valueAt } from '../kpi/pointer.ts';
import { stream } from '../random/random.ts';
import type { TaskType } from '../validation/task-type.ts';
import { curate, type DatasetVersion } from './dataset.ts';
import { SPLITS, type SplitSettings } from './split.ts';

type SplitShares = SplitSettings['shares'];

/** A resolved task that shows the right answer. */
export interface Labelled extends GoldenCandidate {
  readonly taskId: string;
  /** As the agent would see it. */
  readonly payload: JsonObject;
  readonly features: readonly number[];
  readonly expected: JsonValue;
}

/** A payload as it was prepared; undefined where it could not be. */
export type PreparedPayload = { readonly payload: JsonObject; readonly features: Iterable<number> } | undefined;

/** What a dataset version is cut by; all of it stands in the datasheet. */
export interface CutSettings {
  readonly seed: string;
  /** Shares of the examples from `recentFrom` on, and of the older ones. */
  readonly shares: SplitShares;
  readonly recentShares: SplitShares;
  /** Ordinal at which the stream as it is now begins. */
  readonly recentFrom: number;
  /** Deal the labels out anew: a control that must learn nothing. */
  readonly shuffleLabels: boolean;
}

/** A dataset version as bytes and record. */
export interface DatasetCut {
  /** Content hash over datasheet and examples. */
  readonly id: string;
  /** Canonical JSON Lines of the examples, by ordinal. */
  readonly bytes: Uint8Array;
  readonly counts: { train: number; validation: number; test: number };
  readonly datasheet: DatasetVersion['datasheet'] & {
    readonly golden: Readonly<Record<GoldenReason, number>>;
    readonly shuffledLabels: boolean;
  };
}

/** Examples that a dataset version holds at most. */
const LIMIT = 50_000;
/** How examples of the stream as it is now are split; and those from before the last drift, which mostly train. */
export const RECENT_SHARES: SplitShares = { train: 0.66, validation: 0.2, test: 0.14 };
export const OLDER_SHARES: SplitShares = { train: 0.85, validation: 0.1, test: 0.05 };

/** The tasks that show the right answer, in the order given. `prepared` runs parallel to `tasks`. */
export function labelledOf(
  type: TaskType,
  tasks: readonly Pick<TaskRecord, 'taskId' | 'ordinal'>[],
  prepared: readonly PreparedPayload[],
  shown: ReadonlyMap<string, JsonValue>,
  scores: readonly ScoreRow[],
): Labelled[] {
  const wrong = new Set(scores.filter((row) => row.role === 'served' && !row.correct).map((row) => row.taskId));
  return tasks.flatMap(({ taskId, ordinal }, i) => {
    const result = prepared[i];
    const expected = shown.get(taskId);
    // What cannot be prepared never ran either: nothing to learn from.
    if (result === undefined || expected === undefined) return [];
    return [
      {
        ...{ taskId, ordinal, expected },
        payload: result.payload,
        features: [...result.features],
        demonstration: true,
        disagreement: wrong.has(taskId),
        label: type.scorer.kind === 'label' ? String(valueAt(expected, type.scorer.pointer)) : undefined,
      },
    ];
  });
}

/** The candidates that a dataset is made from. */
function selectExamples(
  candidates: readonly Labelled[],
  seed: string,
): { selected: Labelled[]; byReason: Readonly<Record<GoldenReason, number>> } {
  const golden = selectGolden(candidates, { seed, limit: LIMIT });
  const chosen = new Set(golden.selected.map(({ ordinal }) => ordinal));
  return { selected: candidates.filter(({ ordinal }) => chosen.has(ordinal)), byReason: golden.byReason };
}

/**
 * Cuts a dataset version from labelled tasks: a pure function of them and the settings.
 * @throws {ChimeraError} CHIMERA_NO_DATA where fewer than `minimum` are there, or nothing is left to train on
 */
export function cutDataset(
  type: TaskType,
  candidates: readonly Labelled[],
  settings: CutSettings,
  minimum = 0,
): DatasetCut {
  const { seed, shares, recentShares, recentFrom, shuffleLabels } = settings;
  const { selected, byReason } = selectExamples(candidates, seed);
  if (selected.length < minimum) {
    const why = `${selected.length} tasks show the right answer, ${minimum} are needed`;
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
      split: { by: 'hash', shares, recent: { fromOrdinal: recentFrom, shares: recentShares } },
    },
  );
  const examples: DatasetExample[] = SPLITS.flatMap((split) =>
    version.splits[split].map(({ ordinal, input, expected }) => {
      const { taskId, features } = byOrdinal.get(ordinal)!;
      return {
        ...{ ordinal, taskId, split },
        payload: input as JsonObject,
        features: [...features],
        expected: expected as JsonValue,
      };
    }),
  ).sort((a, b) => a.ordinal - b.ordinal);
  const bytes = writeJsonLines(examples);
  const { train, validation, test } = version.datasheet.splits;
  return {
    id: hashOf({ datasheet: version.hash, examples: sha256Hex(bytes), shuffleLabels }),
    bytes,
    counts: { train: train.examples, validation: validation.examples, test: test.examples },
    datasheet: { ...version.datasheet, golden: byReason, shuffledLabels: shuffleLabels },
  };
}

/** The settings that a datasheet was cut by: what it takes to cut it again. */
export function cutSettingsOf(datasheet: DatasetCut['datasheet']): CutSettings {
  const { seed, split } = datasheet.settings;
  const { shares, recent } = split;
  return {
    seed,
    shares,
    recentShares: recent?.shares ?? shares,
    recentFrom: recent?.fromOrdinal ?? 0,
    shuffleLabels: datasheet.shuffledLabels,
  };
}

/** The same examples with their labels dealt out anew: nothing true is left to learn. */
function shuffled(examples: readonly Labelled[], seed: string): Labelled[] {
  const dealt = stream(seed, 0, 0, 'shuffle-labels').shuffle(
    examples.map(({ expected, label }) => ({ expected, label })),
  );
  return examples.map((example, i) => ({ ...example, ...dealt[i]! }));
}
