import type { ArtifactStore } from './artifacts/artifact-store.ts';
import type { Listen } from './listen.ts';
import type * as registry from './registry-types.ts';
import type * as stream from './stream-types.ts';

export type * from './stream-types.ts';
export type * from './registry-types.ts';
export type { ArtifactContent, ArtifactStore, StoredArtifact } from './artifacts/artifact-store.ts';

/** Everything that lasts. Every method of a repository takes the project first. */
export interface Stores {
  // The stream of tasks
  readonly projects: stream.ProjectsRepository;
  readonly apiKeys: stream.ApiKeysRepository;
  readonly taskTypes: stream.TaskTypesRepository;
  readonly tasks: stream.TasksRepository;
  readonly batches: stream.BatchesRepository;
  readonly executions: stream.ExecutionsRepository;
  readonly feedback: stream.FeedbackRepository;
  readonly scores: stream.ScoresRepository;
  readonly kpi: stream.KpiRepository;
  readonly deployments: stream.DeploymentsRepository;
  readonly deadLetters: stream.DeadLettersRepository;
  // What is made of it
  readonly agents: registry.AgentsRepository;
  readonly models: registry.ModelsRepository;
  readonly datasets: registry.DatasetsRepository;
  readonly experiments: registry.ExperimentsRepository;
  readonly candidates: registry.CandidatesRepository;
  readonly evaluations: registry.EvaluationsRepository;
  readonly snapshots: registry.SnapshotsRepository;
  readonly rollouts: registry.RolloutsRepository;
  readonly cycles: registry.CyclesRepository;
  readonly ledger: registry.LedgerRepository;
  readonly audit: registry.AuditRepository;
  readonly artifacts: ArtifactStore;
  readonly listen: Listen;

  /** Brings the schema to the newest version; safe to run from many processes at once. Returns what was applied. */
  migrate(): Promise<string[]>;
  /** Takes migrations above `version` back; 0 empties the database. */
  migrateDown(version: number): Promise<string[]>;
  /** `CHIMERA_STORE_UNAVAILABLE` where PostgreSQL does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
