import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { agentName } from '../contracts/agents.ts';
import { ChimeraError } from '../contracts/errors.ts';
import { parseInput } from '../contracts/inputs.ts';
import type { Language } from './languages/languages.ts';

const TEMPLATES = fileURLToPath(new URL('../../templates/agent/', import.meta.url));

/**
 * Makes the folder of a new agent from the template of a language: that of all languages, and its own over it. Returns
 * the paths of the files in it. Throws `CHIMERA_INVALID_INPUT` for a last part of `dir` that cannot be an agent's name,
 * `CHIMERA_CONFLICT` where the folder has something in it; then nothing is written.
 */
export async function createProject(dir: string, language: Language): Promise<string[]> {
  const name = parseInput(agentName, basename(dir), 'the name of the agent');
  if ((await readdir(dir).catch(() => [])).length > 0) throw new ChimeraError('CHIMERA_CONFLICT', { what: dir });
  const made: string[] = [];
  for (const template of ['common', language].map((folder) => join(TEMPLATES, folder))) {
    for (const entry of await readdir(template, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const from = join(entry.parentPath, entry.name);
      // A file of that name in the template would hide parts of the template itself.
      const path = from.slice(template.length + 1).replace(/^gitignore$/, '.gitignore');
      const text = await readFile(from, 'utf8');
      await mkdir(dirname(join(dir, path)), { recursive: true });
      await writeFile(join(dir, path), text.replaceAll('{{name}}', name).replaceAll('{{language}}', language));
      made.push(path);
    }
  }
  return made.sort();
}
