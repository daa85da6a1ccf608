import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder for agents that goes at the end of the suite. */
export function agentFolder(): { readonly path: (name: string) => string; readonly remove: () => void } {
  const root = mkdtempSync(join(tmpdir(), 'chimera-agents-'));
  return { path: (name) => join(root, name), remove: () => rmSync(root, { recursive: true, force: true }) };
}

/** Why agents in Rust cannot be built on this machine; undefined where they can. */
export function rustMissing(): string | undefined {
  const { status, stdout } = spawnSync('rustc', ['--print', 'target-libdir', '--target', 'wasm32-unknown-unknown'], {
    encoding: 'utf8',
  });
  if (status !== 0) return 'there is no Rust compiler here';
  const built = spawnSync('ls', [stdout.trim()], { encoding: 'utf8' });
  return built.status === 0 ? undefined : 'the target is missing: rustup target add wasm32-unknown-unknown';
}
