import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ChimeraError } from '../../src/contracts/errors.ts';
import type { ProviderState } from '../../src/learning/runtime/probe.ts';
import { loadManifest, type Manifest } from '../../src/manifest/manifest.ts';
import { withDevices } from '../../src/workers/devices.ts';
import { queuesOf } from '../../src/workers/roles.ts';

const WORKER = fileURLToPath(new URL('../../src/workers/main.ts', import.meta.url));
const shipped = loadManifest();
const device = (deviceClass: string) => ({
  ...{ name: `chimera-gpu-${deviceClass}`, kind: 'device' as const, slots: 1, deviceClass },
});
const manifest: Manifest = {
  ...shipped,
  taskQueues: [...shipped.taskQueues, device('h100'), device('a100'), device('any')],
  deviceClasses: {
    ...shipped.deviceClasses,
    h100: { count: 1, costPerHour: 3, provider: 'cuda', threads: 4 },
    a100: { count: 1, costPerHour: 2, provider: 'cuda', threads: 4 },
    any: { count: 1, costPerHour: 1, provider: 'webgpu', threads: 1 },
  },
};

/** The queues of a role where only some providers are there. */
async function served(role: string, there: readonly string[]) {
  const probed: string[] = [];
  const problems: ChimeraError[] = [];
  const probe = (provider: ProviderState['provider']): Promise<ProviderState> => {
    probed.push(provider);
    const available = there.includes(provider);
    return Promise.resolve({ provider, available, detail: 'no library', action: available ? '' : 'Install it.' });
  };
  const queues = await withDevices(role, queuesOf(role, manifest), manifest, (each) => problems.push(each), probe);
  return { queues: queues.map(({ queue }) => queue), probed, problems };
}

describe('devices of a worker', () => {
  it('are refused at its start where their provider is missing, with the reason and what to do', async () => {
    await assert.rejects(served('device:h100', ['webgpu']), {
      code: 'CHIMERA_SETUP',
      message: 'a device of class h100 cannot be set up: cuda: no library. Install it.',
    });
    assert.deepEqual(await served('device:any', ['webgpu']), {
      ...{ queues: ['chimera-gpu-any'], probed: ['webgpu'], problems: [] },
    });
  });

  it('are not looked for where the processor is enough, or the role has none', async () => {
    for (const role of ['device:cpu', 'io', 'workflows']) assert.deepEqual((await served(role, [])).probed, [], role);
  });

  it('are left to other machines by a worker of all roles, which says so', async () => {
    const { queues, probed, problems } = await served('all', ['webgpu']);
    assert.deepEqual(
      queues,
      manifest.taskQueues.map(({ name }) => name).filter((name) => !/[ah]100$/.test(name)),
    );
    assert.deepEqual(probed, ['cuda', 'webgpu']);
    assert.deepEqual(
      problems.map(({ message }) => /class (\w+)/.exec(message)![1]),
      ['h100', 'a100'],
    );
  });

  it('that it cannot have end its process at once, with one line', () => {
    const { PATH, HOME } = process.env;
    const { status, stderr } = spawnSync(process.execPath, [WORKER, '--role', 'device:none'], {
      env: { PATH, HOME, DATABASE_URL: 'postgres://127.0.0.1:1/none', TEMPORAL_ADDRESS: '127.0.0.1:1' },
      timeout: 20_000,
      encoding: 'utf8',
    });
    assert.equal(status, 1, stderr);
    assert.match(stderr, /^there is no worker role .* named device:none\n$/);
  });
});
