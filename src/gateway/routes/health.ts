import { ChimeraError } from '../../contracts/errors.ts';
import { route, type Route } from '../route.ts';
import { healthView } from '../schemas.ts';
import type { Services } from '../services.ts';

const CHECK_MS = 2_000;

interface Check {
  readonly ok: boolean;
  readonly why?: string;
}

export function healthRoutes({ stores, temporal, metrics }: Services): Route[] {
  const look = async (): Promise<Record<string, Check>> => {
    const [store, workflows] = await Promise.all([
      check(() => stores.ping()),
      check(() =>
        temporal.withDeadline(Date.now() + CHECK_MS, () => temporal.connection.workflowService.getSystemInfo({})),
      ),
    ]);
    return { store, temporal: workflows };
  };
  return [
    route({
      method: 'GET',
      path: '/live',
      tag: 'health',
      summary: 'Does the process answer?',
      open: true,
      responses: { 200: { description: 'It does.', type: 'text/plain' } },
      handle: () => Promise.resolve({ status: 200, body: 'ok\n', type: 'text/plain; charset=utf-8' }),
    }),
    route({
      method: 'GET',
      path: '/ready',
      tag: 'health',
      summary: 'Can tasks be accepted?',
      description: 'Without Temporal they can: they are started when it is back.',
      open: true,
      responses: { 200: { description: 'They can.', type: 'text/plain' } },
      errors: ['CHIMERA_STORE_UNAVAILABLE'],
      handle: async () => {
        const { ok, why } = await check(() => stores.ping());
        if (!ok) throw new ChimeraError('CHIMERA_STORE_UNAVAILABLE', { why });
        return { status: 200, body: 'ready\n', type: 'text/plain; charset=utf-8' };
      },
    }),
    route({
      method: 'GET',
      path: '/health',
      tag: 'health',
      summary: 'The state of each part',
      open: true,
      responses: {
        200: { description: 'All is well.', schema: healthView },
        503: { description: 'Something is not.', schema: healthView },
      },
      handle: async () => {
        const parts = await look();
        const ok = Object.values(parts).every((part) => part.ok);
        return { status: ok ? 200 : 503, body: { status: ok ? 'ok' : 'degraded', parts } };
      },
    }),
    route({
      method: 'GET',
      path: '/metrics',
      tag: 'health',
      summary: 'Prometheus metrics',
      description: 'On one machine of the gateway and its workers as one; elsewhere each process has its own.',
      open: true,
      responses: { 200: { description: 'Prometheus text format.', type: 'text/plain' } },
      handle: async () => ({ status: 200, body: await metrics(), type: 'text/plain; version=0.0.4; charset=utf-8' }),
    }),
  ];
}

/** A part that does not answer in time is not well. */
async function check(ask: () => Promise<unknown>): Promise<Check> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${CHECK_MS} ms`)), CHECK_MS);
  });
  try {
    await Promise.race([ask(), late]);
    return { ok: true };
  } catch (error) {
    return { ok: false, why: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}
