/** The client SDK: needs `fetch` and nothing else. */
export { ChimeraClient } from './client.ts';
export type {
  BatchItem,
  CallOptions,
  ClientOptions,
  CycleRequest,
  Items,
  RolloutRequest,
  WaitOptions,
} from './client.ts';
export { ChimeraApiError } from './errors.ts';
export type { ApprovalsClient, ExecutionsClient } from './executions.ts';
export type { RetryPolicy } from './transport.ts';
export type { AgentPublication } from '../contracts/agents.ts';
export type * from './types.ts';
