/** A sandbox process for tests: stand-in services, some of which misbehave on demand. */
import { invalidInput } from '../../src/contracts/errors.ts';
import type { JsonObject } from '../../src/contracts/records.ts';
import { serve } from '../../src/fabric/child/serve.ts';

function misbehave(payload: JsonObject): void {
  switch (payload['misbehave']) {
    case 'die':
      process.kill(process.pid, 'SIGKILL');
      return;
    case 'exit':
      process.exit(3);
      return;
    case 'hang':
      for (;;) if (process.pid < 0) return;
    case 'abort':
      process.abort();
    case 'forge':
      for (let id = 1; id < 100; id++) process.send?.({ type: 'done', id, cpuSeconds: 0, result: payload['result'] });
      return;
    case 'throw':
      throw new TypeError('a bug');
    case 'refuse':
      throw invalidInput('the payload', [{ path: '/misbehave', message: 'refused' }]);
    default:
  }
}

serve({
  preparation: () => (payload) => {
    misbehave(payload);
    const observed = { env: Object.keys(process.env).length, pid: process.pid };
    const given = payload['observe'] === true ? { ...payload, ...observed } : payload;
    return Promise.resolve({ payload: given, features: Float64Array.of(1, 2) });
  },
  validator: () => (output) => (output === 'forbidden' ? [{ path: '', message: 'is forbidden' }] : []),
  model: (bytes) => ({
    infer: (input) => {
      const scores = Float64Array.of(bytes.length, typeof input === 'string' ? input.length : -1);
      return { labels: [String(input), String(input)], scores };
    },
  }),
});
