//! The types of `wit/agent.wit`, and how they lie in memory (canonical ABI of the component model).
#![allow(dead_code)] // An agent need not use all that the host offers.

use crate::json::Json;

pub struct Event<'a> {
    /// 0 for the first turn.
    pub turn: u32,
    /// Of the execution: all randomness that an agent may use derives from it.
    pub seed: u64,
    /// Virtual milliseconds since the execution started; only `sleep` moves it.
    pub time: u64,
    pub body: Body<'a>,
}

pub enum Body<'a> {
    /// The task, in the first turn.
    Start(TaskInput<'a>),
    /// The answers to the effects of the turn before, in their order.
    Results(Vec<EffectResult<'a>>),
}

pub struct TaskInput<'a> {
    /// The normalised payload, as JSON.
    pub payload: &'a str,
    /// The numbers that the task type declares, in its order.
    pub features: &'a [f64],
}

pub struct EffectResult<'a> {
    pub ok: bool,
    /// JSON of the result, or of `{"code","message"}` where `ok` is false.
    pub body: &'a str,
    /// For example the scores of an `infer`; empty where there are none.
    pub scores: &'a [f64],
}

#[derive(Clone, Copy)]
pub enum EffectKind {
    Infer,
    Embed,
    Memory,
    Http,
    Tool,
    AskHuman,
    SpawnTask,
    Sleep,
}

/// Something that the host is asked to do. Its kind must be among the capabilities in `agent.json`.
pub struct Effect {
    pub kind: EffectKind,
    pub request: Json,
}

impl Effect {
    /// What the model thinks of the text at `pointer` (a JSON pointer) in the payload.
    pub fn infer(model: &str, pointer: &str) -> Effect {
        let request = Json::object([("model", Json::text(model)), ("input", Json::text(pointer))]);
        Effect { kind: EffectKind::Infer, request }
    }
}

/// What a turn ends with.
pub enum Outcome {
    /// The output, as JSON.
    Done(String),
    /// Gives up, with a reason for people.
    Fail(String),
    /// The answers come in the next event.
    Effects(Vec<Effect>),
}

pub struct Step {
    outcome: Outcome,
    state: Vec<u8>,
    log: Vec<String>,
}

impl From<Outcome> for Step {
    fn from(outcome: Outcome) -> Step {
        Step::new(outcome)
    }
}

impl Step {
    pub fn new(outcome: Outcome) -> Step {
        Step { outcome, state: Vec::new(), log: Vec::new() }
    }

    /// At most 64 KiB, handed to the next turn; nothing else outlives this one.
    pub fn with_state(mut self, state: impl Into<Vec<u8>>) -> Step {
        self.state = state.into();
        self
    }

    /// Adds a log line.
    pub fn with_log(mut self, line: impl Into<String>) -> Step {
        self.log.push(line.into());
        self
    }

    /// The record `step-result`. Every step has an instance of its own, so that nothing is ever freed.
    pub fn lower(self) -> *const StepResult {
        let (kind, payload) = match self.outcome {
            Outcome::Done(output) => (0, List::of(output.into_bytes())),
            Outcome::Fail(reason) => (1, List::of(reason.into_bytes())),
            Outcome::Effects(effects) => (2, List::of(effects.into_iter().map(lower_effect).collect())),
        };
        let log = self.log.into_iter().map(|line| List::of(line.into_bytes())).collect();
        Box::leak(Box::new(StepResult { state: List::of(self.state), kind, payload, log: List::of(log) }))
    }
}

fn lower_effect(effect: Effect) -> LoweredEffect {
    LoweredEffect { kind: effect.kind as u8, request: List::of(effect.request.to_string().into_bytes()) }
}

/// Pointer and length, as in every list and string of the ABI.
#[repr(C)]
struct List {
    items: *const u8,
    length: usize,
}

impl List {
    fn of<T>(items: Vec<T>) -> List {
        let items = items.leak();
        List { items: items.as_ptr().cast(), length: items.len() }
    }
}

#[repr(C)]
struct LoweredEffect {
    kind: u8,
    request: List,
}

#[repr(C)]
pub struct StepResult {
    state: List,
    kind: u8,
    payload: List,
    log: List,
}

#[repr(C)]
pub struct LiftedResult {
    ok: bool,
    body: *const u8,
    body_length: usize,
    scores: *const f64,
    scores_length: usize,
}

impl LiftedResult {
    /// # Safety
    /// The pointers are the host's.
    pub unsafe fn lift<'a>(&self) -> EffectResult<'a> {
        unsafe {
            EffectResult {
                ok: self.ok,
                body: text(self.body, self.body_length),
                scores: std::slice::from_raw_parts(self.scores, self.scores_length),
            }
        }
    }
}

/// # Safety
/// Points to so many bytes of UTF-8, as the host writes them.
pub unsafe fn text<'a>(at: *const u8, length: usize) -> &'a str {
    unsafe { std::str::from_utf8_unchecked(std::slice::from_raw_parts(at, length)) }
}
