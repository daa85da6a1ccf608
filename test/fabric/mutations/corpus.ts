import { readFile } from 'node:fs/promises';
import { componentEmbed, componentNew } from '@bytecodealliance/jco';
import { stream } from '../../../src/core/random/random.ts';
import { buildAgent, createProject, readProject } from '../../../src/sdk/index.ts';
import type { Language } from '../../../src/sdk/index.ts';
import { agentFolder, rustMissing } from '../../sdk/folders.ts';
import { answering, asking, echo } from '../agents.ts';
import { randomAgent } from '../differential/generator.ts';

const RANDOM_AGENTS = 12;

/** The component of a core module for the world `agent`. */
async function componentOf(binary: Uint8Array): Promise<Uint8Array> {
  const witSource = await readFile(new URL('../../../wit/agent.wit', import.meta.url), 'utf8');
  return componentNew(await componentEmbed({ binary, witSource, world: 'agent', stringEncoding: 'utf8' }), []);
}

async function template(language: Language): Promise<Uint8Array> {
  const folder = agentFolder();
  try {
    const dir = folder.path(`mutated-${language}`);
    await createProject(dir, language);
    return (await buildAgent(await readProject(dir))).module;
  } finally {
    folder.remove();
  }
}

/** What is mutated: small agents, some with everything that a module can hold, and components. */
export async function smallCorpus(): Promise<Uint8Array[]> {
  const random = Array.from({ length: RANDOM_AGENTS }, (_, i) =>
    randomAgent(stream('corpus', 0, i, 'mutations'), 'open'),
  );
  const modules = [echo(), answering('{"label":"ham"}'), asking(0, '{"model":"m","input":"/text"}', 2), ...random];
  const wrapped = await Promise.all([echo(), random[0]!, random[1]!].map(componentOf));
  return [...modules, ...wrapped];
}

/** The same and what the compilers make of the templates, as modules and as components. */
export async function fullCorpus(): Promise<Uint8Array[]> {
  const languages: Language[] = ['assemblyscript', ...(rustMissing() === undefined ? (['rust'] as const) : [])];
  const built: Uint8Array[] = [];
  for (const language of languages) built.push(await template(language));
  return [...(await smallCorpus()), ...built, ...(await Promise.all(built.map(componentOf)))];
}
