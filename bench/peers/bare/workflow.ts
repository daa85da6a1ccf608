import { proxyActivities } from '@temporalio/workflow';

const { answer } = proxyActivities<{ answer(text: string): Promise<string> }>({ startToCloseTimeout: '1 minute' });

/** The least that a durable task can be: one activity that does nothing. */
export async function bareWorkflow(text: string): Promise<string> {
  return answer(text);
}
