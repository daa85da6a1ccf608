import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildAgent } from '../../src/sdk/index.ts';

const AGENTS = fileURLToPath(new URL('../agents/', import.meta.url));
const TEMPLATE = fileURLToPath(new URL('../../templates/agent/assemblyscript/', import.meta.url));

const built = new Map<string, Promise<Uint8Array>>();

/** The module of `test/agents/<name>.as`, compiled once as a user's agent is: with the files of the template around it. */
export function testAgent(name: 'scripted' | 'journal'): Promise<Uint8Array> {
  const known = built.get(name) ?? build(name);
  built.set(name, known);
  return known;
}

async function build(name: string): Promise<Uint8Array> {
  const dir = mkdtempSync(join(tmpdir(), 'chimera-test-agent-'));
  try {
    mkdirSync(join(dir, 'agent'));
    cpSync(join(TEMPLATE, 'agent'), join(dir, 'agent'), { recursive: true });
    copyFileSync(join(AGENTS, `${name}.as`), join(dir, 'agent', 'agent.ts'));
    return (await buildAgent({ dir, language: 'assemblyscript' } as Parameters<typeof buildAgent>[0])).module;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
