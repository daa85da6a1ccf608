import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { invalidInput, isChimeraError, type Problem } from '../contracts/errors.ts';
import { parseInput } from '../contracts/inputs.ts';
import { EFFECT_KINDS, type AgentManifest, type JsonObject, type JsonValue } from '../contracts/records.ts';
import { hashOf } from '../core/canonical/canonical.ts';
import { parseTaskType, type TaskType } from '../core/validation/task-type.ts';
import type { RecordedEffect } from '../fabric/index.ts';
import { LANGUAGES, type Language } from './languages/languages.ts';

/** What a user writes: the folder that `chimera agent new` makes. */
export interface AgentProject {
  readonly dir: string;
  /** The agent's name in the registry. */
  readonly name: string;
  readonly language: Language;
  readonly manifest: AgentManifest;
  readonly taskType: TaskType;
  readonly samples: readonly Sample[];
}

/** A task whose result is known. */
export interface Sample {
  /** Name of its file. */
  readonly name: string;
  readonly input: JsonObject;
  /** Answers to effects that reach into the world, which a test does not perform. */
  readonly recorded: readonly RecordedEffect[];
  readonly expect: { readonly output: JsonValue } | { readonly failure: string };
}

export const agentName = z
  .string()
  .max(64)
  .regex(/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/, 'a name is kebab-case: lower-case words and digits, joined by -');

const effectKind = z.enum(EFFECT_KINDS);

const agentFile = z.strictObject({
  name: agentName,
  language: z.enum(LANGUAGES),
  description: z.string().max(2000),
  capabilities: z.array(effectKind).max(EFFECT_KINDS.length).default([]),
  models: z.record(z.string(), z.string()).default({}),
  limits: z.record(z.string(), z.number()).default({}),
  engine: z.enum(['any', 'wasmtime']).default('any'),
});

const sampleFile = z.strictObject({
  input: z.record(z.string(), z.json()),
  recorded: z
    .array(
      z.strictObject({
        kind: effectKind,
        request: z.json(),
        ok: z.boolean().default(true),
        body: z.json(),
        scores: z.array(z.number()).default([]),
      }),
    )
    .default([]),
  expect: z.union([z.strictObject({ output: z.json() }), z.strictObject({ failure: z.string() })], {
    error: 'must be {"output": …} or {"failure": code}',
  }),
});

const MAX_SAMPLES = 1000;

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
  const agent = await read('agent.json', (value) => parseInput(agentFile, value, 'the agent'));
  const taskType = await read('task-type.json', parseTaskType);
  const samples: Sample[] = [];
  for (const file of await sampleFiles(dir)) {
    const sample = await read(`samples/${file}`, (value) => parseInput(sampleFile, value, 'the sample'));
    if (sample !== undefined) samples.push({ name: basename(file, '.json'), ...sample, recorded: recordings(sample) });
  }
  if (problems.length > 0 || agent === undefined || taskType === undefined) {
    throw invalidInput(`the agent in ${dir}`, problems);
  }
  const { name, language, ...manifest } = agent;
  return { dir, name, language, manifest: { abi: 'chimera:agent@1', ...manifest }, taskType, samples };
}

const recordings = ({ recorded }: z.output<typeof sampleFile>): RecordedEffect[] =>
  recorded.map(({ request, ...answer }) => ({ ...answer, requestHash: hashOf(request) }));

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
