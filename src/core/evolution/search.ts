import { invalidInput } from '../../contracts/errors.ts';
import type { Problem } from '../../contracts/errors.ts';
import { parseInput } from '../../contracts/inputs.ts';
import { hashOf } from '../canonical/canonical.ts';
import type { Sha256 } from '../canonical/canonical.ts';
import { addToArchive, createArchive } from './archive.ts';
import type { AddStatus, Archive, Elite } from './archive.ts';
import { foundingGeneration, individualOf, offspring, seenKey, violationOf } from './breeding.ts';
import type { Candidate } from './breeding.ts';
import type { SearchContext } from './context.ts';
import type { Evaluation } from './fitness.ts';
import { featuresNeeded, parseGenome } from './genome.ts';
import { environmentalSelection } from './nsga2.ts';
import { searchSettings } from './settings.ts';
import type { SearchSettings } from './settings.ts';

/**
 * A search between two generations: plain JSON that holds everything, so that it can stop here, move to another machine
 * and go on to the same end. `ask` and `tell` are pure functions of it.
 */
export interface SearchState {
  readonly settings: SearchSettings;
  readonly context: SearchContext;
  /** The generation that `ask` gives. */
  readonly generation: number;
  /** The parents of the next generation, best first. */
  readonly population: readonly Elite[];
  readonly archive: Archive;
  /** The incumbent as evaluated in generation 0. */
  readonly incumbent?: Elite;
  /** Beginnings of the hashes of all genomes so far: none is evaluated twice. */
  readonly seen: readonly string[];
  /** Evaluations of a candidate on a task. */
  readonly evaluations: number;
  readonly fuel: number;
  /** Where the last gain led: best quality, and the least cost at about that quality. */
  readonly progress?: Progress;
  readonly generationsWithoutGain: number;
  /** Hash chain over the lineage rows of all generations so far; empty at first. */
  readonly lineage: string;
}

export interface Progress {
  readonly quality: number;
  readonly cost: number;
}

/** The record of one candidate; the rows of all generations are the lineage of an experiment. */
export interface LineageRow {
  /** Hash of the genome. */
  readonly id: Sha256;
  readonly generation: number;
  readonly index: number;
  readonly operator: string;
  readonly parents: readonly Sha256[];
  readonly evaluation: Evaluation;
  /** What the archive said; DISQUALIFIED candidates never reach it. */
  readonly status: AddStatus | 'DISQUALIFIED';
}

export type StopReason = 'generations' | 'evaluations' | 'fuel' | 'plateau';

/** A cost lower by this share, at about the same quality, is a gain. */
const COST_GAIN = 0.01;

/** The genomes a search starts from must be valid, over the labels of the search, and within its features. */
function checkContext({ labels, features, models, incumbent, seeds }: SearchContext): void {
  const problems: Problem[] = [];
  [incumbent, ...seeds].forEach((genome, index) => {
    const path = index === 0 ? '/incumbent' : `/seeds/${index - 1}`;
    parseGenome(genome);
    if (genome.labels.join('\n') !== labels.join('\n'))
      problems.push({ path: `${path}/labels`, message: `must be ${labels.join(', ')}` });
    if (featuresNeeded(genome) > features.length)
      problems.push({
        path: `${path}/rules`,
        message: `read feature ${featuresNeeded(genome) - 1} of ${features.length}`,
      });
  });
  models.forEach(({ positive, negative, thresholds }, index) => {
    for (const label of [positive, negative])
      if (!labels.includes(label))
        problems.push({ path: `/models/${index}`, message: `${label} is not one of the labels` });
    if (thresholds.length === 0) problems.push({ path: `/models/${index}/thresholds`, message: 'is empty' });
  });
  if (problems.length > 0) throw invalidInput('the search context', problems);
}

/** A search before its first generation. Throws CHIMERA_INVALID_INPUT on bad settings or a context out of step. */
export function createSearch(settings: unknown, context: SearchContext): SearchState {
  checkContext(context);
  const checked = parseInput(searchSettings, settings, 'the search settings');
  return {
    settings: checked,
    context,
    generation: 0,
    population: [],
    archive: createArchive(checked.archive),
    seen: [],
    evaluations: 0,
    fuel: 0,
    generationsWithoutGain: 0,
    lineage: '',
  };
}

/** The name of a state. */
export function searchHash(state: SearchState): Sha256 {
  return hashOf(state);
}

/** Why the search is over; undefined while it is not. */
export function stopReason(state: SearchState): StopReason | undefined {
  const { settings } = state;
  if (state.generation >= settings.generations) return 'generations';
  if (state.evaluations >= settings.evaluations) return 'evaluations';
  if (state.fuel >= settings.fuel) return 'fuel';
  if (state.generationsWithoutGain >= settings.plateau) return 'plateau';
  return undefined;
}

