import type { Check } from '../devstack/doctor.ts';
import { probeProvider } from '../learning/runtime/probe.ts';
import { PROVIDERS } from '../learning/runtime/provider.ts';

/** The first use of a card compiles its kernels. */
const PROBE_MS = 60_000;

/** Where this machine can run models. Only the processor must: what a device class needs is its worker's to refuse. */
export async function providerChecks(): Promise<Check[]> {
  return Promise.all(
    PROVIDERS.map(async (provider) => {
      const { available, detail, action } = await probeProvider(provider, PROBE_MS);
      const name = `models on ${provider}`;
      if (available) return { name, ok: true, detail, action: '' };
      return provider === 'cpu'
        ? { name, ok: false, detail, action }
        : { name, ok: true, detail: `not available: ${detail}. ${action}`, action: '' };
    }),
  );
}
