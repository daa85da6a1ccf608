/** Writing agents: what `chimera agent` does, for programs. */
export { buildAgent } from './build.ts';
export type { AgentBuild } from './build.ts';
export { createProject } from './create.ts';
export { LANGUAGES } from './languages/languages.ts';
export type { Language } from './languages/languages.ts';
export { readProject } from './project.ts';
export type { AgentProject, Sample } from './project.ts';
export { publishAgent, registeredTaskType } from './publish.ts';
export { tryAgent } from './trial.ts';
export type { SampleReport, TrialReport } from './trial.ts';
