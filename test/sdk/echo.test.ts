import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import type { JsonObject, JsonValue } from '../../src/contracts/records.ts';
import { canonicalJson, hashOf } from '../../src/core/canonical/canonical.ts';
import type { ExecutionRecord } from '../../src/core/execution/types.ts';
import type { RunItem } from '../../src/fabric/index.ts';
import { buildAgent, createProject, readProject, type Language } from '../../src/sdk/index.ts';
import { Bench, TASK_TYPE } from '../fabric/harness.ts';
import { agentFolder, rustMissing } from './folders.ts';

/** Agents that say what they saw; where the payload has `ask`, they ask for these tools first. */
const ECHO: Readonly<Partial<Record<Language, { readonly file: string; readonly source: string }>>> = {
  assemblyscript: {
    file: 'agent/agent.ts',
    source: `
      import { Effect, EffectKind, Event, StepResult } from "./abi";
      import { Json } from "./json";
      export function step(state: string, event: Event): StepResult {
        const task = event.start;
        if (task === null) return StepResult.done(answers(state, event));
        const payload = Json.parse(task.payload);
        const ask = payload.get("ask");
        if (ask.length > 0) {
          const effects: Effect[] = [];
          for (let i = 0; i < ask.length; i++) effects.push(new Effect(EffectKind.Tool, ask.at(i)));
          return StepResult.effects(effects, payload.get("state").asText()).log("asked é");
        }
        return StepResult.done(new Json().set("payload", payload).set("features", numbers(task.features)));
      }
      function answers(state: string, event: Event): Json {
        const list: Json[] = [];
        for (let i = 0; i < event.results.length; i++) {
          const result = event.results[i];
          const json = new Json().set("ok", Json.bool(result.ok)).set("body", Json.parse(result.body));
          list.push(json.set("scores", numbers(result.scores)));
        }
        return new Json().set("answers", Json.list(list)).set("state", Json.text(state)).set("turn", Json.num(event.turn));
      }
      function numbers(values: f64[]): Json {
        return Json.list(values.map<Json>((value) => Json.num(value)));
      }`,
  },
  rust: {
    file: 'src/agent.rs',
    source: `
      use crate::abi::{Body, Effect, EffectKind, Event, Outcome, Step};
      use crate::json::Json;
      pub fn step(state: &[u8], event: &Event) -> Step {
          match &event.body {
              Body::Start(task) => {
                  let payload = Json::parse(task.payload);
                  if let Some(Json::List(ask)) = payload.get("ask") {
                      let effects = ask.iter().map(|item| Effect { kind: EffectKind::Tool, request: Json::parse(&item.to_string()) });
                      let state = payload.get("state").and_then(Json::as_text).unwrap_or("").to_string();
                      return Step::new(Outcome::Effects(effects.collect())).with_state(state).with_log("asked é");
                  }
                  let output = Json::object([("payload", payload), ("features", numbers(task.features))]);
                  Outcome::Done(output.to_string()).into()
              }
              Body::Results(results) => {
                  let answers = results.iter().map(|result| {
                      let ok = Json::Word(result.ok.to_string());
                      Json::object([("ok", ok), ("body", Json::parse(result.body)), ("scores", numbers(result.scores))])
                  });
                  let state = Json::text(std::str::from_utf8(state).unwrap());
                  let turn = Json::number(event.turn.into());
                  let output = Json::object([("answers", Json::List(answers.collect())), ("state", state), ("turn", turn)]);
                  Outcome::Done(output.to_string()).into()
              }
          }
      }
      fn numbers(values: &[f64]) -> Json {
          Json::List(values.iter().map(|value| Json::number(*value)).collect())
      }`,
  },
};

const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const payloads = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ stringUnit: 'grapheme' }), {
  maxKeys: 6,
});

describe('sdk: the glue of the templates', function () {
  this.timeout(240_000);
  const folder = agentFolder();
  let bench: Bench;
  before(() => {
    bench = new Bench({ poolSize: 1 });
  });
  after(() => {
    folder.remove();
    bench.fabric.close();
  });

  for (const language of Object.keys(ECHO) as Language[])
    describe(language, () => {
      let run: (items: readonly Omit<RunItem, 'key' | 'seed'>[]) => Promise<ExecutionRecord[]>;
      before(async function () {
        const missing = language === 'rust' ? rustMissing() : undefined;
        if (missing !== undefined) {
          console.log(`      skipped: ${missing}`);
          this.skip();
        }
        const dir = folder.path(`echo-${language}`);
        await createProject(dir, language);
        const { file, source } = ECHO[language]!;
        writeFileSync(join(dir, file), source);
        const { module } = await buildAgent(await readProject(dir));
        const agent = bench.agent(module, { capabilities: ['tool'] });
        run = async (items) => {
          const keyed = items.map((item, i) => ({ ...item, key: `${i}`, seed: BigInt(i) }));
          const results = await bench.fabric.run({ agent, taskType: TASK_TYPE, items: keyed });
          return results.map((result) => ('record' in result ? result.record : assert.fail(result.error.message)));
        };
      });

      it('hands any JSON and any numbers through unchanged', async () => {
        const cases = fc.sample(fc.record({ payload: payloads, features: fc.array(number, { maxLength: 5 }) }), {
          seed: 1,
          numRuns: 200,
        });
        cases.push({
          payload: { 'a"\\\n\u0001': ['\u2028😀\t', 1e21, -0.5, true, false, null, [], {}] },
          features: [5e-324],
        });
        const records = await run(
          cases.map(({ payload, features }) => ({
            prepared: { payload: payload as JsonObject, features: Float64Array.from(features) },
          })),
        );
        for (const [index, record] of records.entries())
          assert.equal(canonicalJson(record.output ?? record.reason), canonicalJson(cases[index]));
      });

      it('asks for effects, and gets their answers and its state', async () => {
        const ask: JsonValue[] = [{ name: 'one' }, { name: 'größer' }, ['unrecorded']];
        const recorded = [
          { kind: 'tool' as const, requestHash: hashOf(ask[0]), ok: true, body: { found: [1] }, scores: [0.25, -1] },
          { kind: 'tool' as const, requestHash: hashOf(ask[1]), ok: false, body: 'no', scores: [] },
        ];
        const prepared = { payload: { ask, state: 'stätus' }, features: new Float64Array(0) };
        const [record] = await run([{ prepared, recorded }]);
        const { answers, state, turn } = record!.output as { answers: JsonObject[]; state: string; turn: number };
        assert.deepEqual(answers.slice(0, 2), [
          { ok: true, body: { found: [1] }, scores: [0.25, -1] },
          { ok: false, body: 'no', scores: [] },
        ]);
        assert.equal((answers[2]!['body'] as JsonObject)['code'], 'CHIMERA_FORBIDDEN');
        assert.deepEqual([state, turn, record!.turns, record!.log], ['stätus', 1, 2, ['asked é']]);
      });
    });
});
