import type {
  AuditEvent,
  DeadLetter,
  Deployment,
  ExecutionRow,
  Feedback,
  FeedbackSubmission,
  JsonObject,
  JsonValue,
  Routing,
  ScoreRow,
  TaskRecord,
  TaskState,
  TaskSubmission,
} from '../contracts/records.ts';

/** A task type as the user wrote it. Immutable by (name, version). */
export interface TaskTypeDocument {
  name: string;
  version: number;
  /** A task without feedback for so long counts as resolved. Default: {@link DEFAULT_FEEDBACK_DEADLINE_MS}. */
  feedbackDeadlineMs?: number;
  [member: string]: unknown;
}

export const DEFAULT_FEEDBACK_DEADLINE_MS = 7 * 24 * 3_600_000;

export interface ProjectsRepository {
  ensure(project: string): Promise<void>;
  list(): Promise<string[]>;
}

export interface ApiKeyInfo {
  name: string;
  createdAt: string;
  revokedAt?: string;
}

export interface ApiKeysRepository {
  /** The key is in the answer and nowhere else: only its hash is stored. `CHIMERA_CONFLICT` where the name is taken. */
  create(project: string, name: string): Promise<{ key: string }>;
  verify(key: string): Promise<{ project: string; name: string } | undefined>;
  list(project: string): Promise<ApiKeyInfo[]>;
  /** False where there is no such key. */
  revoke(project: string, name: string): Promise<boolean>;
}

export interface TaskTypesRepository {
  /** The same content again is fine; another content under the same name and version is `CHIMERA_CONFLICT`. */
  put<T extends TaskTypeDocument>(project: string, document: T): Promise<{ created: boolean }>;
  /** The latest version by default. The caller names the shape that it put. */
  get<T extends TaskTypeDocument = TaskTypeDocument>(
    project: string,
    name: string,
    version?: number,
  ): Promise<T | undefined>;
  /** {@link get}, or `CHIMERA_UNKNOWN_TASK_TYPE` that names the known ones. */
  require<T extends TaskTypeDocument = TaskTypeDocument>(project: string, name: string, version?: number): Promise<T>;
  /** The latest version of each, by name. */
  list<T extends TaskTypeDocument = TaskTypeDocument>(project: string): Promise<T[]>;
}

/** Pure: which versions the task at `ordinal` gets under `deployment`. */
export type Route = (deployment: Deployment, ordinal: number, taskHash: string) => Routing;

export interface AcceptOptions {
  batchId?: string;
  /** Default: the champion serves, nobody shadows. */
  route?: Route;
}

export interface Acceptance {
  task: TaskRecord;
  /** False where the key was known already, with the same body. */
  created: boolean;
}

/** A task without its payload, where many are listed. */
export type TaskSummary = Omit<TaskRecord, 'payload'>;

export interface TasksRepository {
  /**
   * Admits all or none, in the order given, in one transaction: new keys get contiguous ordinals and their routing from
   * the deployment of that moment. `key` defaults to a random UUID. Errors: `CHIMERA_UNKNOWN_TASK_TYPE`,
   * `CHIMERA_NOT_FOUND` without a deployment, `CHIMERA_CONFLICT` that lists every key that has another body.
   */
  acceptMany(
    project: string,
    taskType: string,
    submissions: readonly Omit<TaskSubmission, 'taskType'>[],
    options?: AcceptOptions,
  ): Promise<Acceptance[]>;
  get(project: string, taskId: string): Promise<TaskRecord | undefined>;
  byKey(project: string, key: string): Promise<TaskRecord | undefined>;
  /** Ordinals `from` (inclusive) to `to` (exclusive), in order. */
  range(project: string, taskType: string, from: number, to: number): Promise<TaskRecord[]>;
  /** Like {@link range}, without payloads. */
  summaries(project: string, taskType: string, from: number, to: number): Promise<TaskSummary[]>;
  /** Tasks of a batch in order, from an ordinal on. */
  ofBatch(
    project: string,
    batchId: string,
    options?: { from?: number; to?: number; limit?: number },
  ): Promise<TaskRecord[]>;
  /** Single tasks of every project that no workflow has been started for, oldest first. */
  undispatched(limit: number): Promise<TaskSummary[]>;
  markDispatched(project: string, taskIds: readonly string[]): Promise<void>;
  setState(project: string, taskId: string, state: Exclude<TaskState, 'dead'>): Promise<void>;
  /** Newest first. */
  recent(project: string, options?: { taskType?: string; limit?: number }): Promise<TaskSummary[]>;
  counts(project: string, taskType: string): Promise<Record<TaskState, number>>;
  /** The ordinal the next task will get: the number of tasks admitted. */
  nextOrdinal(project: string, taskType: string): Promise<number>;
  /**
   * The highest ordinal below which every task is resolved. Never falls. Looked for upwards of `from`, below which everything is
   * known to be resolved, and no further than `limit` tasks.
   */
  watermark(project: string, taskType: string, options?: { from?: number; limit?: number }): Promise<number>;
  /** Records, as an event, that the feedback deadline of overdue tasks has passed. Returns how many. */
  expireFeedback(now: Date): Promise<number>;
}

