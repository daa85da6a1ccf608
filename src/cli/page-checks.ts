import { readFile } from 'node:fs/promises';
import type { Check } from '../devstack/doctor.ts';

/** Linux: who gets pages of 2 MB. Elsewhere there is no such file. */
const PAGES = '/sys/kernel/mm/transparent_hugepage/enabled';

/** Processes of models ask for large pages: with small ones, a product of large matrices waits for the processor to find them. */
export async function pageChecks(path = PAGES): Promise<Check[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const [, who] = /\[(\w+)\]/.exec(text) ?? [];
  if (who === undefined) return [];
  const check = { name: 'large pages', ok: true, action: '' };
  return who === 'never'
    ? [{ ...check, detail: `never handed out: models are slower. As root: echo madvise > ${path}` }]
    : [{ ...check, detail: who === 'always' ? 'for everybody' : 'for who asks, as processes of models do' }];
}
