import { invalidInput } from '../contracts/errors.ts';
import type { Problem } from '../contracts/errors.ts';
import { EFFECT_KINDS } from '../contracts/records.ts';
import type { AgentManifest } from '../contracts/records.ts';
import { LIMIT_CEILINGS } from '../core/execution/limits.ts';

const MAX_MODELS = 32;
const MAX_DESCRIPTION = 2000;

/** Checks a manifest that a user wrote. Throws `CHIMERA_INVALID_INPUT` with every problem. */
export function checkManifest(manifest: AgentManifest): void {
  const problems: Problem[] = [];
  const expect = (holds: boolean, path: string, message: string): void => {
    if (!holds) problems.push({ path, message });
  };
  const { abi, capabilities, models, limits, engine, description } = manifest;
  expect(abi === 'chimera:agent@1', '/abi', 'must be "chimera:agent@1"');
  expect(engine === 'any' || engine === 'wasmtime', '/engine', 'must be "any" or "wasmtime"');
  expect(
    typeof description === 'string' && description.length <= MAX_DESCRIPTION,
    '/description',
    'must be a short text',
  );
  expect(Array.isArray(capabilities), '/capabilities', 'must be a list');
  for (const [index, kind] of (Array.isArray(capabilities) ? capabilities : []).entries()) {
    expect(EFFECT_KINDS.includes(kind), `/capabilities/${index}`, `must be one of ${EFFECT_KINDS.join(', ')}`);
  }
  const modelEntries = Object.entries(models ?? {});
  expect(modelEntries.length <= MAX_MODELS, '/models', `at most ${MAX_MODELS} models`);
  for (const [name, sha256] of modelEntries) {
    expect(/^[0-9a-f]{64}$/.test(sha256), `/models/${name}`, 'must be a SHA-256 in lower-case hex');
  }
  for (const [name, value] of Object.entries(limits ?? {})) {
    const ceiling = (LIMIT_CEILINGS as unknown as Record<string, number>)[name];
    expect(ceiling !== undefined, `/limits/${name}`, 'is not a limit');
    expect(
      Number.isSafeInteger(value) && value >= 1 && value <= (ceiling ?? Infinity),
      `/limits/${name}`,
      `must be an integer from 1 to ${ceiling}`,
    );
  }
  if (problems.length > 0) throw invalidInput('the agent manifest', problems);
}
