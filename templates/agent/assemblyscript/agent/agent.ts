import { Effect, Event, StepResult } from './abi';
import { Json } from './json';

/** The model that is asked where the words do not decide; `agent.json` says which model has this name. */
const MODEL = 'router';
const BILLING = ['invoice', 'charged', 'refund', 'payment', 'price'];
const TECHNICAL = ['error', 'crash', 'login', 'password', 'install'];

/** One turn. The state is what the turn before returned; everything else that an agent knows is in the event. */
export function step(state: string, event: Event): StepResult {
  const task = event.start;
  if (task === null) return answered(event);
  if (task.features[0] == 0) return StepResult.fail('the ticket has no words');
  const text = Json.parse(task.payload).get('text').asText();
  const billing = hits(text, BILLING);
  const technical = hits(text, TECHNICAL);
  if (billing == technical) return StepResult.effects([Effect.infer(MODEL, '/text')], 'asked');
  const why = `${billing} billing words, ${technical} technical words`;
  return route(billing > technical ? 'billing' : 'technical', why);
}

/** The second turn: what the model says. `ok` is false where no model has the name. */
function answered(event: Event): StepResult {
  const answer = event.results[0];
  if (!answer.ok) return route('general', 'no words decide and no model answered');
  return route(Json.parse(answer.body).get('label').asText(), `${MODEL} says so`);
}

function route(queue: string, why: string): StepResult {
  return StepResult.done(new Json().set('queue', Json.text(queue)).set('why', Json.text(why)));
}

function hits(text: string, words: string[]): i32 {
  let count = 0;
  for (let i = 0; i < words.length; i++) {
    if (text.includes(words[i])) count++;
  }
  return count;
}
