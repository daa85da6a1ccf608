import { sleep } from '@temporalio/workflow';
import { activities } from './activities.ts';
import { deviceQueue } from '../../contracts/names.ts';
import { io, queuePrefix } from '../options.ts';
import type { Story } from './story.ts';

const LOOK_EVERY = '4 s';

/**
 * Returns when a worker polls the queue of `deviceClass`. Until then the state text says who is missing: work that
 * nobody takes must not look like work that is slow.
 */
export async function waitForWorker(deviceClass: string, story: Story): Promise<void> {
  const queue = queuePrefix() + deviceQueue(deviceClass);
  for (;;) {
    const { pollers } = await activities(io('look for a worker')).describeQueue({ queue });
    if (pollers > 0) return;
    story.now(
      `waiting: no worker polls the task queue ${queue}; start one with --role device:${deviceClass}`,
      'no-worker',
    );
    await sleep(LOOK_EVERY);
  }
}
