export { createFabric } from './fabric.ts';
export type { CallOptions, Fabric, FabricOptions } from './fabric.ts';
export { EVALUATION_STATUS } from './jobs.ts';
export type {
  AgentRef,
  EvaluationColumns,
  EvaluationJob,
  ItemError,
  PrepareJob,
  PrepareResult,
  PreparedInput,
  PublishedAgent,
  RecordedEffect,
  RunItem,
  RunItemResult,
  RunJob,
  TaskTypeRef,
} from './jobs.ts';
export { sandboxFacts } from './facts.ts';
export type { SandboxFact } from './pool/walls.ts';
export { PRICE_VERSION } from './guard/prices.ts';
