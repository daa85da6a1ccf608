import assert from 'node:assert/strict';
import { summariseData } from '../../../src/core/evolution/context.ts';
import { holds } from '../../../src/core/evolution/interpret.ts';
import type { RuleList } from '../../../src/core/evolution/covering.ts';
import { stream } from '../../../src/core/random/random.ts';

const labels = ['ham', 'spam'];
const columnsOf = (rows: number[][]): number[][] => rows[0]!.map((_, f) => rows.map((row) => row[f]!));
const rowsOf = (seed: string, count: number): number[][] =>
  Array.from({ length: count }, (_, i) => {
    const random = stream(seed, 0, i, 'row');
    return Array.from({ length: 5 }, () => random.uniform());
  });
const learn = (rows: number[][], expected: number[]): readonly RuleList[] =>
  summariseData({ names: ['a', 'b', 'c', 'd', 'e'], columns: columnsOf(rows), expected, labels }).lists;

/** The label that a list gives, and whether one of its rules gave it. */
function decide(list: RuleList, row: number[]): { label: string; decided: boolean } {
  const rule = list.rules.find(({ when }) => when.every((condition) => holds(condition, row)));
  return rule && 'label' in rule.then
    ? { label: rule.then.label, decided: true }
    : { label: list.rest, decided: false };
}

describe('coverPrecisely', () => {
  const planted = (row: number[]): number => (row[0]! > 0.6 && row[1]! <= 0.5 && row[2]! > 0.3 ? 1 : 0);

  it('finds a planted conjunction of three, shown on held-out data', () => {
    const rows = rowsOf('train', 800);
    const lists = learn(rows, rows.map(planted));
    const heldOut = rowsOf('held-out', 2000);
    const best = Math.max(
      ...lists.map((list) => heldOut.filter((row) => decide(list, row).label === labels[planted(row)]).length / 2000),
    );
    assert.ok(best > 0.95, `${best}`);
  });

  it('keeps to its precision on what its rules decide, and decides more where it may err more', () => {
    const rows = rowsOf('train', 800);
    const expected = rows.map((row, i) =>
      stream('noise', 0, i, 'flip').chance(0.1) ? 1 - planted(row) : planted(row),
    );
    const lists = learn(rows, expected);
    const decided = lists.map((list) => {
      const by = rows.map((row) => decide(list, row));
      const right = by.filter(({ label, decided: yes }, i) => yes && label === labels[expected[i]!]).length;
      return { all: by.filter((d) => d.decided).length, right };
    });
    const loosest = decided.at(-1)!;
    assert.ok(loosest.right / loosest.all >= 0.8, `${loosest.right} of ${loosest.all}`);
    assert.ok(loosest.all >= decided[0]!.all);
    assert.ok(loosest.all > 600);
  });

  it('finds next to nothing that is precise where labels are random', () => {
    const rows = rowsOf('train', 800);
    const expected = rows.map((_, i) => stream('coin', 0, i, 'flip').integer(2));
    const [strictest] = learn(rows, expected);
    const decided = rows.filter((row) => strictest !== undefined && decide(strictest, row).decided).length;
    assert.ok(decided < 80, `${decided} of 800 tasks decided`);
  });
});
