export { createFabric } from './fabric.ts';
export type { CallOptions, Fabric, FabricOptions } from './fabric.ts';
export type { AskModel, ModelAnswer, ModelHost } from './hosted.ts';
export { EVALUATION_STATUS } from './jobs.ts';
export type {
  AdvanceJob,
  AdvanceResult,
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
export { parseManifest } from './manifest.ts';
export { sandboxFacts } from './facts.ts';
export type { SandboxFact } from './pool/walls.ts';
export { PRICE_VERSION } from './guard/prices.ts';