/** The candidates of the generation at hand, all new; none where the search is over. The same state, the same bytes. */
export function ask(state: SearchState): Candidate[] {
  if (stopReason(state) !== undefined) return [];
  const { settings, context, generation, population, seen } = state;
  return generation === 0
    ? foundingGeneration(settings, context)
    : offspring(settings, context, generation, population, seen);
}

function match(candidates: readonly Candidate[], evaluations: readonly Evaluation[]): Evaluation[] {
  const problems: Problem[] = [];
  const byId = new Map<string, Evaluation>();
  const wanted = new Set(candidates.map((candidate) => candidate.id));
  evaluations.forEach((evaluation, index) => {
    const problem = (message: string): number => problems.push({ path: `/${index}`, message });
    if (!wanted.has(evaluation.candidate)) problem(`nobody asked for ${evaluation.candidate}`);
    if (byId.has(evaluation.candidate)) problem(`${evaluation.candidate} is evaluated twice`);
    byId.set(evaluation.candidate, evaluation);
    const { candidate: _, coverage: _coverage, ...numbers } = evaluation;
    for (const [name, value] of Object.entries(numbers))
      if (!Number.isFinite(value)) problem(`${name} is not a finite number`);
    if (!(evaluation.tasks > 0)) problem('no tasks');
  });
  for (const id of wanted) if (!byId.has(id)) problems.push({ path: '', message: `${id} is not evaluated` });
  if (problems.length > 0) throw invalidInput('the evaluations', problems);
  return candidates.map((candidate) => byId.get(candidate.id)!);
}

/** Archive and lineage after the generation at hand; evaluations may come in any order. */
function settle(state: SearchState, evaluations: readonly Evaluation[]) {
  let { archive } = state;
  const elites: Elite[] = [];
  const rows: LineageRow[] = [];
  const candidates = ask(state);
  match(candidates, evaluations).forEach((evaluation, place) => {
    const { id, genome, ...origin } = candidates[place]!;
    const elite = { id, genome, evaluation };
    elites.push(elite);
    let status: LineageRow['status'] = 'DISQUALIFIED';
    if (violationOf(evaluation, state.settings) === 0) ({ archive, status } = addToArchive(archive, elite));
    rows.push({ id, ...origin, evaluation, status });
  });
  return { archive, elites, rows };
}

/** The lineage rows that `tell` with the same arguments appends to the experiment. */
export function lineageRows(state: SearchState, evaluations: readonly Evaluation[]): LineageRow[] {
  return settle(state, evaluations).rows;
}

function progressOf(archive: Archive, minimumGain: number): Progress | undefined {
  if (archive.elites.length === 0) return undefined;
  const quality = Math.max(...archive.elites.map(({ evaluation }) => evaluation.quality));
  const near = archive.elites.filter(({ evaluation }) => evaluation.quality >= quality - minimumGain);
  return { quality, cost: Math.min(...near.map(({ evaluation }) => evaluation.cost)) };
}

function isGain(before: Progress | undefined, after: Progress | undefined, minimumGain: number): boolean {
  if (before === undefined || after === undefined) return after !== undefined;
  if (after.quality > before.quality && after.quality - before.quality >= minimumGain) return true;
  return after.quality >= before.quality && after.cost < before.cost * (1 - COST_GAIN);
}

/**
 * The state after a generation. `evaluations` must be those of exactly the candidates that `ask(state)` gives; else
 * CHIMERA_INVALID_INPUT names everything that is missing, too much or no number.
 */
export function tell(state: SearchState, evaluations: readonly Evaluation[]): SearchState {
  const { settings } = state;
  const { archive, elites, rows } = settle(state, evaluations);
  const everyone = [...state.population, ...elites];
  const individuals = everyone.map((elite) => individualOf(elite, settings));
  const after = progressOf(archive, settings.minimumGain);
  const gain = isGain(state.progress, after, settings.minimumGain);
  const progress = gain ? after : state.progress;
  const incumbent = state.incumbent ?? elites[0];
  return {
    ...state,
    generation: state.generation + 1,
    population: environmentalSelection(individuals, settings.population).map((index) => everyone[index]!),
    archive,
    ...(incumbent && { incumbent }),
    seen: [...state.seen, ...elites.map(({ id }) => seenKey(id))],
    evaluations: rows.reduce((sum, row) => sum + row.evaluation.tasks, state.evaluations),
    fuel: rows.reduce((sum, row) => sum + row.evaluation.fuel, state.fuel),
    ...(progress && { progress }),
    generationsWithoutGain: gain ? 0 : state.generationsWithoutGain + 1,
    lineage: hashOf([state.lineage, rows]),
  };
}
