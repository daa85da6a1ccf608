import assert from 'node:assert/strict';
import { Context } from '@temporalio/activity';
import type { DatasetSummary } from '../../src/activities/curation.ts';
import { readDataset } from '../../src/activities/datasets.ts';
import { trainingData } from '../../src/activities/training.ts';
import { hashOf, sha256Hex } from '../../src/core/canonical/canonical.ts';
import { LINEAR_VARIANTS } from '../../src/core/training/linear/spec.ts';
import { createTrainer } from '../../src/core/training/linear/trainer.ts';
import type { Stores } from '../../src/stores/index.ts';
import type { TrainingResult } from '../../src/workflows/training.ts';
import {
  attributesOf,
  failureOf,
  IDLE_CLASS,
  openPlatform,
  sharedPlatform,
  stateText,
  until,
  type TestPlatform,
} from '../helpers/platform.ts';
import { NOTES, notes, openScene, RIGHT, type Scene } from './scene.ts';

describe('trainingWorkflow', function () {
  this.timeout(90_000);
  let platform: TestPlatform;
  let scene: Scene;
  let dataset: DatasetSummary;

  before(async () => {
    platform = await sharedPlatform();
    scene = await openScene(platform, RIGHT);
    await scene.serve('train', notes(160));
    dataset = await platform.execute('curationWorkflow', { ...scene.subject });
  });

  const input = (more: object = {}): object => ({ ...scene.subject, datasetId: dataset.id, ...more });
  const ledger = async (holder: string) =>
    (await platform.stores.ledger.list(scene.project)).filter((line) => line.holder === holder);

  it('trains under a lease that it gives back, registers models by content, and books the time', async () => {
    const id = 'started-by-hand-under-any-name';
    const handle = await platform.start('trainingWorkflow', input({ variants: ['words', 'char-runs'] }), { id });
    const { models } = (await handle.result()) as TrainingResult;
    assert.deepEqual(
      models.map(({ name }) => name),
      ['words', 'char-runs'],
    );
    for (const model of models) {
      const record = await platform.stores.models.get(scene.project, model.id);
      assert.equal(record?.artifact.sha256, model.id);
      assert.equal(record.dataset, dataset.id);
      assert.ok(model.validation.accuracy! > 0.9, model.text);
    }
    assert.deepEqual(await handle.query('progress'), { models, curves: {}, paused: false });
    const told = await stateText(handle);
    assert.match(told, /^\*\*2 models trained\*\*/);
    assert.match(told, /- `\+0:\d\d` holds a lease of device class cpu/);
    assert.match(told, /model words: balanced accuracy [\d.]+ % on validation, price 1/);
    assert.equal((await attributesOf(handle))['ChimeraPhase'], 'done');
    const [line] = await until('the ledger', async () => {
      const lines = await ledger(id);
      return lines.length > 0 && lines;
    });
    assert.equal(line?.deviceClass, 'cpu');
    assert.ok(line.seconds > 0);
    assert.ok(Math.abs(line.cost - line.seconds * 0.001) < 1e-9, 'at 3.60 an hour');
    const again = await platform.execute<TrainingResult>('trainingWorkflow', input({ variants: ['words'] }));
    assert.equal(again.models[0]?.id, models[0]?.id, 'the same data and seed give the same bytes');
  });

  it('fails at once for a variant or a device class that there is not, naming the known ones', async () => {
    const variant = await failureOf(await platform.start('trainingWorkflow', input({ variants: ['giant'] })));
    assert.equal(variant.code, 'CHIMERA_NOT_FOUND');
    assert.match(variant.message, /known: words, word-pairs/);
    const device = await failureOf(await platform.start('trainingWorkflow', input({ deviceClass: 'abacus' })));
    assert.equal(device.code, 'CHIMERA_NO_DEVICE');
    assert.deepEqual((device.details as { known: string[] }).known, ['cpu', IDLE_CLASS]);
    const data = await failureOf(
      await platform.start('trainingWorkflow', { ...scene.subject, datasetId: 'none', variants: ['words'] }),
    );
    assert.equal(data.code, 'CHIMERA_NOT_FOUND');
  });

  it('says within seconds that no worker polls its device queue, and goes on when one does', async () => {
    const handle = await platform.start(
      'trainingWorkflow',
      input({ deviceClass: IDLE_CLASS, variants: ['words'], seed: 'late' }),
    );
    const queue = `${platform.queuePrefix}chimera-gpu-${IDLE_CLASS}`;
    await until('the state text', async () => (await stateText(handle)).includes(`no worker polls`), 10_000);
    assert.match(
      await stateText(handle),
      new RegExp(`waiting: no worker polls the task queue ${queue}; start one with --role device:${IDLE_CLASS}`),
    );
    assert.equal((await attributesOf(handle))['ChimeraPhase'], 'no-worker');
    const late = await platform.work(`device:${IDLE_CLASS}`);
    try {
      assert.equal(((await handle.result()) as TrainingResult).models.length, 1);
    } finally {
      await late.stop();
    }
  });

  describe('met in the middle', () => {
    let beside: TestPlatform;
    before(async () => {
      beside = await openPlatform({ beside: platform });
      await Promise.all([beside.work('workflows'), beside.work('io')]);
    });

    /** Stores in which a checkpoint, once stored, is followed by `then`. */
    const afterCheckpoint = (then: () => Promise<void> | void): { stores: Stores } => {
      const { snapshots } = platform.stores;
      const put: typeof snapshots.put = async (...args) => {
        await snapshots.put(...args);
        await then();
      };
      return { stores: { ...platform.stores, snapshots: { ...snapshots, put } } };
    };
    const cancelled = (): Promise<void> =>
      new Promise((resolve) => Context.current().cancellationSignal.addEventListener('abort', () => resolve()));

    it('gives its lease back within seconds of being cancelled, and not before its device is free', async () => {
      const id = `training/${scene.project}/notes/cancelled`;
      let free = 0;
      let inTheMiddle = false;
      const worker = await beside.ruthlessWorker(
        'chimera-gpu-cpu',
        afterCheckpoint(async () => {
          inTheMiddle = true;
          await cancelled();
          free = Date.now();
        }),
      );
      const handle = await beside.start('trainingWorkflow', input({ variants: ['words'], seed: 'cancel' }), { id });
      await until('the training', () => Promise.resolve(inTheMiddle));
      assert.match(await stateText(handle), /^\*\*training words \(1 of 1\)\*\*/);
      const asked = performance.now();
      await handle.cancel();
      await assert.rejects(handle.result(), (error: Error) => error.cause?.constructor.name === 'CancelledFailure');
      const [line] = await until('the ledger', async () => {
        const lines = await ledger(id);
        return lines.length > 0 && lines;
      });
      assert.ok(performance.now() - asked < 5000, `${Math.round(performance.now() - asked)} ms`);
      assert.ok(free > 0 && Date.parse(line!.at) >= free - 5);
      await worker.stop();
    });

    it('goes on from its checkpoint on another worker, to the bytes of a run that was never stopped', async () => {
      const variants = ['words-nb'];
      const first = await beside.ruthlessWorker(
        'chimera-gpu-cpu',
        afterCheckpoint(async () => {
          first.shutdown();
          await cancelled();
        }),
      );
      const handle = await beside.start('trainingWorkflow', input({ variants, seed: 'stop' }));
      const spec = { ...LINEAR_VARIANTS.find(({ name }) => name === 'words-nb')!, seed: 'stop' };
      const run = hashOf({ datasetId: dataset.id, spec }).slice(0, 32);
      await until('a checkpoint', () => platform.stores.snapshots.latest(scene.project, run));
      await first.stop();
      assert.equal((await platform.stores.snapshots.latest(scene.project, run))?.step, 5);
      const second = await beside.ruthlessWorker('chimera-gpu-cpu');
      const { models } = (await handle.result()) as TrainingResult;
      await second.stop();
      const { events } = await handle.fetchHistory();
      const attempts = events?.map((event) => event.activityTaskStartedEventAttributes?.attempt ?? 0);
      assert.ok(Math.max(...attempts!) > 1, 'it was tried again');

      const examples = await readDataset(platform.stores, scene.project, dataset.id);
      const trainer = createTrainer(spec, trainingData(NOTES, examples));
      while (!trainer.progress.done) trainer.step();
      assert.equal(models[0]?.id, sha256Hex(trainer.model()));
    });

    it('loses a lease that it overstays, and goes on under the next one', async () => {
      let checkpoints = 0;
      const worker = await beside.ruthlessWorker(
        'chimera-gpu-cpu',
        afterCheckpoint(async () => {
          // Overstays its first lease only.
          if (checkpoints++ === 0) await cancelled();
        }),
      );
      const id = `training/${scene.project}/notes/overstays`;
      const handle = await beside.start(
        'trainingWorkflow',
        input({ variants: ['words'], seed: 'over', leaseMs: 500 }),
        {
          id,
        },
      );
      assert.equal(((await handle.result()) as TrainingResult).models.length, 1);
      assert.match(await stateText(handle), /lease \S+ is no longer held; asks for another one/);
      await until('both leases in the ledger', async () => (await ledger(id)).length === 2);
      await worker.stop();
    });
  });
});
