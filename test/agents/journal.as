import { Effect, EffectKind, Event, StepResult } from './abi';
import { Json } from './json';

/** Characters after which a page of the journal is put into memory. */
const PAGE = 4000;

/**
 * Calls a tool in every turn and keeps all that it was told: what no page holds yet lies in its state, pages lie in memory, and the
 * state names them. At the end it reads every page back and answers how much it has, and a checksum.
 */
export function step(state: string, event: Event): StepResult {
  const task = event.start;
  let memo: Json;
  if (task !== null) {
    memo = new Json()
      .set('turns', Json.parse(task.payload).get('turns'))
      .set('open', Json.text(''))
      .set('pages', Json.list([]))
      .set('bytes', Json.num(0))
      .set('sum', Json.num(0));
  } else {
    memo = Json.parse(state);
  }
  const turns = <i32>memo.get('turns').asNumber();
  const turn = <i32>event.turn;
  let open = memo.get('open').asText();
  const pages: Json[] = [];
  const written = memo.get('pages');
  for (let i = 0; i < written.length; i++) pages.push(written.at(i));
  let bytes = memo.get('bytes').asNumber();
  let sum = memo.get('sum').asNumber();
  for (let i = 0; i < event.results.length; i++) {
    const result = event.results[i];
    if (!result.ok) return StepResult.fail(result.body);
    const body = Json.parse(result.body);
    if (body.get('sha256').asText() != '') pages.push(body.get('sha256'));
    else if (body.get('text').asText() != '') {
      const text = body.get('text').asText();
      bytes += <f64>text.length;
      for (let at = 0; at < text.length; at++) sum = (sum * 31 + <f64>text.charCodeAt(at)) % 1000003;
    } else open += body.get('line').asText();
  }
  const effects: Effect[] = [];
  if (turn < turns) {
    effects.push(
      new Effect(
        EffectKind.Tool,
        new Json().set('tool', Json.text('journal-line')).set('input', new Json().set('n', Json.num(<f64>turn))),
      ),
    );
    if (open.length >= PAGE || turn == turns - 1) {
      effects.push(new Effect(EffectKind.Memory, new Json().set('put', new Json().set('text', Json.text(open)))));
      open = '';
    }
  } else {
    const next = turn - turns;
    if (next < pages.length) {
      effects.push(new Effect(EffectKind.Memory, new Json().set('get', pages[next])));
    } else {
      const output = new Json()
        .set('pages', Json.num(<f64>pages.length))
        .set('bytes', Json.num(bytes))
        .set('open', Json.num(<f64>open.length))
        .set('sum', Json.num(sum));
      return StepResult.done(output);
    }
  }
  memo = new Json()
    .set('turns', Json.num(<f64>turns))
    .set('open', Json.text(open))
    .set('pages', Json.list(pages))
    .set('bytes', Json.num(bytes))
    .set('sum', Json.num(sum));
  return StepResult.effects(effects, memo.toString());
}
