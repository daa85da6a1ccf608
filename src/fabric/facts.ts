import { hash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { sandboxWalls } from './pool/walls.ts';
import type { SandboxFact } from './pool/walls.ts';
import { HOW_TO_GET_WASMTIME, WASMTIME_VERSION, wasmtimeBuild } from './wasmtime/release.ts';

/**
 * The walls around sandbox processes on this machine, and whether there is a second engine behind them.
 * @param wasmtime where its library is, once it was fetched
 */
export function sandboxFacts(wasmtime?: string): readonly SandboxFact[] {
  return [...sandboxWalls().facts, wasmtimeFact(wasmtime)];
}

function wasmtimeFact(path: string | undefined): SandboxFact {
  const name = 'wasmtime engine';
  if (path === undefined || !existsSync(path)) {
    return { name, active: false, detail: `not here, agents run on V8; ${HOW_TO_GET_WASMTIME}` };
  }
  const pinned = hash('sha256', readFileSync(path)) === wasmtimeBuild()?.librarySha256;
  return pinned
    ? { name, active: true, detail: `${WASMTIME_VERSION}, ${path}; its processes may load that` }
    : { name, active: false, detail: `${path} is not the pinned library; ${HOW_TO_GET_WASMTIME}` };
}
