import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { after, before, describe, it } from 'mocha';
import { decodeAdapter } from '../../../src/learning/adapters/file.ts';
import { CallProcess } from '../../../src/learning/process/calls.ts';
import { trainAdapter, trainUntil, type TrainingHooks } from '../../../src/learning/training/host.ts';
import type { TrainingCalls, TrainingJob } from '../../../src/learning/training/job.ts';
import { isAlive, untilGone } from '../process/alive.ts';
import { writeTinyBase } from '../tiny-files.ts';
import { triageJob } from './jobs.ts';
import { specOf } from './samples.ts';
import { TRAINER } from './resume-runs.ts';

const hooks = (more: Partial<TrainingHooks> = {}): TrainingHooks => ({
  ...{ checkpointEvery: 100, onCheckpoint: () => Promise.resolve(), onStep: () => {} },
  signal: new AbortController().signal,
  ...more,
});

describe('training in a process of its own', () => {
  let encoder: Awaited<ReturnType<typeof writeTinyBase>>;
  let decoder: Awaited<ReturnType<typeof writeTinyBase>>;
  before(async () => {
    [encoder, decoder] = [await writeTinyBase('encoder'), await writeTinyBase('decoder')];
  });
  after(() => Promise.all([encoder.remove(), decoder.remove()]));

  /** Steps that take a while. */
  const longJob = (): TrainingJob =>
    triageJob(encoder.base, { steps: 10_000, batch: 64, accumulation: 16, maxTokens: 64 });

  it('gives an adapter of the base, step by step', async () => {
    const steps: number[] = [];
    const checkpoints: number[] = [];
    const result = await trainAdapter(
      triageJob(encoder.base, { steps: 6 }),
      hooks({
        checkpointEvery: 2,
        onStep: ({ step }) => steps.push(step),
        onCheckpoint: ({ step }) => Promise.resolve(void checkpoints.push(step)),
      }),
    );
    assert.deepEqual(steps, [1, 2, 3, 4, 5, 6]);
    assert.deepEqual(checkpoints, [2, 4]);
    const { base, head } = decodeAdapter(result.bytes);
    assert.deepEqual(base, { name: 'tiny-encoder', sha256: result.baseSha256 });
    assert.deepEqual(head!.labels, ['ham', 'spam']);
    assert.equal(result.after.step, 6);
  });

  it('writes texts beside a base in 4 bits, and is better than the base', async () => {
    const spec = specOf('causal', { precision: '4bit', steps: 15, base: decoder.base.name });
    const train = ['ham', 'spam'].map((prompt) => ({ prompt, completion: ` ${prompt} it is` }));
    const job = { base: decoder.base, spec, labels: [], train, validation: train };
    const { before: base, after: adapter } = await trainAdapter(job, hooks());
    assert.ok(adapter.loss < 0.8 * base!.loss, `${base!.loss} became ${adapter.loss}`);
  });

  it('is left at a checkpoint and goes on from it to the same bytes', async () => {
    const job = triageJob(encoder.base, { steps: 6, dropout: 0.1 });
    const whole = await trainAdapter(job, hooks());
    let checkpoint: Uint8Array | undefined;
    const onCheckpoint = (_: unknown, bytes: Uint8Array): Promise<void> => {
      checkpoint = bytes;
      return Promise.resolve();
    };
    const left = await trainUntil(job, hooks({ onCheckpoint }), 3);
    assert.ok('left' in left && left.left.step === 3);
    const { bytes } = await trainAdapter(job, hooks({ checkpoint: checkpoint! }));
    assert.deepEqual(bytes, whole.bytes);
  });

  it('is left where it stops early before the step up to which it was to go', async () => {
    const job = triageJob(encoder.base, { steps: 40, learningRate: 0.5, evaluateEvery: 1, patience: 1 });
    const { left } = (await trainUntil(job, hooks(), 30)) as { left: { step: number; loss: number } };
    assert.ok(left.step < 30 && Number.isFinite(left.loss), JSON.stringify(left));
  });

  it('says which examples are wrong before it takes a step', async () => {
    const job = triageJob(encoder.base);
    const train = [...job.train, { text: 'odd', label: 'eggs' }, { prompt: 'a', completion: 'b' }];
    await assert.rejects(trainAdapter({ ...job, train }, hooks()), {
      code: 'CHIMERA_INVALID_INPUT',
      message: /\/24: its label "eggs"[\s\S]*\/25: it is no example of a classification task/,
    });
  });

  it('is cancelled within a second while a step is under way, and leaves no process', async () => {
    const children = (): number => process.getActiveResourcesInfo().filter((what) => what === 'ProcessWrap').length;
    const before = children();
    const cancel = new AbortController();
    let cancelled = NaN;
    const onStep = (): void => {
      // The next step is asked for before this runs.
      setImmediate(() => {
        cancelled = performance.now();
        cancel.abort();
      });
    };
    await assert.rejects(trainAdapter(longJob(), hooks({ signal: cancel.signal, onStep })), {
      code: 'CHIMERA_CANCELLED',
    });
    assert.ok(performance.now() - cancelled < 1000, `it took ${performance.now() - cancelled} ms`);
    const end = Date.now() + 5000;
    while (children() > before && Date.now() < end) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    // Others of this process may have ended meanwhile; none has come.
    assert.ok(children() <= before);
    await assert.rejects(trainAdapter(longJob(), hooks({ signal: cancel.signal })), { code: 'CHIMERA_CANCELLED' });
  });

  it('says so where its process is killed', async () => {
    const own = new CallProcess<TrainingCalls>(TRAINER, {});
    await own.call('open', { job: longJob() });
    const step = own.call('step', null);
    process.kill(own.pid!, 'SIGKILL');
    await assert.rejects(step, { code: 'CHIMERA_MODEL_CRASHED', message: /SIGKILL/ });
  });

  it('does not hold up the process that asks for it', async () => {
    const before = performance.eventLoopUtilization();
    let steps = 0;
    await trainAdapter(triageJob(encoder.base, { steps: 30, batch: 32 }), hooks({ onStep: () => (steps += 1) }));
    const { utilization } = performance.eventLoopUtilization(before);
    assert.equal(steps, 30);
    assert.ok(utilization < 0.3, `the loop was busy for ${utilization} of the time`);
  });

  it('ends with the process that asked for it, even where that is killed in the middle of a step', async () => {
    const calls = new URL('../../../src/learning/process/calls.ts', import.meta.url).href;
    const program = `
      import { CallProcess } from ${JSON.stringify(calls)};
      const own = new CallProcess(${JSON.stringify(TRAINER)}, {});
      await own.call('open', { job: ${JSON.stringify(longJob())} });
      await own.call('step', null);
      void own.call('step', null);
      console.log(own.pid);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    assert.ok(isAlive(pid));
    parent.kill('SIGKILL');
    await untilGone(pid);
  });
});
