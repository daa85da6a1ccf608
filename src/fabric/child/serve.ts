import { packResult, unpackBatch } from '../protocol.ts';
import type { Batch, FromChild, PackedBatch, ToChild } from '../protocol.ts';
import { advanceExecution } from './advance.ts';
import { evaluateBatch, itemError, newWorkplace, prepareBatch, publishBatch, runBatch } from './batches.ts';
import type { Workplace } from './batches.ts';
import { chooseCompiler } from './compile.ts';
import { Library } from './library.ts';
import type { ChildServices } from './services.ts';

function work(workplace: Workplace, batch: Batch): unknown {
  switch (batch.kind) {
    case 'run':
      return runBatch(workplace, batch.job, batch.hosted);
    case 'advance':
      return advanceExecution(workplace, batch.job, batch.hosted);
    case 'evaluate':
      return evaluateBatch(workplace, batch.job, batch.hosted);
    case 'prepare':
      return prepareBatch(workplace, batch.job);
    case 'publish':
      return publishBatch(workplace, batch.job);
  }
}

/** How old a reading of this process's clock may be. */
const CPU_READING_MS = 1000;

/** Processor seconds of this process, read once in a while: the system takes as long to say it as a few agents run. */
function cpuClock(): () => number {
  let seconds = 0;
  let due = 0;
  return () => {
    if (performance.now() >= due) {
      const { user, system } = process.cpuUsage();
      seconds = (user + system) / 1e6;
      due = performance.now() + CPU_READING_MS;
    }
    return seconds;
  };
}

/**
 * The life of a sandbox process: batches from the parent, one after the other, until the channel closes. An error of a
 * batch is its answer; only a crash ends the process.
 */
export function serve(services: ChildServices): void {
  const opened = chooseCompiler(process.argv).then((compile) => newWorkplace(new Library(services, compile)));
  const send = (message: FromChild): void => void process.send?.(message);
  let last: Promise<unknown> = opened;
  const cpuSeconds = cpuClock();
  const answer = async (id: number, packed: PackedBatch): Promise<void> => {
    try {
      const batch = unpackBatch(packed);
      const result = packResult(batch, await work(await opened, batch));
      send({ type: 'done', id, result, cpuSeconds: cpuSeconds() });
    } catch (error) {
      send({ type: 'failed', id, error: itemError(error), cpuSeconds: cpuSeconds() });
    }
  };
  process.on('disconnect', () => process.exit(0));
  process.on('message', (message: ToChild) => {
    switch (message.type) {
      case 'blobs':
        last = last.then(async () => (await opened).library.add(message.blobs));
        return;
      case 'evict':
        last = last.then(async () => (await opened).library.evict(message.sha256s));
        return;
      case 'batch':
        last = last.then(() => answer(message.id, message));
    }
  });
  void opened.then(() => send({ type: 'ready' }));
}
