import type { ExecutionBudget } from '../../contracts/executions.ts';

/** What an execution has spent so far. */
export interface Spent {
  readonly turns: number;
  readonly fuel: number;
  readonly tokens: number;
  readonly money: number;
  readonly wallMs: number;
}

const WHAT: Readonly<Record<keyof ExecutionBudget, (limit: number) => string>> = {
  turns: (limit) => `${limit} turns`,
  fuel: (limit) => `${limit} fuel`,
  tokens: (limit) => `${limit} tokens`,
  money: (limit) => `${limit} money units`,
  wallMs: (limit) => `${limit} ms since it started`,
};

/** The first budget that is spent, in words; undefined while there is some of each left. */
export function spentBudget(budget: ExecutionBudget, spent: Spent): string | undefined {
  const names = Object.keys(WHAT) as (keyof Spent & keyof ExecutionBudget)[];
  const name = names.find((each) => spent[each] >= (budget[each] ?? Infinity));
  return name === undefined ? undefined : WHAT[name](budget[name]!);
}
