/** Writes the TypeScript types of the agent world, as jco generates them, for the host and for agents in TypeScript. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { generateTypes } from '@bytecodealliance/jco/component';
import { format } from 'prettier';

const WIT = new URL('../wit/agent.wit', import.meta.url);

/** The files that hold the types. */
export const WIT_TYPE_FILES = ['../wit/agent.d.ts', '../templates/agent/typescript/agent/wit.d.ts'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

/** The types of `wit/agent.wit`, formatted. */
export async function witTypes(): Promise<string> {
  const files = await generateTypes('agent', {
    wit: { tag: 'source', val: await readFile(WIT, 'utf8') },
    world: 'agent',
    features: { tag: 'list', val: [] },
  });
  const [, types] = files.find(([name]) => name === 'interfaces/chimera-agent-types.d.ts')!;
  const header = '// Generated from wit/agent.wit by scripts/wit-types.ts: do not change it here.\n';
  return format(header + new TextDecoder().decode(types), { parser: 'typescript', singleQuote: true, printWidth: 120 });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const file of WIT_TYPE_FILES) await writeFile(file, await witTypes());
}
