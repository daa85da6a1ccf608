import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ChimeraError } from '../../src/contracts/errors.ts';

/** The programs in a folder: one file each, named as the program, that exports it under `exportName`. */
export interface Catalogue<T> {
  names(): string[];
  /** @throws ChimeraError `CHIMERA_NOT_FOUND` with the known names */
  load(name: string): Promise<T>;
  /** Name and title of each. */
  list(): Promise<{ name: string; title: string }[]>;
}

export function catalogue<T extends { name: string; title: string }>(
  folder: string,
  exportName: string,
  what: string,
  notPrograms: readonly string[] = [],
): Catalogue<T> {
  const names = (): string[] =>
    existsSync(folder)
      ? readdirSync(folder)
          .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
          .map((file) => file.slice(0, -'.ts'.length))
          .filter((name) => !notPrograms.includes(name))
          .sort()
      : [];
  const load = async (name: string): Promise<T> => {
    const known = names();
    if (!known.includes(name)) throw new ChimeraError('CHIMERA_NOT_FOUND', { what, name, problems: listed(known) });
    const module = (await import(pathToFileURL(join(folder, `${name}.ts`)).href)) as Record<string, T | undefined>;
    const program = module[exportName];
    if (program === undefined)
      throw new ChimeraError('CHIMERA_SETUP', { what: `${what} ${name}`, why: `its file exports no "${exportName}"` });
    return program;
  };
  const list = async (): Promise<{ name: string; title: string }[]> => {
    const programs = [];
    for (const name of names()) programs.push({ name, title: (await load(name)).title });
    return programs;
  };
  return { names, load, list };
}

function listed(known: readonly string[]): { path: string; message: string }[] {
  return [{ path: 'known', message: known.length === 0 ? 'none yet' : known.join(', ') }];
}
