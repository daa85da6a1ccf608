import type { AgentRecord, Publication } from '../contracts/agents.ts';
import type {
  AgentVersion,
  ArtifactRef,
  AuditEvent,
  DatasetRecord,
  JsonObject,
  JsonValue,
  LedgerEntry,
  ModelRecord,
} from '../contracts/records.ts';

export interface AgentsRepository {
  /** Immutable by id: how it was published and the audit event enter only where the row is new. */
  putVersion(
    project: string,
    version: Omit<AgentVersion, 'project'>,
    audit?: AuditEvent,
    publication?: Publication,
  ): Promise<AgentVersion>;
  get(project: string, id: string): Promise<AgentVersion | undefined>;
  /** {@link get}, or `CHIMERA_NOT_FOUND`. */
  require(project: string, id: string): Promise<AgentVersion>;
  /** Names of agents with their number of versions. */
  list(project: string): Promise<{ agent: string; versions: number; latest: string }[]>;
  /** Oldest first. */
  versionsOf(project: string, agent: string): Promise<AgentVersion[]>;
  /** {@link versionsOf}, each with how it was published. */
  records(project: string, agent: string): Promise<AgentRecord[]>;
  /**
   * The version that somebody means: an ID, an agent's name (its latest version), or the beginning of an ID. Throws
   * `CHIMERA_NOT_FOUND` that lists the known agents, `CHIMERA_INVALID_INPUT` for a beginning of more than one.
   */
  find(project: string, reference: string): Promise<AgentRecord>;
}

export interface ModelsRepository {
  put(project: string, model: Omit<ModelRecord, 'project'>, audit?: AuditEvent): Promise<ModelRecord>;
  get(project: string, id: string): Promise<ModelRecord | undefined>;
  /** Oldest first. */
  list(project: string, options?: { taskType?: string; dataset?: string }): Promise<ModelRecord[]>;
  /** The models that the current champions and challengers call, by id. */
  active(project: string, taskType?: string): Promise<ModelRecord[]>;
}

export interface BaseModelFile {
  name: string;
  bytes: number;
  sha256: string;
}

/** A version of a base model: of what is downloaded, not of what is trained here. */
export interface BaseModelRecord {
  project: string;
  name: string;
  /** SHA-256 of its weights. */
  version: string;
  /** Of the versions of a name exactly one is active. A retired one can be pulled again. */
  state: 'available' | 'active' | 'retired';
  licence: string;
  /** Its shapes. */
  config: JsonObject;
  files: readonly BaseModelFile[];
  /** Where the files came from. */
  source: string;
  /** What was made of the files, for the runtime. */
  converted?: readonly BaseModelFile[];
}

/** Every change enters an audit event of `actor` with it. */
export interface BaseModelsRepository {
  /**
   * The first version of a name becomes active, later ones available; a retired one is available again. The same content again
   * changes nothing, another content replaces what was stored of the version.
   */
  put(project: string, model: Omit<BaseModelRecord, 'project' | 'state'>, actor: string): Promise<BaseModelRecord>;
  /** The version, or without one the active one. */
  get(project: string, name: string, version?: string): Promise<BaseModelRecord | undefined>;
  /** By name, oldest first. */
  list(project: string, name?: string): Promise<BaseModelRecord[]>;
  /** `CHIMERA_NOT_FOUND` that lists the known versions, `CHIMERA_INVALID_INPUT` for a retired one. */
  activate(project: string, name: string, version: string, actor: string): Promise<BaseModelRecord>;
  /** Makes the version active that was so before and is not retired, again and again; `CHIMERA_NOT_FOUND` where none was. */
  rollback(project: string, name: string, actor: string): Promise<BaseModelRecord>;
  /** Retires all but the newest `count` versions and the active one. Returns those that it retired, oldest first. */
  keep(project: string, name: string, count: number, actor: string): Promise<BaseModelRecord[]>;
}

export interface DatasetsRepository {
  /** Allocates the version number; the same id again returns the same record. */
  put(project: string, dataset: Omit<DatasetRecord, 'project' | 'version'>, audit?: AuditEvent): Promise<DatasetRecord>;
  get(project: string, id: string): Promise<DatasetRecord | undefined>;
  latest(project: string, taskType: string): Promise<DatasetRecord | undefined>;
  /** By version. */
  list(project: string, taskType: string): Promise<DatasetRecord[]>;
}

export type RunStatus = 'running' | 'completed' | 'failed' | 'cancelled';

export interface ExperimentRecord {
  id: string;
  project: string;
  taskType: string;
  status: RunStatus;
  /** Settings, and later the result. */
  document: JsonObject;
  updatedAt: string;
}

export interface ExperimentsRepository {
  /** Once by id; the same id again returns what is stored. */
  put(project: string, experiment: Pick<ExperimentRecord, 'id' | 'taskType' | 'document'>): Promise<ExperimentRecord>;
  get(project: string, id: string): Promise<ExperimentRecord | undefined>;
  list(project: string, taskType?: string): Promise<ExperimentRecord[]>;
  updateStatus(project: string, id: string, status: RunStatus, document?: JsonObject): Promise<void>;
}

/** One candidate of an experiment: a row of the lineage. */
export interface CandidateRow {
  /** Derived from content, generation and index. */
  id: string;
  generation: number;
  /** Place within its generation. */
  index: number;
  parents: string[];
  operator: string;
  genomeHash: string;
  quality: number;
  cost: number;
  document: JsonObject;
}

