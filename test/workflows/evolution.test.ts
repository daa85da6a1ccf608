import assert from 'node:assert/strict';
import type { DatasetSummary } from '../../src/activities/curation.ts';
import type { EvaluationSummary } from '../../src/activities/evaluation.ts';
import type { SearchResult } from '../../src/activities/search-material.ts';
import { attributesOf, failureOf, sharedPlatform, stateText, until, type TestPlatform } from '../helpers/platform.ts';
import { NEVER, notes, openScene, type Scene } from './scene.ts';

describe('curationWorkflow, evolutionWorkflow and evaluationWorkflow', function () {
  this.timeout(90_000);
  let platform: TestPlatform;
  let scene: Scene;
  let dataset: DatasetSummary;
  let champion: string;

  before(async () => {
    platform = await sharedPlatform();
    scene = await openScene(platform, NEVER);
    champion = (await platform.stores.deployments.current(scene.project, scene.taskType))!.champion;
    await scene.serve('data', notes(160));
    const handle = await platform.start('curationWorkflow', scene.subject);
    dataset = (await handle.result()) as DatasetSummary;
    assert.match(
      await stateText(handle),
      /^\*\*dataset version 1 \([0-9a-f]{8}\): \d+ train, \d+ validation, \d+ test; \d+ left out\*\*$/,
    );
    assert.equal((await attributesOf(handle))['ChimeraLayer'], 'curation');
  });

  const search = { population: 8, generations: 2, shards: 2, modelIds: [] as string[] };

  it('cuts the same dataset from the same stream, and none from too few examples', async () => {
    const again = await platform.execute<DatasetSummary>('curationWorkflow', scene.subject);
    assert.deepEqual([again.id, again.version], [dataset.id, dataset.version]);
    const few = await failureOf(await platform.start('curationWorkflow', { ...scene.subject, minimumExamples: 1000 }));
    assert.equal(few.code, 'CHIMERA_NO_DATA');
    assert.match(few.message, /1000 are needed/);
    const shuffled = await platform.execute<DatasetSummary>('curationWorkflow', {
      ...scene.subject,
      shuffleLabels: true,
    });
    assert.notEqual(shuffled.id, dataset.id);
    const { datasheet } = (await platform.stores.datasets.get(scene.project, shuffled.id))!;
    assert.equal(datasheet.shuffledLabels, true);
  });

  it('evolves what is better than the champion, tells each generation, and gives the same for the same seed', async () => {
    const input = { ...scene.subject, ...search, datasetId: dataset.id };
    const handle = await platform.start('evolutionWorkflow', input);
    const found = (await handle.result()) as SearchResult;
    assert.equal(found.champion, champion);
    assert.ok(found.finalists.length >= 1);
    const told = await stateText(handle);
    assert.match(told, /^\*\*\d+ generations, \d+ evaluations, \d+ finalists\*\*/);
    assert.match(told, /generation 0: best [\d.]+ % at cost/);
    assert.match(told, /stopped: /);
    assert.equal((await attributesOf(handle))['ChimeraPhase'], 'done');
    const candidates = await platform.stores.candidates.list(scene.project, found.id);
    assert.ok(
      candidates.some(({ quality }) => quality > 0.95),
      'the rule is found',
    );
    for (const id of found.finalists) {
      const version = await platform.stores.agents.find(scene.project, id);
      assert.deepEqual([version.parents, version.experiment], [[champion], found.id]);
      const { by, module } = version.publication!;
      assert.deepEqual([by, module.core.sha256], [`evolution/${found.id}`, version.module.sha256]);
    }
    const again = await platform.execute<SearchResult>('evolutionWorkflow', input);
    assert.deepEqual(again, found);
    const otherShards = await platform.execute<SearchResult>('evolutionWorkflow', { ...input, shards: 3 });
    assert.deepEqual(
      [otherShards.archiveHash, otherShards.lineageHash],
      [found.archiveHash, found.lineageHash],
      'however many shards',
    );

    const evaluation = await platform.start('evaluationWorkflow', {
      ...scene.subject,
      datasetId: dataset.id,
      agentVersions: [champion, ...found.finalists],
    });
    const judged = (await evaluation.result()) as EvaluationSummary;
    assert.equal(judged.text.length, 1 + found.finalists.length);
    assert.match(judged.text[0]!, /^[0-9a-f]{8}: balanced accuracy 50\.0 % \([\d.]+ % to [\d.]+ %\) at cost/);
    const shown = await stateText(evaluation);
    assert.match(shown, /^\*\*evaluated\*\*/);
    assert.ok(judged.text.every((line) => shown.includes(line)));
  });

  it('fails at once for a dataset, a model or a version that there is not', async () => {
    const evolution = { ...scene.subject, ...search, datasetId: dataset.id };
    for (const [type, input, what] of [
      ['evolutionWorkflow', { ...evolution, datasetId: 'none' }, 'dataset'],
      ['evolutionWorkflow', { ...evolution, modelIds: ['none'] }, 'model'],
      ['evaluationWorkflow', { ...scene.subject, datasetId: 'none', agentVersions: [champion] }, 'dataset'],
      ['evaluationWorkflow', { ...scene.subject, datasetId: dataset.id, agentVersions: ['none'] }, 'agent version'],
    ] as const) {
      const failure = await failureOf(await platform.start(type, input));
      assert.equal(failure.code, 'CHIMERA_NOT_FOUND', failure.message);
      assert.match(failure.message, new RegExp(`there is no ${what}`));
    }
  });

  it('keeps what it has when it is cancelled in the middle of a generation', async () => {
    const handle = await platform.start('evolutionWorkflow', {
      ...scene.subject,
      ...search,
      datasetId: dataset.id,
      seed: 'cancelled',
      population: 64,
      generations: 200,
      plateau: 200,
    });
    await until('the second generation', async () => (await stateText(handle)).includes('generation 1:'));
    await handle.cancel();
    await assert.rejects(handle.result(), (error: Error) => error.cause?.constructor.name === 'CancelledFailure');
    const experiments = await platform.stores.experiments.list(scene.project, scene.taskType);
    const cancelled = experiments.find(({ document }) => (document.settings as { seed: string }).seed === 'cancelled');
    assert.ok(cancelled !== undefined);
    assert.equal(cancelled.status, 'cancelled');
    assert.ok((await platform.stores.candidates.list(scene.project, cancelled.id)).length >= 64);
    assert.ok((await platform.stores.snapshots.latest(scene.project, cancelled.id)) !== undefined);
  });
});
