import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What the processes of a run have left in their folder of failpoints: hits by name, and who died, with their children. */
export function passed(folder: string): { hits: Record<string, number>; killed: number[][] } {
  const hits: Record<string, number> = {};
  const killed: number[][] = [];
  for (const file of readdirSync(folder).sort()) {
    const path = join(folder, file);
    if (file.startsWith('killed')) killed.push(JSON.parse(readFileSync(path, 'utf8')) as number[]);
    else hits[file] = statSync(path).size;
  }
  return { hits, killed };
}
