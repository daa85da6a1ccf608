/** Names that more than one process must spell alike: queues, workflow types, search attributes, IDs. */

export const TASK_QUEUES = {
  /** Workflow tasks. */
  workflows: 'chimera-workflows',
  /** Activities that wait for stores and other services. */
  io: 'chimera-io',
  /** Activities that run agents in the sandbox. */
  wasm: 'chimera-wasm',
} as const;

/** The queue of a device class: work of class X runs only on workers of class X. `cpu` stands for "no accelerator". */
export function deviceQueue(deviceClass: string): string {
  return `chimera-gpu-${deviceClass}`;
}

/** Every task queue name gets this in front, so that tests and side-by-side stacks do not share work. */
export function prefixed(prefix: string, queue: string): string {
  return `${prefix}${queue}`;
}

export const WORKFLOWS = {
  task: 'taskWorkflow',
  taskBatch: 'taskBatchWorkflow',
  execution: 'executionWorkflow',
  discovery: 'discoveryWorkflow',
  streamMonitor: 'streamMonitorWorkflow',
  curation: 'curationWorkflow',
  training: 'trainingWorkflow',
  sweep: 'sweepWorkflow',
  evolution: 'evolutionWorkflow',
  evaluation: 'evaluationWorkflow',
  rollout: 'rolloutWorkflow',
  evolutionCycle: 'evolutionCycleWorkflow',
  leaseBroker: 'leaseBrokerWorkflow',
} as const;

export type WorkflowType = (typeof WORKFLOWS)[keyof typeof WORKFLOWS];

export const SEARCH_ATTRIBUTES = {
  project: 'ChimeraProject',
  taskType: 'ChimeraTaskType',
  layer: 'ChimeraLayer',
  phase: 'ChimeraPhase',
  agent: 'ChimeraAgent',
} as const;

/** The eight layers, in the order in which a task meets them. */
export const LAYERS = [
  'ingestion',
  'distribution',
  'validation',
  'execution',
  'kpi',
  'curation',
  'evolution',
  'resources',
] as const;

export type Layer = (typeof LAYERS)[number];

export const DEFAULT_PROJECT = 'default';

/** Workflow IDs are derived, never the truth: the same work always asks for the same ID. */
export const workflowId = {
  task: (project: string, keyHash: string): string => `task/${project}/${keyHash}`,
  taskBatch: (project: string, batch: string): string => `batch/${project}/${batch}`,
  execution: (project: string, executionId: string): string => `execution/${project}/${executionId}`,
  streamMonitor: (project: string, taskType: string): string => `kpi/${project}/${taskType}`,
  /** One cycle at a time for a task type: a second start finds the first. */
  evolutionCycle: (project: string, taskType: string): string => `cycle/${project}/${taskType}`,
  leaseBroker: (): string => 'resources/lease-broker',
  discovery: (project: string, source: string): string => `discovery/${project}/${source}`,
  /** A child of a cycle: `curation/…`, `training/…`, `evolution/…`, `evaluation/…`, `rollout/…`. */
  child: (step: string, project: string, taskType: string, cycle: string): string =>
    `${step}/${project}/${taskType}/${cycle}`,
} as const;

/** The name by which genomes, people and callers of the API ask a model: speaking, and of one content for ever. */
export const modelName = ({ name, id }: { readonly name: string; readonly id: string }): string =>
  `${name}@${id.slice(0, 8)}`;
