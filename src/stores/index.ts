import { createAgents } from './agents.ts';
import { createApprovals } from './approvals.ts';
import type { ArtifactStore } from './artifacts/artifact-store.ts';
import { createAudit } from './audit.ts';
import { createBaseModels } from './base-models.ts';
import { createBatches } from './batches.ts';
import { createCycles } from './cycles.ts';
import { openDatabase } from './database.ts';
import { createDatasets } from './datasets.ts';
import { createDeadLetters } from './dead-letters.ts';
import { createDeployments } from './deployments.ts';
import { createEffects, createMemoryBlocks } from './effects.ts';
import { createExecutions } from './executions.ts';
import { createCandidates, createEvaluations, createExperiments, createSnapshots } from './experiments.ts';
import { createFeedback } from './feedback.ts';
import { collectGarbage, type GarbageOptions, type GarbageReport } from './gc.ts';
import { createKpi } from './kpi.ts';
import { createLedger } from './ledger.ts';
import { createListen, type Listen } from './listen.ts';
import { createLongExecutions } from './long-executions.ts';
import { migrateDown, migrateUp } from './migrations.ts';
import { createModels } from './models.ts';
import { createApiKeys, createProjects, createTaskTypes } from './projects.ts';
import { createRollouts } from './rollouts.ts';
import { createScores } from './scores.ts';
import { createTasks } from './tasks.ts';
import { createUsage } from './usage.ts';
import type * as long from './execution-types.ts';
import type * as registry from './registry-types.ts';
import type * as stream from './stream-types.ts';

export type * from './stream-types.ts';
export type * from './execution-types.ts';
export type * from './registry-types.ts';
export type { ArtifactContent, ArtifactStore, StoredArtifact } from './artifacts/artifact-store.ts';
export type { GarbageOptions, GarbageReport } from './gc.ts';
export type { Channel, Listen } from './listen.ts';
export { artifactKey } from './artifacts/artifact-store.ts';
export { createDirectoryArtifacts } from './artifacts/directory.ts';
export { openArtifacts } from './artifacts/open.ts';
export { createS3Artifacts, type S3Options } from './artifacts/s3.ts';
export { bodyHashOf, taskIdOf } from './task-identity.ts';

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
  // Executions that go turn by turn
  readonly longExecutions: long.LongExecutionsRepository;
  readonly effects: long.EffectsRepository;
  readonly memoryBlocks: long.MemoryBlocksRepository;
  readonly approvals: long.ApprovalsRepository;
  // What is made of it
  readonly agents: registry.AgentsRepository;
  readonly models: registry.ModelsRepository;
  readonly baseModels: registry.BaseModelsRepository;
  readonly datasets: registry.DatasetsRepository;
  readonly experiments: registry.ExperimentsRepository;
  readonly candidates: registry.CandidatesRepository;
  readonly evaluations: registry.EvaluationsRepository;
  readonly snapshots: registry.SnapshotsRepository;
  readonly rollouts: registry.RolloutsRepository;
  readonly cycles: registry.CyclesRepository;
  readonly ledger: registry.LedgerRepository;
  readonly usage: registry.UsageRepository;
  readonly audit: registry.AuditRepository;
  readonly artifacts: ArtifactStore;

  readonly listen: Listen;
  /** Brings the schema to the newest version; safe to run from many processes at once. Returns what was applied. */
  migrate(): Promise<string[]>;
  /** Takes migrations above `version` back; 0 empties the database. */
  migrateDown(version: number): Promise<string[]>;
  /** Artifacts that nothing refers to: listed, and without `dryRun` removed. */
  gc(options: GarbageOptions): Promise<GarbageReport>;
  /** `CHIMERA_STORE_UNAVAILABLE` where PostgreSQL does not answer. */
  ping(): Promise<void>;
  /** Ends the pool and the artifact store. */
  close(): Promise<void>;
}

/** Connects nothing yet: the first statement does. `max`: connections of the pool, 10 by default. */
export function createStores(options: { databaseUrl: string; artifacts: ArtifactStore; max?: number }): Stores {
  const { databaseUrl, artifacts } = options;
  const db = openDatabase(databaseUrl, options.max);
  return {
    projects: createProjects(db),
    apiKeys: createApiKeys(db),
    taskTypes: createTaskTypes(db),
    tasks: createTasks(db),
    batches: createBatches(db),
    executions: createExecutions(db),
    feedback: createFeedback(db),
    scores: createScores(db),
    kpi: createKpi(db),
    deployments: createDeployments(db),
    deadLetters: createDeadLetters(db),
    longExecutions: createLongExecutions(db),
    effects: createEffects(db),
    memoryBlocks: createMemoryBlocks(db),
    approvals: createApprovals(db),
    agents: createAgents(db),
    models: createModels(db),
    baseModels: createBaseModels(db),
    datasets: createDatasets(db),
    experiments: createExperiments(db),
    candidates: createCandidates(db),
    evaluations: createEvaluations(db),
    snapshots: createSnapshots(db),
    rollouts: createRollouts(db),
    cycles: createCycles(db),
    ledger: createLedger(db),
    usage: createUsage(db),
    audit: createAudit(db),
    artifacts,
    listen: createListen(databaseUrl),
    migrate: () => migrateUp(databaseUrl),
    migrateDown: (version) => migrateDown(databaseUrl, version),
    gc: (gcOptions) => collectGarbage(db, artifacts, gcOptions),
    async ping() {
      await db.query('SELECT 1 ORDER BY 1');
    },
    async close() {
      await db.close();
      await artifacts.close();
    },
  };
}
