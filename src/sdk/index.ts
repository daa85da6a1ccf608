/** Writing agents: what `chimera agent` does, for programs. */
export { passed, tryAgent } from '../activities/trial.ts';
export type { SampleReport, TrialReport } from '../activities/trial.ts';
export { buildAgent } from './build.ts';
export type { AgentBuild } from './build.ts';
export { createProject } from './create.ts';
export { LANGUAGES } from './languages/languages.ts';
export type { Language } from './languages/languages.ts';
export { readProject } from './project.ts';
export type { AgentProject } from './project.ts';
export { publicationOf } from './publication.ts';
