import {
  CancellationScope,
  condition,
  defineSignal,
  getExternalWorkflowHandle,
  isCancellation,
  setHandler,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import { ChimeraError } from '../../contracts/errors.ts';
import { SIGNALS, type LeaseNews, type LeaseRelease } from '../../contracts/messages.ts';
import { workflowId } from '../../contracts/names.ts';
import { activities } from './activities.ts';
import { io, queuePrefix } from '../options.ts';
import type { Story } from './story.ts';

const leaseNews = defineSignal<[LeaseNews]>(SIGNALS.leaseNews);
const releaseLease = defineSignal<[LeaseRelease]>(SIGNALS.releaseLease);

export interface LeaseWish {
  project: string;
  deviceClass: string;
  priority: number;
  maxMs: number;
  purpose: string;
}

/**
 * Runs `work` while this workflow holds a lease. Waits in the broker's queue; gives the lease back however `work` ends,
 * on cancellation too. A worker that dies needs no care here: the workflow lives on and still holds the lease. Where the
 * broker takes the lease back, `work` is cancelled and begins again under the next one.
 */
export async function withLease<R>(wish: LeaseWish, story: Story, work: (leaseId: string) => Promise<R>): Promise<R> {
  for (;;) {
    const turn = await oneLease(wish, story, work);
    if (turn.lost === undefined) return turn.result as R;
    story.tell(`${turn.lost.message}; asks for another one`);
  }
}

async function oneLease<R>(
  wish: LeaseWish,
  story: Story,
  work: (leaseId: string) => Promise<R>,
): Promise<{ result?: R; lost?: ChimeraError }> {
  const { workflowId: id, runId } = workflowInfo();
  const leaseId = `${id}/${uuid4()}`;
  const held = new CancellationScope();
  let news: LeaseNews | undefined;
  let lost: ChimeraError | undefined;
  setHandler(leaseNews, (latest) => {
    if (latest.leaseId !== leaseId) return;
    if (news?.granted === true && !latest.granted) {
      lost = refusal(latest);
      held.cancel();
    }
    news = latest;
  });
  story.now(`waiting for a lease of device class ${wish.deviceClass}`, 'queued');
  try {
    await activities(io('ask for a lease')).requestLease({ leaseId, holder: { workflowId: id, runId }, ...wish });
    await condition(() => news !== undefined);
    if (news?.granted !== true) throw refusal(news);
    story.tell(`holds a lease of device class ${wish.deviceClass}`);
    return { result: await held.run(() => work(leaseId)) };
  } catch (error) {
    if (lost === undefined || !isCancellation(error) || CancellationScope.current().consideredCancelled) throw error;
    return { lost };
  } finally {
    await CancellationScope.nonCancellable(async () => {
      try {
        await getExternalWorkflowHandle(queuePrefix() + workflowId.leaseBroker()).signal(releaseLease, { leaseId });
      } catch {
        // no broker, no lease
      }
    });
  }
}

function refusal(news: LeaseNews | undefined): ChimeraError {
  return news === undefined || news.granted
    ? new ChimeraError('CHIMERA_INTERNAL', { why: 'the lease broker answered nothing' })
    : new ChimeraError(news.code, news.details);
}
