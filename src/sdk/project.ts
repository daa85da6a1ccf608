import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { agentManifest, agentName, agentSample, MAX_SAMPLES, type AgentSample } from '../contracts/agents.ts';
import { invalidInput, isChimeraError, type Problem } from '../contracts/errors.ts';
import { parseInput } from '../contracts/inputs.ts';
import type { AgentManifest } from '../contracts/records.ts';
import { parseTaskType, type TaskType } from '../core/validation/task-type.ts';
import { parseManifest } from '../fabric/index.ts';
import { LANGUAGES, type Language } from './languages/languages.ts';

/** What a user writes: the folder that `chimera agent new` makes. */
export interface AgentProject {
  readonly dir: string;
  /** The agent's name in the registry. */
  readonly name: string;
  readonly language: Language;
  readonly manifest: AgentManifest;
  readonly taskType: TaskType;
  readonly samples: readonly AgentSample[];
}

const agentFile = agentManifest.omit({ abi: true }).extend({ name: agentName, language: z.enum(LANGUAGES) });

/** The name of a sample is that of its file. */
const sampleFile = agentSample.omit({ name: true });

/**
 * Reads and checks the folder of an agent: `agent.json`, `task-type.json` and `samples/*.json`. Throws
 * `CHIMERA_INVALID_INPUT` with every problem of every file.
 */
export async function readProject(dir: string): Promise<AgentProject> {
  const problems: Problem[] = [];
  const read = async <T>(file: string, check: (value: unknown) => T): Promise<T | undefined> => {
    try {
      return check(await readJson(dir, file));
    } catch (error) {
      if (!isChimeraError(error, 'CHIMERA_INVALID_INPUT')) throw error;
      problems.push(...(error.details.problems ?? []).map((p) => ({ ...p, path: `${file}${p.path}` })));
      return undefined;
    }
  };
  const agent = await read('agent.json', (value) => {
    const { name, language, ...manifest } = parseInput(agentFile, value, 'the agent');
    return { name, language, manifest: parseManifest(manifest) };
  });
  const taskType = await read('task-type.json', parseTaskType);
  const samples: AgentSample[] = [];
  for (const file of await sampleFiles(dir)) {
    const sample = await read(`samples/${file}`, (value) => parseInput(sampleFile, value, 'the sample'));
    if (sample !== undefined) samples.push({ name: basename(file, '.json'), ...sample });
  }
  if (problems.length > 0 || agent === undefined || taskType === undefined) {
    throw invalidInput(`the agent in ${dir}`, problems);
  }
  return { dir, ...agent, taskType, samples };
}

async function readJson(dir: string, file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(join(dir, file), 'utf8'));
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const message = missing
      ? 'is missing; `chimera agent new NAME` makes a folder that has it'
      : `cannot be read: ${(error as Error).message}`;
    throw invalidInput(file, [{ path: '', message }]);
  }
}

/** The samples by name; none where there is no such folder. */
async function sampleFiles(dir: string): Promise<string[]> {
  const entries = await readdir(join(dir, 'samples')).catch(() => []);
  return entries
    .filter((entry) => entry.endsWith('.json'))
    .sort()
    .slice(0, MAX_SAMPLES);
}
