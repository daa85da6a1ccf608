import { Effect, Event, StepResult } from './abi';
import { Json } from './json';

/**
 * Does what its payload says: asks for the effects of `script` turn by turn ([[{"kind", "request"}, ...], ...]) and answers with all
 * that it was told. Where its budget is spent it answers with what it has, unless it is `stubborn`.
 */
export function step(state: string, event: Event): StepResult {
  const task = event.start;
  let script: Json;
  let stubborn = false;
  const seen: Json[] = [];
  let spent = false;
  if (task !== null) {
    const payload = Json.parse(task.payload);
    script = payload.get('script');
    stubborn = payload.get('stubborn').toString() == 'true';
  } else {
    const memo = Json.parse(state);
    script = memo.get('script');
    stubborn = memo.get('stubborn').asBool();
    const before = memo.get('seen');
    for (let i = 0; i < before.length; i++) seen.push(before.at(i));
    for (let i = 0; i < event.results.length; i++) {
      const result = event.results[i];
      if (!result.ok && result.body.includes('CHIMERA_BUDGET_SPENT')) spent = true;
      seen.push(new Json().set('ok', Json.bool(result.ok)).set('body', Json.parse(result.body)));
    }
  }
  if ((spent && !stubborn) || <i32>event.turn >= script.length) {
    return StepResult.done(new Json().set('seen', Json.list(seen)).set('time', Json.num(<f64>event.time)));
  }
  const asked = script.at(<i32>event.turn);
  const effects: Effect[] = [];
  for (let i = 0; i < asked.length; i++) {
    const effect = asked.at(i);
    effects.push(new Effect(<i32>effect.get('kind').asNumber(), effect.get('request')));
  }
  const memo = new Json().set('script', script).set('seen', Json.list(seen)).set('stubborn', Json.bool(stubborn));
  return StepResult.effects(effects, memo.toString());
}
