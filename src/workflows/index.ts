/** Every workflow type of the platform: what is exported here is what a worker registers. */
export { curationWorkflow } from './curation.ts';
export { discoveryWorkflow } from './discovery.ts';
export { evaluationWorkflow } from './evaluation.ts';
export { evolutionCycleWorkflow } from './evolution-cycle.ts';
export { evolutionWorkflow } from './evolution.ts';
export { executionWorkflow } from './execution.ts';
export { leaseBrokerWorkflow } from './lease-broker.ts';
export { rolloutWorkflow } from './rollout.ts';
export { streamMonitorWorkflow } from './stream-monitor.ts';
export { sweepWorkflow } from './sweep.ts';
export { taskBatchWorkflow } from './task-batch.ts';
export { taskWorkflow } from './task.ts';
export { trainingWorkflow } from './training.ts';
