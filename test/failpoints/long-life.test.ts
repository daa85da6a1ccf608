import assert from 'node:assert/strict';
import { runLongLife, type LongLife } from '../helpers/long-life.ts';
import { testStack } from '../helpers/stack.ts';
import { drawKills } from './cases.ts';

const CALLS = 450;
const KILLS = 3;

describe('failpoints: an agent outlives its workers (npm run proof -- long-life: 10,000 calls, 20 deaths)', function () {
  this.timeout(240_000);
  let undisturbed: LongLife;
  before(async () => {
    undisturbed = await runLongLife({ stack: await testStack(), calls: CALLS });
  });

  it('calls its tool in every turn and has all of it at the end, with few activities and a short history', () => {
    const { status, output, turns, effects, runs, activities, bytesPerTurn } = undisturbed;
    assert.equal(status, 'completed');
    const { pages, bytes, open } = output as { pages: number; bytes: number; open: number };
    assert.equal(bytes + open, 21 * CALLS);
    assert.equal(turns, CALLS + pages + 1);
    // A call each, and a page is written and read once.
    assert.equal(effects, CALLS + 2 * pages);
    assert.ok(activities <= turns / 20, `${activities} activities`);
    assert.ok(runs.every((run) => run.events < 10_000 && run.bytes < 5e6));
    assert.ok(bytesPerTurn < 64 * 1024, `${bytesPerTurn} bytes a turn`);
  });

  it('comes to the same, byte for byte, where workers die at failpoints', async () => {
    const kills = drawKills('long-life', KILLS, undisturbed.hits);
    const run = await runLongLife({ stack: await testStack(), calls: CALLS, kills });
    assert.equal(run.killed, KILLS, `died at ${JSON.stringify(kills)}`);
    assert.deepEqual(
      [run.transcript, run.recordHash, run.output, run.turns, run.effects],
      [undisturbed.transcript, undisturbed.recordHash, undisturbed.output, undisturbed.turns, undisturbed.effects],
    );
  });

  it('passes every failpoint of turns but that of spawned tasks', () => {
    const names = ['block', 'finished', 'opened', 'performed', 'recorded', 'saved', 'stepped', 'stored'];
    assert.deepEqual(
      Object.keys(undisturbed.hits).sort(),
      names.map((name) => `turns.${name}`),
    );
  });
});
