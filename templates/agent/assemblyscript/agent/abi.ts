// The types of `wit/agent.wit`, and how they lie in memory (canonical ABI of the component model).
import { Json } from './json';

export enum EffectKind {
  Infer,
  Embed,
  Memory,
  Http,
  Tool,
  AskHuman,
  SpawnTask,
  Sleep,
}

/** The task as the agent sees it. */
export class TaskInput {
  constructor(
    /** The normalised payload, as JSON. */
    public payload: string,
    /** The numbers that the task type declares, in its order. */
    public features: f64[],
  ) {}
}

/** The answer to one effect, in the order in which the effects were asked for. */
export class EffectResult {
  constructor(
    public ok: bool,
    /** JSON of the result, or of `{"code","message"}` where `ok` is false. */
    public body: string,
    /** For example the scores of an `infer`; empty where there are none. */
    public scores: f64[],
  ) {}
}

export class Event {
  /** The task, in the first turn; null in the others, which have `results`. */
  start: TaskInput | null = null;
  results: EffectResult[] = [];
  constructor(
    /** 0 for the first turn. */
    public turn: u32,
    /** Of the execution: all randomness that an agent may use derives from it. */
    public seed: u64,
    /** Virtual milliseconds since the execution started; only `sleep` moves it. */
    public time: u64,
  ) {}
}

/** Something that the host is asked to do. Its kind must be among the capabilities in `agent.json`. */
export class Effect {
  constructor(
    public kind: EffectKind,
    public request: Json,
  ) {}

  /** What the model thinks of the text at `pointer` (a JSON pointer) in the payload. */
  static infer(model: string, pointer: string): Effect {
    return new Effect(EffectKind.Infer, new Json().set('model', Json.text(model)).set('input', Json.text(pointer)));
  }
}

enum OutcomeKind {
  Done,
  Fail,
  Effects,
}

/** What a turn ends with: an output, giving up, or effects whose answers come in the next event. */
export class StepResult {
  private logged: string[] = [];
  private constructor(
    private kind: OutcomeKind,
    private text: string,
    private asked: Effect[],
    private state: string,
  ) {}

  static done(output: Json): StepResult {
    return new StepResult(OutcomeKind.Done, output.toString(), [], '');
  }

  /** Gives up, with a reason for people. */
  static fail(reason: string): StepResult {
    return new StepResult(OutcomeKind.Fail, reason, [], '');
  }

  /** `state`, at most 64 KiB, is handed to the next turn; nothing else outlives this one. */
  static effects(effects: Effect[], state: string): StepResult {
    return new StepResult(OutcomeKind.Effects, '', effects, state);
  }

  /** Adds a log line. */
  log(line: string): StepResult {
    this.logged.push(line);
    return this;
  }

  /** Writes the record `step-result`; its address is what `step` returns. */
  lower(): usize {
    const at = heap.alloc(28);
    lowerText(at, this.state);
    store<u8>(at, <u8>this.kind, 8);
    if (this.kind == OutcomeKind.Effects) lowerEffects(at + 12, this.asked);
    else lowerText(at + 12, this.text);
    const lines = heap.alloc(8 * this.logged.length);
    for (let i = 0; i < this.logged.length; i++) lowerText(lines + 8 * i, this.logged[i]);
    storeList(at + 20, lines, this.logged.length);
    return at;
  }
}

function lowerEffects(at: usize, effects: Effect[]): void {
  const items = heap.alloc(12 * effects.length);
  for (let i = 0; i < effects.length; i++) {
    store<u8>(items + 12 * i, <u8>effects[i].kind);
    lowerText(items + 12 * i + 4, effects[i].request.toString());
  }
  storeList(at, items, effects.length);
}

function lowerText(at: usize, text: string): void {
  const bytes = String.UTF8.encode(text);
  storeList(at, changetype<usize>(bytes), bytes.byteLength);
}

function storeList(at: usize, items: usize, length: usize): void {
  store<u32>(at, items);
  store<u32>(at, length, 4);
}

export function liftText(at: usize, length: usize): string {
  return String.UTF8.decodeUnsafe(at, length);
}

export function liftNumbers(at: usize, length: i32): f64[] {
  const numbers = new Array<f64>(length);
  for (let i = 0; i < length; i++) numbers[i] = load<f64>(at + 8 * i);
  return numbers;
}

export function liftResult(at: usize): EffectResult {
  return new EffectResult(
    load<bool>(at),
    liftText(load<u32>(at, 4), load<u32>(at, 8)),
    liftNumbers(load<u32>(at, 12), load<u32>(at, 16)),
  );
}
