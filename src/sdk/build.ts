import { mkdir, readFile, readdir, rm, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { ChimeraError } from '../contracts/errors.ts';
import { sha256Hex } from '../core/canonical/canonical.ts';
import { importsOf } from './languages/core-module.ts';
import { TOOLCHAINS } from './languages/languages.ts';
import type { AgentProject } from './project.ts';

export interface AgentBuild {
  /** The module as it is published. */
  readonly module: Uint8Array;
  readonly file: string;
  readonly sha256: string;
  /** What compiled it. */
  readonly toolchain: string;
  /** SHA-256 of every source file, by its path in the folder. */
  readonly sources: Readonly<Record<string, string>>;
  /** Imports of the compiler's output that were linked away, as `module/name`. */
  readonly linked: readonly string[];
}

/**
 * Compiles an agent to `build/agent.wasm`, one core module without imports. Throws `CHIMERA_INVALID_INPUT` for a source
 * that does not compile, `CHIMERA_SETUP` for a compiler that is missing, `CHIMERA_AGENT_REFUSED` for imports.
 */
export async function buildAgent({ dir, language }: AgentProject): Promise<AgentBuild> {
  const toolchain = TOOLCHAINS[language];
  const file = join(dir, 'build', 'agent.wasm');
  await mkdir(join(dir, 'build'), { recursive: true });
  // What an earlier build left must not pass for this one's.
  await rm(file, { force: true });
  const { compiler, linked } = await toolchain.compile(dir, file);
  const module = new Uint8Array(await readFile(file));
  const imports = importsOf(module);
  if (imports.length > 0) {
    const names = imports.map(({ module: from, name }) => `${from}.${name}`).join(', ');
    throw new ChimeraError('CHIMERA_AGENT_REFUSED', {
      why: `import: an agent has no imports, this one has ${names}; what reaches out of the module is an effect`,
      rule: 'import',
    });
  }
  const sources = await hashFiles(dir, toolchain.sources);
  return { module, file, sha256: sha256Hex(module), toolchain: compiler, sources, linked };
}

async function hashFiles(dir: string, paths: readonly string[]): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  const visit = async (path: string): Promise<void> => {
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile()) hashes[relative(dir, path).split(sep).join('/')] = sha256Hex(await readFile(path));
    if (found?.isDirectory()) for (const entry of (await readdir(path)).sort()) await visit(join(path, entry));
  };
  for (const path of paths) await visit(join(dir, path));
  return hashes;
}
