import type { Elite } from './archive.ts';
import type { SearchState } from './search.ts';

/**
 * Why a candidate is a finalist. `frugal` is the one-standard-error rule (Breiman, Friedman, Olshen, Stone:
 * "Classification and Regression Trees", 1984): the cheapest whose quality is within one standard error of the best, since
 * the best of many noisy measurements is partly luck.
 */
export type FinalistRole = 'frugal' | 'knee' | 'best' | 'front' | 'incumbent';

export interface Finalist extends Elite {
  readonly roles: readonly FinalistRole[];
}

const better = (a: Elite, b: Elite): number =>
  b.evaluation.quality - a.evaluation.quality ||
  a.evaluation.cost - b.evaluation.cost ||
  (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/** The elite farthest from the line between the ends of the front, both objectives scaled to [0, 1]. */
function kneeOf(elites: readonly Elite[], best: Elite): Elite {
  const costs = elites.map(({ evaluation }) => evaluation.cost);
  const qualities = elites.map(({ evaluation }) => evaluation.quality);
  const [cheapest, dearest] = [Math.min(...costs), Math.max(...costs)];
  const [worst, top] = [Math.min(...qualities), Math.max(...qualities)];
  if (cheapest === dearest || worst === top) return best;
  const height = ({ evaluation }: Elite): number =>
    (evaluation.quality - worst) / (top - worst) - (evaluation.cost - cheapest) / (dearest - cheapest);
  return elites.reduce((knee, elite) => (height(elite) > height(knee) ? elite : knee));
}

/**
 * At most `count` challengers of the archive in order of preference (frugal, knee, best, then by quality), and the
 * incumbent last, for comparison. One candidate can have several roles; an incumbent that is also a challenger's role
 * stands only in its own place. Judge them on data that the search never saw.
 */
export function finalists(state: SearchState, count: number, standardErrors = 1): Finalist[] {
  const { elites } = state.archive;
  const { incumbent } = state;
  const chosen = new Map<string, { elite: Elite; roles: FinalistRole[] }>();
  const choose = (elite: Elite, role: FinalistRole): void => {
    const entry = chosen.get(elite.id);
    if (entry === undefined) chosen.set(elite.id, { elite, roles: [role] });
    else if (role !== 'front') entry.roles.push(role);
  };
  const ranked = [...elites].sort(better);
  const best = ranked[0];
  if (best !== undefined) {
    const bound = best.evaluation.quality - standardErrors * best.evaluation.qualityError;
    // The archive is ascending in cost.
    choose(
      elites.find(({ evaluation }) => evaluation.quality >= bound)!,
      'frugal',
    );
    choose(kneeOf(elites, best), 'knee');
    choose(best, 'best');
    for (const elite of ranked) choose(elite, 'front');
  }
  if (incumbent !== undefined) choose(incumbent, 'incumbent');
  const all = [...chosen.values()].map(({ elite, roles }) => ({ ...elite, roles }));
  const own = all.filter(({ id }) => id === incumbent?.id);
  return [...all.filter(({ id }) => id !== incumbent?.id).slice(0, count), ...own];
}
