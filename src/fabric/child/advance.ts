import { canonicalBytes } from '../../core/canonical/canonical.ts';
import { advance, isSuspension, recordHash } from '../../core/execution/driver.ts';
import type { AdvanceJob, AdvanceResult } from '../jobs.ts';
import type { Workplace } from './batches.ts';
import type { HostedModels, Unanswered } from '../hosted.ts';
import { HostedAnswers, itemContext, PureEffects, TurnEffects } from './effects.ts';

/** Steps of one long execution, until it is done or asks for more than a model's answer. */
export async function advanceExecution(
  { library, cache }: Workplace,
  job: AdvanceJob,
  hosted?: HostedModels,
): Promise<AdvanceResult | Unanswered> {
  const { agent, taskType, seed, prepared, from } = job;
  const { capabilities, models } = agent.manifest;
  const known = new HostedAnswers(hosted, cache);
  const pure = new PureEffects(itemContext(prepared.payload), models, library.model.bind(library), cache, known);
  const end = await advance(
    {
      ...library.agent(agent, taskType.limits),
      input: { payload: canonicalBytes(prepared.payload), features: prepared.features },
      seed,
      capabilities,
      effects: new TurnEffects(pure),
      validateOutput: library.validator(taskType.output as never),
    },
    from,
  );
  if (pure.questions.length > 0) return { questions: pure.questions };
  return isSuspension(end) ? { suspension: end } : { record: end, recordHash: recordHash(end) };
}