export interface BatchRecord {
  project: string;
  batchId: string;
  taskType: string;
  key: string;
  state: 'open' | 'closed' | 'completed';
  count: number;
  /** First and last ordinal of its tasks; absent while open or when empty. */
  first?: number;
  last?: number;
  createdAt: string;
}

export interface BatchesRepository {
  /** The same key again is the same batch; for another task type or id `CHIMERA_CONFLICT`. */
  open(project: string, taskType: string, batchId: string, key: string): Promise<BatchRecord>;
  /** All its tasks are admitted: the dispatcher may take it. */
  close(project: string, batchId: string, count: number, first?: number, last?: number): Promise<BatchRecord>;
  get(project: string, batchId: string): Promise<BatchRecord | undefined>;
  byKey(project: string, key: string): Promise<BatchRecord | undefined>;
  list(project: string, limit?: number): Promise<BatchRecord[]>;
  /** Closed batches of every project that no workflow has been started for, oldest first. */
  undispatched(limit: number): Promise<BatchRecord[]>;
  markDispatched(project: string, batchId: string): Promise<void>;
  complete(project: string, batchId: string): Promise<void>;
}

export interface StoredExecution extends ExecutionRow {
  storedAt: string;
}

export interface ExecutionsRepository {
  /**
   * Stores each (task, role) once, the first wins, and moves the tasks: the served row decides `completed` or `failed`.
   * A task counts as executed when every role of its routing is stored. `divergent` lists the tasks for which another
   * record hash is stored already: a run that was not deterministic.
   */
  putMany(
    project: string,
    taskType: string,
    rows: readonly ExecutionRow[],
  ): Promise<{ inserted: number; divergent: string[] }>;
  forTask(project: string, taskId: string): Promise<StoredExecution[]>;
  /** By ordinal, then role. */
  range(project: string, taskType: string, from: number, to: number): Promise<StoredExecution[]>;
  /**
   * Those that decisions rest on, by ordinal, then role: of tasks that never were dead letters. A dead task is resolved,
   * so what a re-drive makes of it would count or not by the moment of looking.
   */
  ofStream(
    project: string,
    taskType: string,
    from: number,
    to: number,
  ): Promise<(StoredExecution & { taskTypeVersion: number })[]>;
  /** Tasks in the range that lack an execution of their routing and are not dead. */
  missing(
    project: string,
    taskType: string,
    from: number,
    to: number,
    options?: { batchId?: string },
  ): Promise<TaskRecord[]>;
  counts(
    project: string,
    taskType: string,
  ): Promise<{ agentVersion: string; role: string; status: string; count: number }[]>;
}

export interface FeedbackRecord {
  taskId: string;
  taskType: string;
  ordinal: number;
  id: string;
  feedback: Feedback;
  /** It came when the task was resolved, or its deadline recorded: decisions are made without it. */
  late: boolean;
  receivedAt: string;
}

