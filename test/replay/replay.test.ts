import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeterminismViolationError } from '@temporalio/workflow';
import { Runtime, Worker, type ReplayWorkerOptions } from '@temporalio/worker';
import { WORKFLOWS } from '../../src/contracts/names.ts';
import { runtimeOptions, workflowSinks } from '../../src/telemetry/temporal.ts';
import { workflowBundle } from '../../src/workers/bundle.ts';
import { silentTelemetry } from '../helpers/platform.ts';
import { testConfig, testHome } from '../helpers/stack.ts';
import { HISTORIES, recordedHistories, replayable, type RecordedHistory } from './histories.ts';

describe('replay of recorded histories', function () {
  this.timeout(120_000);
  const recorded = recordedHistories();
  let options: ReplayWorkerOptions;

  before(async () => {
    const telemetry = await silentTelemetry();
    options = {
      workflowBundle: { codePath: await workflowBundle(testConfig(testHome()).cacheDir) },
      sinks: workflowSinks(telemetry),
    };
    try {
      Runtime.install(runtimeOptions(telemetry));
    } catch {
      // another suite's workers are up: they have installed the same
    }
  });

  /** The errors by name of the history; none where the code of today makes the decisions that were recorded. */
  async function replay(histories: Iterable<readonly [string, RecordedHistory]>): Promise<Map<string, Error>> {
    const errors = new Map<string, Error>();
    const names = new Map<string, string>();
    const runs = Array.from(histories, ([name, recorded]) => {
      const run = replayable(recorded);
      assert.ok(!names.has(run.workflowId), `two runs are recorded under the ID ${run.workflowId}`);
      names.set(run.workflowId, name);
      return run;
    });
    for await (const { workflowId, error } of Worker.runReplayHistories(options, runs)) {
      if (error !== undefined) errors.set(names.get(workflowId)!, error);
    }
    return errors;
  }

  it('is recorded for every workflow type', () => {
    const types = new Set([...recorded.keys()].map((name) => name.split('.')[0]));
    assert.deepEqual([...types].sort(), Object.values(WORKFLOWS).sort());
  });

  it('makes the same decisions', async () => {
    const errors = await replay(recorded);
    assert.deepEqual(
      [...errors].map(([name, error]) => `${name}: ${error.message}`),
      [],
      'a running workflow would break: version the change (patched), or record anew (test/replay/README.md)',
    );
  });

  it('notices code that decides differently', async () => {
    const mutated = [...recorded].flatMap(([name, history]) => {
      const changed = structuredClone(history);
      // What it asked for first: an activity, or a child where it has only those.
      for (const [attributes, type] of [
        ['activityTaskScheduledEventAttributes', 'activityType'],
        ['startChildWorkflowExecutionInitiatedEventAttributes', 'workflowType'],
      ] as const) {
        const asked = changed.events.find((event) => attributes in event);
        if (asked === undefined) continue;
        (asked[attributes] as Record<string, { name: string }>)[type]!.name = 'anotherOne';
        return [[name, changed] as const];
      }
      return [];
    });
    const types = new Set(mutated.map(([name]) => name.split('.')[0]));
    assert.deepEqual([...types].sort(), Object.values(WORKFLOWS).sort());
    const errors = await replay(mutated);
    for (const [name] of mutated) {
      assert.ok(errors.get(name) instanceof DeterminismViolationError, `${name}: ${String(errors.get(name))}`);
    }
  });

  it('names no machine, and is small', () => {
    for (const name of recorded.keys()) {
      const text = readFileSync(join(HISTORIES, `${name}.json`), 'utf8');
      const decoded = text.replace(/"data":"([A-Za-z0-9+/=]+)"/g, (_, data: string) =>
        Buffer.from(data, 'base64').toString('utf8'),
      );
      assert.doesNotMatch(
        decoded,
        /file:\/\/|(?<![\w.])\/(?:home|root|tmp|work|var|usr|Users)\/|\d@[a-z]|postgres/,
        name,
      );
      assert.ok(text.length < 400_000, `${name}: ${text.length} bytes`);
    }
  });
});
