import { invalidInput, type ChimeraError, type Problem } from '../../contracts/errors.ts';

/** A file of thousands of tensors can have as many problems: these are shown, and how many more there are. */
const SHOWN = 50;
const LONGEST_NAME = 100;

/** `CHIMERA_INVALID_INPUT` with the first problems of many. */
export function refusal(what: string, problems: readonly Problem[]): ChimeraError {
  const shown = problems.slice(0, SHOWN);
  const more = problems.length - shown.length;
  return invalidInput(what, more === 0 ? shown : [...shown, { path: '', message: `and ${more} more problems` }]);
}

/** The place of a tensor or a member in an error: files choose names, and choose long ones. */
export const place = (name: string): string =>
  `/${name.length <= LONGEST_NAME ? name : `${name.slice(0, LONGEST_NAME)}…`}`;

/** @throws `CHIMERA_INVALID_INPUT` where a tensor is not finite everywhere */
export function finite(values: Float32Array, name: string, what: string): Float32Array {
  for (let at = 0; at < values.length; at++) {
    if (!Number.isFinite(values[at])) {
      throw refusal(what, [{ path: place(name), message: `it holds ${values[at]} at ${at}` }]);
    }
  }
  return values;
}

/** What {@link Weights.shape} and its siblings throw. */
export function noSuchTensor(name: string, what: string): ChimeraError {
  return refusal(what, [{ path: place(name), message: 'there is no such tensor' }]);
}
