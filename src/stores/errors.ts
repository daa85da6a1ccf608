import { ChimeraError, isChimeraError } from '../contracts/errors.ts';

/** SQLSTATE classes after which the same call can succeed: connection, rollback, resources, operator intervention. */
const TRANSIENT_CLASSES = ['08', '40', '53', '57', '58'];
/** Lock not available; the server is starting up is in class 57. */
const TRANSIENT_STATES = ['55P03'];
/** NUL in a text, a character outside the encoding, an integer out of range. */
const INVALID_STATES = ['22021', '22P05', '22003', '22P02', '23514', '23502'];

interface Fault {
  code?: string;
  message?: string;
  table?: string;
  detail?: string;
}

/**
 * The one place where an error of PostgreSQL becomes one of ours. Whatever has no SQLSTATE comes from the connection
 * (refused, reset, ended in the middle of a query) and may be retried.
 */
export function storeError(error: unknown): ChimeraError {
  if (isChimeraError(error)) return error;
  const fault = (error ?? {}) as Fault;
  const message = fault.message || String(error);
  const state = fault.code !== undefined && /^[0-9A-Z]{5}$/.test(fault.code) ? fault.code : undefined;
  const options = { cause: error };
  if (state === undefined) {
    if (error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError) {
      return new ChimeraError('CHIMERA_INTERNAL', { why: message }, options);
    }
    return new ChimeraError('CHIMERA_STORE_UNAVAILABLE', { why: message }, options);
  }
  if (state === '23505') {
    return new ChimeraError('CHIMERA_CONFLICT', { what: `a row of ${fault.table ?? 'the store'}` }, options);
  }
  if (INVALID_STATES.includes(state)) {
    return new ChimeraError(
      'CHIMERA_INVALID_INPUT',
      { what: `a row of ${fault.table ?? 'the store'}`, problems: [{ path: '', message }] },
      options,
    );
  }
  if (TRANSIENT_STATES.includes(state) || TRANSIENT_CLASSES.includes(state.slice(0, 2))) {
    return new ChimeraError('CHIMERA_STORE_UNAVAILABLE', { why: `${message} (${state})` }, options);
  }
  return new ChimeraError('CHIMERA_INTERNAL', { why: `PostgreSQL: ${message} (${state})` }, options);
}
