import { invalidInput } from '../../contracts/errors.ts';
import type { Problem } from '../../contracts/errors.ts';
import { canonicalJson } from '../canonical/canonical.ts';
import type { Json } from '../canonical/canonical.ts';
import { isPointer, valueAt } from './pointer.ts';

/**
 * How a task type scores an answer against the right one: data of the task type, looked up in both by a JSON pointer.
 * - `label`: 1 where the labels agree; the only kind that has a confusion matrix.
 * - `exact`: 1 where the canonical JSON agrees.
 * - `numeric`: 1 within `tolerance` (plus `relative` × |expected|), beyond that allowance / error.
 * - `set`: F1 of two lists as sets; two empty ones agree.
 */
export type ScorerSpec =
  | { readonly kind: 'label'; readonly pointer: string; readonly labels: readonly string[] }
  | { readonly kind: 'exact'; readonly pointer: string }
  | { readonly kind: 'numeric'; readonly pointer: string; readonly tolerance: number; readonly relative?: number }
  | { readonly kind: 'set'; readonly pointer: string };

export interface Score {
  /** In [0, 1]. */
  readonly score: number;
  /** Fully right. */
  readonly correct: boolean;
  /** For labels: what was answered (absent where it is no label) and what was right. */
  readonly predicted?: string;
  readonly expected?: string;
  /** Why the answer could not be compared; its score is 0 then. */
  readonly problem?: string;
}

/** What somebody said about an execution. A comment scores nothing. */
export type Feedback =
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'demonstration'; readonly value: Json }
  | { readonly kind: 'comment'; readonly value: string };

/** What is wrong with a scorer; empty when it is right. */
export function scorerProblems(spec: ScorerSpec): Problem[] {
  const problems: Problem[] = [];
  if (!isPointer(spec.pointer)) problems.push({ path: '/pointer', message: 'must be a JSON pointer (RFC 6901)' });
  switch (spec.kind) {
    case 'label':
      if (spec.labels.length < 2 || new Set(spec.labels).size !== spec.labels.length)
        problems.push({ path: '/labels', message: 'must be two or more different labels' });
      break;
    case 'numeric':
      for (const name of ['tolerance', 'relative'] as const)
        if (!((spec[name] ?? 0) >= 0)) problems.push({ path: `/${name}`, message: 'must be at least 0' });
      break;
    case 'exact':
    case 'set':
      break;
    default:
      problems.push({ path: '/kind', message: 'must be label, exact, numeric or set' });
  }
  return problems;
}

/**
 * Scores an output (undefined: the run failed) against a demonstration. Throws CHIMERA_INVALID_INPUT where the demonstration
 * itself does not fit the scorer; an output that does not fit scores 0 and says why.
 */
export function score(spec: ScorerSpec, output: Json | undefined, expected: Json): Score {
  const right = valueAt(expected, spec.pointer);
  const fault = shapeProblem(spec, right);
  if (fault !== null) throw invalidInput('the demonstration', [{ path: spec.pointer, message: fault }]);
  const answer = output === undefined ? undefined : valueAt(output, spec.pointer);
  const problem = output === undefined ? 'there is no output' : shapeProblem(spec, answer);
  const known = spec.kind === 'label' ? { expected: right as string } : {};
  if (problem !== null) return { score: 0, correct: false, ...known, problem };
  switch (spec.kind) {
    case 'label': {
      const correct = answer === right;
      return { score: correct ? 1 : 0, correct, predicted: answer as string, ...known };
    }
    case 'exact':
      return graded(canonicalJson(answer) === canonicalJson(right) ? 1 : 0);
    case 'numeric': {
      const error = Math.abs((answer as number) - (right as number));
      const allowance = spec.tolerance + (spec.relative ?? 0) * Math.abs(right as number);
      return graded(error <= allowance ? 1 : allowance / error);
    }
    case 'set':
      return graded(setF1(answer as readonly Json[], right as readonly Json[]));
  }
}

/** Scores by whatever feedback came; null for a comment. Numbers are clamped to [0, 1]; one of at least ½ counts as correct. */
export function scoreFeedback(spec: ScorerSpec, output: Json | undefined, feedback: Feedback): Score | null {
  switch (feedback.kind) {
    case 'boolean':
      return graded(feedback.value ? 1 : 0);
    case 'number': {
      const value = Math.max(0, Math.min(1, feedback.value));
      return { score: value, correct: value >= 0.5 };
    }
    case 'demonstration':
      return score(spec, output, feedback.value);
    case 'comment':
      return null;
  }
}

const graded = (value: number): Score => ({ score: value, correct: value === 1 });

function shapeProblem(spec: ScorerSpec, value: Json | undefined): string | null {
  if (value === undefined) return `there is nothing at "${spec.pointer}"`;
  switch (spec.kind) {
    case 'label':
      return typeof value === 'string' && spec.labels.includes(value)
        ? null
        : `${JSON.stringify(value)} is none of ${spec.labels.join(', ')}`;
    case 'numeric':
      return typeof value === 'number' ? null : `${JSON.stringify(value)} is no number`;
    case 'set':
      return Array.isArray(value) ? null : `${JSON.stringify(value)} is no list`;
    case 'exact':
      return null;
  }
}

function setF1(answer: readonly Json[], right: readonly Json[]): number {
  const answered = new Set(answer.map(canonicalJson));
  const wanted = new Set(right.map(canonicalJson));
  if (answered.size + wanted.size === 0) return 1;
  let shared = 0;
  for (const one of answered) if (wanted.has(one)) shared++;
  return (2 * shared) / (answered.size + wanted.size);
}
