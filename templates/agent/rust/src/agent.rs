use crate::abi::{Body, Effect, EffectResult, Event, Outcome, Step, TaskInput};
use crate::json::Json;

/// The model that is asked where the words do not decide; `agent.json` says which model has this name.
const MODEL: &str = "router";
const BILLING: [&str; 5] = ["invoice", "charged", "refund", "payment", "price"];
const TECHNICAL: [&str; 5] = ["error", "crash", "login", "password", "install"];

/// One turn. The state is what the turn before returned; everything else that an agent knows is in the event.
pub fn step(_state: &[u8], event: &Event) -> Step {
    match &event.body {
        Body::Start(task) => first(task),
        Body::Results(results) => answered(&results[0]),
    }
}

fn first(task: &TaskInput) -> Step {
    if task.features[0] == 0.0 {
        return Outcome::Fail("the ticket has no words".into()).into();
    }
    let payload = Json::parse(task.payload);
    let text = payload.get("text").and_then(Json::as_text).unwrap_or("");
    let (billing, technical) = (hits(text, &BILLING), hits(text, &TECHNICAL));
    if billing == technical {
        return Step::new(Outcome::Effects(vec![Effect::infer(MODEL, "/text")])).with_state("asked");
    }
    let why = format!("{billing} billing words, {technical} technical words");
    route(if billing > technical { "billing" } else { "technical" }, &why)
}

/// The second turn: what the model says. `ok` is false where no model has the name.
fn answered(answer: &EffectResult) -> Step {
    let body = Json::parse(answer.body);
    match body.get("label").and_then(Json::as_text) {
        Some(queue) if answer.ok => route(queue, &format!("{MODEL} says so")),
        _ => route("general", "no words decide and no model answered"),
    }
}

fn route(queue: &str, why: &str) -> Step {
    let output = Json::object([("queue", Json::text(queue)), ("why", Json::text(why))]);
    Outcome::Done(output.to_string()).into()
}

fn hits(text: &str, words: &[&str]) -> usize {
    words.iter().filter(|word| text.contains(**word)).count()
}
