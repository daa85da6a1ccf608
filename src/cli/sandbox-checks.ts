import type { Config } from '../config/config.ts';
import type { Check } from '../devstack/doctor.ts';
import { sandboxFacts } from '../fabric/facts.ts';
import { wasmtimePath } from '../fabric/wasmtime/release.ts';

/**
 * The walls around agents and the engines behind them. None of them fails the doctor: where a wall cannot be put up the others
 * hold, and this says which those are.
 */
export async function sandboxChecks({ cacheDir }: Config): Promise<Check[]> {
  return sandboxFacts(wasmtimePath(cacheDir)).map(({ name, active, detail }) => ({
    name: `sandbox, ${name}`,
    ok: true,
    detail: active ? detail : `not active: ${detail}`,
    action: '',
  }));
}