export interface FeedbackRepository {
  /**
   * All or none. Everything but a comment resolves its task. `CHIMERA_INVALID_INPUT` lists every item whose task is
   * unknown, `CHIMERA_CONFLICT` every id that holds another content.
   */
  addMany(project: string, items: readonly FeedbackSubmission[]): Promise<FeedbackRecord[]>;
  forTask(project: string, taskId: string): Promise<FeedbackRecord[]>;
  /** By ordinal, then arrival. */
  forRange(project: string, taskType: string, from: number, to: number): Promise<FeedbackRecord[]>;
  /** The last demonstration of each task, by ordinal; one that is late only where there is no other. */
  demonstrations(
    project: string,
    taskType: string,
    from: number,
    to: number,
  ): Promise<{ taskId: string; ordinal: number; value: JsonValue; late: boolean }[]>;
}

export interface ScorePair {
  ordinal: number;
  taskId: string;
  champion: ScoreRow;
  challenger: ScoreRow;
}

export interface ScoresRepository {
  /** One score for a task and agent version, for ever: the first wins. */
  putMany(project: string, taskType: string, rows: readonly ScoreRow[]): Promise<{ inserted: number }>;
  /** By ordinal, then agent version. */
  range(project: string, taskType: string, from: number, to: number, agentVersion?: string): Promise<ScoreRow[]>;
  /** Tasks that both versions were scored on, by ordinal. */
  pairs(
    project: string,
    taskType: string,
    from: number,
    to: number,
    champion: string,
    challenger: string,
  ): Promise<ScorePair[]>;
}

export interface KpiWindow {
  agentVersion: string;
  fromOrdinal: number;
  toOrdinal: number;
  values: JsonObject;
}

export interface MonitorState {
  /** The stream is consumed below this ordinal. */
  consumedTo: number;
  state: JsonValue;
}

export interface DriftEvent {
  /** The ordinal at which the detector raised its alarm. */
  ordinal: number;
  detector: string;
  details: JsonObject;
  at: string;
}

export interface KpiRepository {
  putWindows(project: string, taskType: string, windows: readonly KpiWindow[]): Promise<void>;
  windows(project: string, taskType: string, options?: { agentVersion?: string }): Promise<KpiWindow[]>;
  monitor(project: string, taskType: string): Promise<MonitorState | undefined>;
  /**
   * Moves the monitor on if it stands at `expected` (undefined: not begun); drift events enter in the same transaction.
   * True also where exactly `next` is stored already, false where somebody else moved it.
   */
  compareAndSetMonitor(
    project: string,
    taskType: string,
    expected: number | undefined,
    next: MonitorState,
    driftEvents?: readonly Omit<DriftEvent, 'at'>[],
  ): Promise<boolean>;
  addDriftEvents(project: string, taskType: string, events: readonly Omit<DriftEvent, 'at'>[]): Promise<void>;
  driftEvents(project: string, taskType: string): Promise<DriftEvent[]>;
}

export type NextDeployment = Pick<Deployment, 'champion' | 'challenger' | 'stage' | 'share' | 'reason'>;

export interface DeploymentsRepository {
  current(project: string, taskType: string): Promise<Deployment | undefined>;
  /** The deployment that a task at this ordinal was or will be routed by. */
  at(project: string, taskType: string, ordinal: number): Promise<Deployment | undefined>;
  /** By epoch. */
  history(project: string, taskType: string): Promise<Deployment[]>;
  /** Epoch 0, once; the same champion again returns it, another is `CHIMERA_EPOCH_CONFLICT`. */
  initial(project: string, taskType: string, champion: string, audit: AuditEvent): Promise<Deployment>;
  /**
   * The next epoch, from the next ordinal on, if `expectedEpoch` is the current one, else `CHIMERA_EPOCH_CONFLICT`. The
   * same `decisionId` again returns what it made.
   */
  advance(
    project: string,
    taskType: string,
    expectedEpoch: number,
    next: NextDeployment,
    options: { decisionId: string; audit: AuditEvent },
  ): Promise<Deployment>;
}

export interface DeadLettersRepository {
  /** The task is dead: it counts as resolved. */
  put(project: string, letter: Omit<DeadLetter, 'project' | 'at'>): Promise<void>;
  /** Newest first, those that were not re-driven. */
  list(project: string, options?: { taskType?: string; limit?: number }): Promise<DeadLetter[]>;
  /** Accepted and undispatched again; returns the tasks that were. Without ids: all of them. */
  redrive(project: string, taskIds: readonly string[] | undefined, audit: AuditEvent): Promise<string[]>;
}
