import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { invalidInput } from '../../contracts/errors.ts';
import { nameOf, type TokenizerConfig } from './config.ts';
import type { ChatMessage } from './types.ts';

/*
 * A chat template comes with a model from strangers. It reaches nothing but its inputs: no clock, no files. It cannot go on for ever
 * either: every step costs, and so does the size of what a step makes, and the budget grows with the conversation only. So neither
 * loops nor doubled lists get far; one step alone can make at most a string as long as the engine allows, and ends with that.
 */

/** Templates with tools have some 10,000 characters. */
const LONGEST_TEMPLATE = 1 << 15;
/** The template reader's time is quadratic in runs of spaces. */
const LONG_SPACE = /\s{1000}/;
const BUDGET = 1_000_000;
const BUDGET_PER_CHARACTER = 64;
const LONGEST_RANGE = 10_000;
const LONGEST_REASON = 300;

interface Statement {
  readonly type: string;
}
interface Value {
  readonly value: unknown;
}
interface Evaluates {
  evaluate(statement: Statement | undefined, environment: Environment): Value;
  run(program: unknown): Value;
}
/** The package's own types import one another in a way that Node's resolution does not know. */
const PlainInterpreter = Interpreter as unknown as new (environment: Environment) => Evaluates;

/** These hand over what is there already. */
const READS: ReadonlySet<string | undefined> = new Set(['Identifier', 'MemberExpression', 'StringLiteral']);

class BoundedInterpreter extends PlainInterpreter {
  #left: number;

  constructor(environment: Environment, budget: number) {
    super(environment);
    this.#left = budget;
  }

  override evaluate(statement: Statement | undefined, environment: Environment): Value {
    this.#spend(1);
    const value = super.evaluate(statement, environment);
    if (!READS.has(statement?.type)) this.#charge(value.value);
    return value;
  }

  /** A list that holds a list many times costs as much as it would on paper. */
  #charge(value: unknown): void {
    this.#spend(typeof value === 'string' ? value.length : 1);
    if (Array.isArray(value)) for (const item of value as Value[]) this.#charge(item.value);
    else if (value instanceof Map) for (const item of (value as Map<string, Value>).values()) this.#charge(item.value);
  }

  #spend(cost: number): void {
    this.#left -= cost;
    if (this.#left < 0) throw new Error('the template does too much');
  }
}

function range(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  const length = Math.max(0, Math.ceil((to - from) / step));
  if (!(length <= LONGEST_RANGE)) throw new Error(`range() makes at most ${LONGEST_RANGE} numbers`);
  return Array.from({ length }, (_, i) => from + i * step);
}

/** The template of conversations: the only one, or that which is named `default`. */
export const templateOf = ({ chat_template }: TokenizerConfig): string | undefined =>
  typeof chat_template === 'string' ? chat_template : chat_template?.find(({ name }) => name === 'default')?.template;

/**
 * A function from a conversation to the prompt of its answer, by the model's own Jinja template. Known to it besides `messages`:
 * `add_generation_prompt`, `bos_token`, `eos_token`, `raise_exception`, `range` and `namespace`; `tools` and `documents` are none.
 * The function throws `CHIMERA_INVALID_INPUT` on what the template refuses or cannot do, and where there is no template.
 *
 * @throws `CHIMERA_INVALID_INPUT` where the template is too long or is no Jinja
 */
export function chatOf(config: TokenizerConfig, what: string): (messages: readonly ChatMessage[]) => string {
  const refuse = (message: string) =>
    invalidInput(what, [{ path: '/chat_template', message: message.slice(0, LONGEST_REASON) }]);
  const template = templateOf(config);
  if (template === undefined) {
    return () => {
      throw refuse('the model has no chat template, so it holds no conversations');
    };
  }
  if (template.length > LONGEST_TEMPLATE) {
    throw refuse(`the template has ${template.length} characters, the most are ${LONGEST_TEMPLATE}`);
  }
  if (LONG_SPACE.test(template)) throw refuse('the template has 1,000 spaces in a row');
  const attempt = <T>(act: () => T): T => {
    try {
      return act();
    } catch (error) {
      throw refuse(error instanceof Error ? error.message : String(error));
    }
  };
  const program = attempt(() => parse(tokenize(template, { lstrip_blocks: true, trim_blocks: true })));
  const constants = { true: true, True: true, false: false, False: false, none: null, None: null };
  const globals = {
    ...constants,
    ...{ bos_token: nameOf(config.bos_token) ?? '', eos_token: nameOf(config.eos_token) ?? '' },
    ...{ tools: null, documents: null, add_generation_prompt: true, range },
    raise_exception: (message: unknown): never => {
      throw new Error(String(message));
    },
  };
  return (messages) =>
    attempt(() => {
      const environment = new Environment();
      for (const [name, value] of Object.entries(globals)) environment.set(name, value);
      environment.set('messages', messages);
      const characters = messages.reduce((sum, { role, content }) => sum + role.length + content.length, 0);
      return String(new BoundedInterpreter(environment, BUDGET + BUDGET_PER_CHARACTER * characters).run(program).value);
    });
}
