import { infer, type EffectResult, type Event, type Step } from './abi.ts';

/** The payload, after the preprocessing in `task-type.json`. */
interface Ticket {
  readonly text: string;
}

/** The model that is asked where the words do not decide; `agent.json` says which model has this name. */
const MODEL = 'router';
const BILLING = ['invoice', 'charged', 'refund', 'payment', 'price'];
const TECHNICAL = ['error', 'crash', 'login', 'password', 'install'];

/** One turn. The state is what the turn before returned; everything else that an agent knows is in the event. */
export function step(_state: string, { task, results }: Event<Ticket>): Step {
  if (task === undefined) return answered(results[0]);
  if (task.features[0] === 0) return { kind: 'fail', reason: 'the ticket has no words' };
  const billing = hits(task.payload.text, BILLING);
  const technical = hits(task.payload.text, TECHNICAL);
  if (billing === technical) return { kind: 'effects', effects: [infer(MODEL, '/text')], state: 'asked' };
  const why = `${billing} billing words, ${technical} technical words`;
  return route(billing > technical ? 'billing' : 'technical', why);
}

/** The second turn: what the model says. `ok` is false where no model has the name. */
function answered(answer: EffectResult | undefined): Step {
  if (answer?.ok !== true) return route('general', 'no words decide and no model answered');
  return route((answer.body as { label: string }).label, `${MODEL} says so`);
}

function route(queue: string, why: string): Step {
  return { kind: 'done', output: { queue, why } };
}

const hits = (text: string, words: readonly string[]): number => words.filter((word) => text.includes(word)).length;
