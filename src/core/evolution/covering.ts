import type { CutTable } from './cuts.ts';
import type { Comparison, Condition, Rule } from './genome.ts';
import { GENOME_LIMITS } from './genome.ts';

/** A number that each task has, and the condition that cuts it. */
export interface CutColumn {
  readonly values: ArrayLike<number>;
  readonly table: CutTable;
  readonly condition: (op: Comparison, threshold: number) => Condition;
}

/** Rules that are right on nearly all they decide, and the most frequent label of the tasks they leave. */
export interface RuleList {
  readonly rules: readonly Rule[];
  readonly rest: string;
}

/** A conjunction under construction, with the tasks on which it holds. */
interface Conjunction {
  readonly when: readonly Condition[];
  readonly tasks: readonly number[];
}

/** A cut of a conjunction's tasks, not yet applied. */
interface Extension {
  readonly base: Conjunction;
  readonly column: number;
  readonly cut: number;
  readonly op: Comparison;
  readonly fired: number;
  readonly right: number;
}

/** The data of one covering. */
interface Cover {
  readonly columns: readonly CutColumn[];
  /** `bins[column][task]`: how many of the column's cuts the value exceeds. */
  readonly bins: readonly Uint8Array[];
  readonly expected: ArrayLike<number>;
  readonly precision: number;
  /** The fewest tasks a rule may decide. */
  readonly minimum: number;
}

const BEAM = 6;
const MAX_RULES = 12;
/** A rule must decide this share of the data. */
const MINIMUM_COVERAGE = 0.01;
const MINIMUM_TASKS = 3;

/**
 * Decision lists by sequential covering: time and again the conjunction of up to three cuts that decides the most of the
 * remaining tasks at `precision` (Laplace's estimate) or better. Conjunctions grow by beam search on weighted relative
 * accuracy (Clark, Niblett: "The CN2 induction algorithm", Machine Learning 3, 1989; Lavrač, Flach, Zupan, ILP 1999).
 */
export function coverPrecisely(
  columns: readonly CutColumn[],
  expected: ArrayLike<number>,
  labels: readonly string[],
  precision: number,
): RuleList {
  const cover: Cover = {
    columns,
    bins: columns.map(({ values, table }) =>
      Uint8Array.from(values, (value) => table.cuts.reduce((count, cut) => count + (value > cut ? 1 : 0), 0)),
    ),
    expected,
    precision,
    minimum: Math.max(MINIMUM_TASKS, MINIMUM_COVERAGE * expected.length),
  };
  let remaining = Array.from({ length: expected.length }, (_, task) => task);
  const rules: Rule[] = [];
  while (rules.length < MAX_RULES) {
    let best: { label: string; extension: Extension } | undefined;
    labels.forEach((label, index) => {
      const extension = widestPrecise(cover, remaining, index);
      if (extension !== undefined && extension.fired > (best?.extension.fired ?? 0)) best = { label, extension };
    });
    if (best === undefined) break;
    const { when, tasks } = extend(cover, best.extension);
    rules.push({ when, then: { label: best.label } });
    const decided = new Set(tasks);
    remaining = remaining.filter((task) => !decided.has(task));
  }
  const left = labels.map((_, label) => remaining.filter((task) => expected[task] === label).length);
  return { rules, rest: labels[left.indexOf(Math.max(...left))]! };
}

/** The conjunction for `label` that decides the most of `tasks` and is precise; undefined where none is. */
function widestPrecise(cover: Cover, tasks: readonly number[], label: number): Extension | undefined {
  const share = tasks.filter((task) => cover.expected[task] === label).length / tasks.length;
  let widest: Extension | undefined;
  let beam: Conjunction[] = [{ when: [], tasks }];
  for (let depth = 1; depth <= GENOME_LIMITS.conditions; depth++) {
    const promising: { extension: Extension; accuracy: number }[] = [];
    for (const base of beam)
      for (let column = 0; column < cover.columns.length; column++) {
        let best: (typeof promising)[number] | undefined;
        for (const extension of extensions(cover, base, column, label)) {
          const { fired, right } = extension;
          const precise = fired >= cover.minimum && (right + 1) / (fired + 2) >= cover.precision;
          if (precise && fired > (widest?.fired ?? 0)) widest = extension;
          const accuracy = right - fired * share;
          if (fired < base.tasks.length && accuracy > (best?.accuracy ?? 0)) best = { extension, accuracy };
        }
        if (best !== undefined) promising.push(best);
      }
    beam = promising
      .sort((a, b) => b.accuracy - a.accuracy)
      .slice(0, BEAM)
      .map(({ extension }) => extend(cover, extension));
  }
  return widest;
}

/** Every cut of one column within a conjunction's tasks, both ways. */
function extensions(cover: Cover, base: Conjunction, column: number, label: number): Extension[] {
  const bins = cover.bins[column]!;
  const cuts = cover.columns[column]!.table.cuts.length;
  const all = new Array<number>(cuts + 1).fill(0);
  const own = new Array<number>(cuts + 1).fill(0);
  let total = 0;
  for (const task of base.tasks) {
    all[bins[task]!]!++;
    if (cover.expected[task] === label) {
      own[bins[task]!]!++;
      total++;
    }
  }
  const found: Extension[] = [];
  let [below, right] = [0, 0];
  for (let cut = 0; cut < cuts; cut++) {
    below += all[cut]!;
    right += own[cut]!;
    found.push({ base, column, cut, op: '<=', fired: below, right });
    found.push({ base, column, cut, op: '>', fired: base.tasks.length - below, right: total - right });
  }
  return found;
}

function extend(cover: Cover, { base, column, cut, op }: Extension): Conjunction {
  const { table, condition } = cover.columns[column]!;
  const bins = cover.bins[column]!;
  return {
    when: [...base.when, condition(op, table.cuts[cut]!)],
    tasks: base.tasks.filter((task) => bins[task]! > cut === (op === '>')),
  };
}