export interface CandidatesRepository {
  putMany(project: string, experiment: string, rows: readonly CandidateRow[]): Promise<void>;
  /** By generation, then index. */
  list(project: string, experiment: string, options?: { generation?: number }): Promise<CandidateRow[]>;
}

export interface EvaluationsRepository {
  /** Cached evaluations of these subjects (agent version or genome hash) on this data, by subject. */
  getMany(project: string, dataHash: string, subjects: readonly string[]): Promise<Map<string, JsonValue>>;
  /** The first wins. */
  putMany(
    project: string,
    dataHash: string,
    rows: readonly { subject: string; document: JsonValue }[],
  ): Promise<{ inserted: number }>;
}

export interface SnapshotsRepository {
  /** The first wins: a step of a search or a training run has one state. `name` is an experiment or a training run. */
  put(project: string, name: string, step: number, artifact: ArtifactRef): Promise<void>;
  get(project: string, name: string, step: number): Promise<ArtifactRef | undefined>;
  /** The last one, or the last one of at most so many steps. */
  latest(project: string, name: string, until?: number): Promise<{ step: number; artifact: ArtifactRef } | undefined>;
  /** Forgets all but the last so many. */
  prune(project: string, name: string, keep: number): Promise<void>;
}

export interface RolloutRecord {
  id: string;
  project: string;
  taskType: string;
  champion: string;
  challenger: string;
  /** `shadow`, `canary`, `promoted`, `rolled-back`, … as core/rollout names them. */
  state: string;
  /** Settings, e-process and explanation. */
  document: JsonObject;
  /** The compare-and-set token; grows by one with every change. */
  revision: number;
  decidedAt?: string;
}

export interface RolloutsRepository {
  /** Once by id; the same id again returns what is stored. */
  create(
    project: string,
    rollout: Omit<RolloutRecord, 'project' | 'revision' | 'decidedAt'>,
    audit?: AuditEvent,
  ): Promise<RolloutRecord>;
  get(project: string, id: string): Promise<RolloutRecord | undefined>;
  list(project: string, taskType?: string): Promise<RolloutRecord[]>;
  /** The stored record where `expectedRevision` held, or `CHIMERA_CONFLICT`; again with the same content is fine. */
  compareAndSet(
    project: string,
    id: string,
    expectedRevision: number,
    next: Pick<RolloutRecord, 'state' | 'document'>,
  ): Promise<RolloutRecord>;
  /** The final state, once; the same again is fine, another is `CHIMERA_CONFLICT`. */
  decide(
    project: string,
    id: string,
    decision: Pick<RolloutRecord, 'state' | 'document'>,
    audit: AuditEvent,
  ): Promise<RolloutRecord>;
}

export interface CycleRecord {
  id: string;
  project: string;
  taskType: string;
  status: RunStatus;
  /** The current-state text, a line an entry. */
  log: string;
  /** What came out: dataset, champion, hashes. */
  document: JsonObject;
  report?: ArtifactRef;
  updatedAt: string;
}

export interface CyclesRepository {
  /** Creates or replaces it. */
  put(project: string, cycle: Omit<CycleRecord, 'project' | 'updatedAt'>, audit?: AuditEvent): Promise<CycleRecord>;
  get(project: string, id: string): Promise<CycleRecord | undefined>;
  /** Newest first. */
  list(project: string, options?: { taskType?: string; limit?: number }): Promise<CycleRecord[]>;
}

export interface LedgerRepository {
  /** Idempotent by lease id. */
  put(project: string, entry: LedgerEntry): Promise<void>;
  /** By time of entry. */
  list(project: string, limit?: number): Promise<(LedgerEntry & { at: string })[]>;
  sum(project: string): Promise<{ deviceClass: string; seconds: number; cost: number; leases: number }[]>;
}

/** What a call of a provider's model used and cost. */
export interface ModelUsageEntry {
  usageId: string;
  provider: string;
  /** By the name it has here. */
  model: string;
  task: string;
  /** Name of the API key. */
  caller: string;
  promptTokens: number;
  completionTokens: number;
  /** Money. */
  cost: number;
  /** The provider did not say what was used: it is guessed from the texts. */
  estimated: boolean;
}

export interface ModelUsageSum extends Pick<
  ModelUsageEntry,
  'provider' | 'model' | 'promptTokens' | 'completionTokens' | 'cost'
> {
  calls: number;
  /** Calls of which the provider did not say what they used. */
  estimated: number;
}

export interface UsageRepository {
  /** Idempotent by usage id. */
  put(project: string, entry: ModelUsageEntry): Promise<void>;
  /** The newest, by time of entry. */
  list(project: string, limit?: number): Promise<(ModelUsageEntry & { at: string })[]>;
  /** By provider and model. */
  sum(project: string): Promise<ModelUsageSum[]>;
}

export interface SealedAuditEvent extends AuditEvent {
  /** 1, 2, … within the project, without a gap. */
  seq: number;
  at: string;
  previousHash: string;
  hash: string;
}

export interface AuditRepository {
  /** An event that records nothing but itself. With an `id`, idempotent. Others enter in the transaction they record. */
  append(project: string, event: AuditEvent, options?: { id?: string }): Promise<void>;
  /** Chains every event whose transaction is certainly over; returns how many. */
  seal(project: string): Promise<number>;
  /** Recomputes the chain: its length and head, or `CHIMERA_CHAIN_BROKEN` with the first bad entry. */
  verify(project: string): Promise<{ entries: number; head: string }>;
  list(
    project: string,
    options?: { fromSeq?: number; limit?: number; type?: string; subject?: string },
  ): Promise<SealedAuditEvent[]>;
}
