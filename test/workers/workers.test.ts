import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createActivities } from '../../src/activities/index.ts';
import { isChimeraError } from '../../src/contracts/errors.ts';
import { LAYERS } from '../../src/contracts/names.ts';
import { loadManifest } from '../../src/manifest/manifest.ts';
import { workflowBundle } from '../../src/workers/bundle.ts';
import { queuesOf } from '../../src/workers/roles.ts';
import { openPlatform, sharedPlatform } from '../helpers/platform.ts';
import { testConfig, testHome } from '../helpers/stack.ts';

describe('workers', () => {
  const manifest = loadManifest();

  it('poll the queues of their role, with the slots of the manifest', () => {
    assert.deepEqual(
      queuesOf('all', manifest).map(({ queue }) => queue),
      manifest.taskQueues.map(({ name }) => name),
    );
    assert.deepEqual(queuesOf('io', manifest), [{ queue: 'chimera-io', kind: 'activity', slots: 32 }]);
    assert.deepEqual(queuesOf('device:cpu', manifest), [{ queue: 'chimera-gpu-cpu', kind: 'device', slots: 1 }]);
    for (const role of ['device:h200', 'everything', 'toString'])
      assert.throws(
        () => queuesOf(role, manifest),
        (error) =>
          isChimeraError(error, 'CHIMERA_NOT_FOUND') &&
          /known: all, workflows, io, wasm, device:cpu/.test(error.message),
        role,
      );
  });

  it('register every activity once, each under a layer that there is', () => {
    const { activities, layerOf } = createActivities({} as never);
    const names = Object.keys(activities);
    assert.ok(names.length >= 30, names.join(' '));
    for (const name of names) assert.ok(LAYERS.includes(layerOf(name)!), name);
    assert.equal(layerOf('another'), undefined);
  });

  it('bundle the workflows once for each state of the sources, into a file that names no machine', async () => {
    const { cacheDir } = testConfig(testHome());
    const file = await workflowBundle(cacheDir);
    const made = statSync(file).mtimeMs;
    let built = 0;
    assert.equal(await workflowBundle(cacheDir, () => built++), file);
    assert.deepEqual([built, statSync(file).mtimeMs], [0, made]);
    assert.deepEqual(
      readdirSync(join(cacheDir, 'workflow-bundles')).filter((name) => name.includes(`.js.${process.pid}`)),
      [],
      'no draft is left',
    );
    assert.match(readFileSync(file, 'utf8').slice(0, 100_000), /evolutionCycleWorkflow|__webpack/);
  });

  it('leave the queue when they stop, twice as well as once, and end their sandboxes', async () => {
    const platform = await openPlatform({ beside: await sharedPlatform() });
    const workers = await platform.work('wasm');
    await workers.stop();
    await workers.stop();
    await workers.done;
  });
});
