/**
 * The one error table: every error a user or an operator can meet, with its HTTP status, whether a retry can help,
 * and what they can do about it. Activities turn a {@link ChimeraError} into an `ApplicationFailure` of the same code
 * (`activities/failures.ts`), the gateway into an HTTP answer, the CLI into an exit code.
 */

export interface ErrorEntry {
  /** HTTP status of the answer that carries this error. */
  readonly status: number;
  /** May the same call succeed later without a change by the caller? */
  readonly retryable: boolean;
  /** `{name}` is replaced by the detail of that name. */
  readonly message: string;
  /** What the reader can do. */
  readonly action: string;
}

const entry = (status: number, retryable: boolean, message: string, action: string): ErrorEntry => ({
  status,
  retryable,
  message,
  action,
});

export const ERRORS = {
  CHIMERA_INVALID_INPUT: entry(400, false, '{what} is not valid', 'Correct every problem that is listed.'),
  CHIMERA_MALFORMED_JSON: entry(400, false, 'the body is not JSON: {why}', 'Send UTF-8 JSON.'),
  CHIMERA_TOO_LARGE: entry(
    413,
    false,
    '{what} has {actual}, the limit is {limit}',
    'Send less, or raise the limit of the task type.',
  ),
  CHIMERA_UNAUTHENTICATED: entry(
    401,
    false,
    'no valid API key',
    'Send "Authorization: Bearer <key>"; `chimera keys` lists keys.',
  ),
  CHIMERA_FORBIDDEN: entry(403, false, 'this key may not {action}', 'Use a key of the project that owns it.'),
  CHIMERA_NOT_FOUND: entry(404, false, 'there is no {what} named {name}', 'Check the name; the known ones are listed.'),
  CHIMERA_UNKNOWN_TASK_TYPE: entry(
    404,
    false,
    'unknown task type {name}',
    'Use one of the known task types, or register it first.',
  ),
  CHIMERA_CONFLICT: entry(
    409,
    false,
    '{what} exists with another content',
    'Use another name (for a task: a new idempotency key), or read what is there and decide anew.',
  ),
  CHIMERA_EPOCH_CONFLICT: entry(
    409,
    true,
    'the deployment of {taskType} has changed since epoch {epoch}',
    'Read it again and decide anew.',
  ),
  CHIMERA_AGENT_REFUSED: entry(
    422,
    false,
    'the agent module is refused: {why}',
    'See docs/agents.md for what a module may contain.',
  ),
  CHIMERA_RATE_LIMITED: entry(429, true, 'too many requests', 'Slow down and retry after the time in Retry-After.'),
  CHIMERA_CANCELLED: entry(499, false, '{what} was cancelled', 'Start it again when you want it.'),
  CHIMERA_TASK_FAILED: entry(
    422,
    false,
    'task {task} has failed: {why}',
    'Look at its execution: `chimera task show`.',
  ),
  CHIMERA_BUDGET_SPENT: entry(
    402,
    false,
    'the budget of the execution is spent: {what}',
    'Fork the execution with a larger budget.',
  ),
  CHIMERA_INTERNAL: entry(
    500,
    true,
    'something went wrong inside: {why}',
    'Retry; if it stays, report it with the request ID.',
  ),
  CHIMERA_STORE_UNAVAILABLE: entry(
    503,
    true,
    'the store is not reachable: {why}',
    'Check PostgreSQL and the artifact store: `chimera doctor`.',
  ),
  CHIMERA_TEMPORAL_UNAVAILABLE: entry(
    503,
    true,
    'Temporal is not reachable: {why}',
    'Check the Temporal server: `chimera doctor`.',
  ),
  CHIMERA_UNREACHABLE: entry(
    503,
    true,
    '{what} is not reachable at {where}: {why}',
    'Start it with `chimera up`, or say where it is: `chimera --help`.',
  ),
  CHIMERA_PROVIDER_FAILED: entry(
    502,
    false,
    'the model provider {provider} failed: {why}',
    'Check its declaration in temporal.yaml, its key and its own status page.',
  ),
  CHIMERA_ARTIFACT_CORRUPT: entry(
    500,
    false,
    'artifact {sha256} does not have the content its name says',
    'Restore it from a backup; `chimera gc` never touches live ones.',
  ),
  CHIMERA_SANDBOX_CRASHED: entry(503, true, 'a sandbox process died: {why}', 'It is retried in a fresh process.'),
  CHIMERA_MODEL_CRASHED: entry(
    503,
    true,
    'the process that runs models died: {why}',
    'It is retried in a fresh process; with too little memory, load fewer or smaller models.',
  ),
  CHIMERA_CIRCUIT_OPEN: entry(
    503,
    true,
    'agent {agent} has brought its sandbox down too often in a row and is left alone for {retryAfterMs} ms',
    'Roll back to a version that works, then redrive the dead letters.',
  ),
  CHIMERA_WALL_DEADLINE: entry(
    504,
    true,
    '{what} took longer than {limit} ms of wall time',
    'It is retried elsewhere, then lands in dead letters.',
  ),
  CHIMERA_NO_DATA: entry(
    422,
    false,
    'there is not enough data: {why}',
    'Send more tasks and feedback, or lower the minimum.',
  ),
  CHIMERA_TRAINING_CRASHES: entry(
    422,
    false,
    'training {what} brings its process down, {times} times since step {step}: {why}',
    'Let a step need less memory (smaller batch, maxTokens or rank; accumulation instead), or use a larger device.',
  ),
  CHIMERA_DIVERGED: entry(
    422,
    false,
    'the training diverged: {what} is {loss}',
    'Lower the learning rate, or shorten gradients more.',
  ),
  CHIMERA_NOT_SHOWN_BETTER: entry(
    409,
    false,
    'no candidate was shown better than the champion: {why}',
    'Keep the champion; see the report.',
  ),
  CHIMERA_NUMERIC_PROFILE: entry(
    409,
    false,
    'the run began on numeric profile {expected}, this worker has {actual}',
    'Run it on a worker of the same profile.',
  ),
  CHIMERA_NO_DEVICE: entry(
    422,
    false,
    'no device class {name} is declared',
    'Declare it in temporal.yaml or ask for another class.',
  ),
  CHIMERA_MODEL_UNAVAILABLE: entry(
    503,
    true,
    'base model {model} cannot be had from any of its sources',
    'Check the network and pip, or name a source of your own: CHIMERA_MODELS_MANIFEST.',
  ),
  CHIMERA_LEASE_LOST: entry(409, true, 'lease {lease} is no longer held', 'The work is retried under a new lease.'),
  CHIMERA_PAYLOAD_UNREADABLE: entry(
    422,
    false,
    'a payload cannot be decrypted: {why}',
    'Configure the key it was encrypted with beside the current one: CHIMERA_ENCRYPTION_KEYS.',
  ),
  CHIMERA_CHAIN_BROKEN: entry(
    500,
    false,
    'the audit chain is broken at entry {seq}: {why}',
    'Somebody changed the log; compare with a backup.',
  ),
  CHIMERA_SETUP: entry(500, false, '{what} cannot be set up: {why}', 'See the lines above and `chimera doctor`.'),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** One thing that is wrong with an input: where (a JSON pointer or a flag name) and what. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

export interface ErrorDetails {
  readonly [name: string]: unknown;
  readonly problems?: readonly Problem[];
}

/** The only error class of the platform. Its `code` decides everything else. */
export class ChimeraError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(renderMessage(code, details), options);
    this.name = 'ChimeraError';
    this.code = code;
    this.details = details;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }
}

/** The message of `code` with its details filled in and every problem on a line of its own. */
export function renderMessage(code: ErrorCode, details: ErrorDetails): string {
  const head = ERRORS[code].message.replace(/\{(\w+)\}/g, (_, name: string) => String(details[name] ?? '?'));
  const problems = details.problems ?? [];
  return problems.length === 0
    ? head
    : `${head}:\n${problems.map((p) => `  ${p.path || '/'}: ${p.message}`).join('\n')}`;
}

/** Is `error` a ChimeraError (of this code)? Holds across realms, where `instanceof` does not. */
export function isChimeraError(error: unknown, code?: ErrorCode): error is ChimeraError {
  return (
    error instanceof Error &&
    error.name === 'ChimeraError' &&
    'code' in error &&
    (code === undefined || error.code === code)
  );
}

/** `CHIMERA_INVALID_INPUT` that names every problem at once. */
export function invalidInput(what: string, problems: readonly Problem[]): ChimeraError {
  return new ChimeraError('CHIMERA_INVALID_INPUT', { what, problems });
}
