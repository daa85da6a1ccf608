import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ChimeraError, invalidInput, isChimeraError, type Problem } from '../contracts/errors.ts';
import type { JsonObject, JsonValue } from '../contracts/records.ts';
import { compileJsonSchema, type JsonValidator } from '../core/validation/schema.ts';
import { unlessAborted } from './abort.ts';
import { failure, type EffectAnswer, type EffectCall } from './answer.ts';
import { Breakers, type Outcome } from './breaker.ts';
import { readOutput } from './output.ts';

/** What every tool says of itself in temporal.yaml. */
interface ToolFacts {
  readonly name: string;
  readonly description: string;
  /** JSON Schemas. */
  readonly input: JsonObject;
  readonly output?: JsonObject;
  /** Money units for one call. */
  readonly price: number;
}

/** An entry of the section `tools`, its shape checked: it has `module`, or `queue` and `activity`. */
export interface ToolDeclaration extends ToolFacts {
  /** Milliseconds. */
  readonly timeout: number;
  /** A module whose default export is a {@link ToolFunction}, relative to the manifest. */
  readonly module?: string;
  readonly queue?: string;
  readonly activity?: string;
}

/** A tool that the worker performs itself, or an activity on a queue of the user's own worker. */
export type Tool = ToolFacts & { readonly timeoutMs: number } & (
    { readonly kind: 'module' } | { readonly kind: 'activity'; readonly queue: string; readonly activity: string }
  );

/** Under what a tool is called. */
export type ToolCall = EffectCall;

/**
 * The default export of a tool's module. An error that it throws with the name `ToolError` is told to the agent by its message;
 * any other is the tool's failure, of which the agent learns no more.
 */
export type ToolFunction = (input: JsonValue, call: ToolCall) => JsonValue | Promise<JsonValue>;

export interface ToolRegistry {
  get(name: string): Tool | undefined;
  /** In the order of the manifest. */
  list(): readonly Tool[];
  /** What is wrong with an input; an unknown tool is a problem too. */
  check(name: string, input: JsonValue): Problem[];
  /** Calls a tool of kind `module`. Throws `CHIMERA_CANCELLED` when `call.signal` is aborted: then nothing is known of it. */
  perform(name: string, input: JsonValue, call: ToolCall): Promise<EffectAnswer>;
  /** What a tool of kind `activity` returned, checked like the return of a module: as JSON, by size, depth and schema. */
  accept(name: string, output: unknown): EffectAnswer;
}

export interface ToolOptions {
  readonly breakers?: Breakers;
  /** Hears what a tool threw, which no agent is told. */
  readonly report?: (tool: string, error: unknown) => void;
}

const MAX_MESSAGE = 500;

/** A tool, ready to be called. */
interface Loaded {
  readonly tool: Tool;
  readonly input: JsonValidator;
  readonly output?: JsonValidator;
  readonly perform?: ToolFunction;
}

/**
 * Loads the tools of a manifest; modules are looked up from `baseFolder`. Throws `CHIMERA_INVALID_INPUT` with every problem of
 * every tool.
 */
export async function loadTools(
  declarations: readonly ToolDeclaration[],
  baseFolder: string,
  options: ToolOptions = {},
): Promise<ToolRegistry> {
  const problems: Problem[] = [];
  const loaded = new Map<string, Loaded>();
  for (const [index, declaration] of declarations.entries()) {
    const found = (path: string, message: string): void =>
      void problems.push({ path: `/tools/${index}${path}`, message });
    if (loaded.has(declaration.name)) found('/name', `${declaration.name} is there twice`);
    const input = compiled(declaration.input, (path, message) => found(`/input${path}`, message));
    const output =
      declaration.output && compiled(declaration.output, (path, message) => found(`/output${path}`, message));
    const { module } = declaration;
    const perform = module === undefined ? undefined : await imported(resolve(baseFolder, module));
    if (typeof perform === 'string') found('/module', perform);
    else if (input !== undefined)
      loaded.set(declaration.name, {
        tool: toolOf(declaration),
        input,
        ...(output === undefined ? {} : { output }),
        ...(perform === undefined ? {} : { perform }),
      });
  }
  if (problems.length > 0) throw invalidInput('the section tools', problems);
  return new LoadedTools(loaded, options);
}

function toolOf({ name, description, input, output, timeout, price, queue, activity }: ToolDeclaration): Tool {
  const facts = { name, description, input, timeoutMs: timeout, price, ...(output === undefined ? {} : { output }) };
  return queue === undefined || activity === undefined
    ? { ...facts, kind: 'module' }
    : { ...facts, kind: 'activity', queue, activity };
}

function compiled(schema: JsonObject, found: (path: string, message: string) => void): JsonValidator | undefined {
  try {
    return compileJsonSchema(schema);
  } catch (error) {
    if (!isChimeraError(error, 'CHIMERA_INVALID_INPUT')) throw error;
    for (const { path, message } of error.details.problems ?? []) found(path, message);
    return undefined;
  }
}

/** The default export of a module, or why there is none to call. */
async function imported(file: string): Promise<ToolFunction | string> {
  try {
    const { default: perform } = (await import(pathToFileURL(file).href)) as { default?: unknown };
    return typeof perform === 'function' ? (perform as ToolFunction) : 'has no function as its default export';
  } catch (error) {
    return `cannot be loaded: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`;
  }
}

const listed = (problems: readonly Problem[]): string =>
  problems
    .map(({ path, message }) => `${path || '/'}: ${message}`)
    .join('; ')
    .slice(0, MAX_MESSAGE);

class LoadedTools implements ToolRegistry {
  readonly #tools: ReadonlyMap<string, Loaded>;
  readonly #breakers: Breakers;
  readonly #report: (tool: string, error: unknown) => void;

  constructor(
    tools: ReadonlyMap<string, Loaded>,
    { breakers = new Breakers(), report = () => undefined }: ToolOptions,
  ) {
    this.#tools = tools;
    this.#breakers = breakers;
    this.#report = report;
  }

  get(name: string): Tool | undefined {
    return this.#tools.get(name)?.tool;
  }

  list(): readonly Tool[] {
    return [...this.#tools.values()].map(({ tool }) => tool);
  }

  check(name: string, input: JsonValue): Problem[] {
    const loaded = this.#tools.get(name);
    return loaded === undefined ? [{ path: '', message: `there is no tool named ${name}` }] : loaded.input(input);
  }

  async perform(name: string, input: JsonValue, call: ToolCall): Promise<EffectAnswer> {
    const { tool, perform } = this.#tools.get(name) ?? {};
    if (tool === undefined || perform === undefined) {
      return failure('CHIMERA_NOT_FOUND', `there is no tool named ${name} in this worker`);
    }
    const problems = this.check(name, input);
    if (problems.length > 0) {
      return failure('CHIMERA_INVALID_INPUT', `the input of tool ${name} is not valid: ${listed(problems)}`);
    }
    const cancelled = new ChimeraError('CHIMERA_CANCELLED', { what: `tool ${name}` });
    if (call.signal.aborted) throw cancelled;
    const answer = await this.#breakers.run(
      `tool ${call.project} ${name}`,
      () => this.#call(tool, perform, input, call),
      () => failure('CHIMERA_UNREACHABLE', `tool ${name} is not reachable: circuit open`),
    );
    if (call.signal.aborted) throw cancelled;
    return answer;
  }

  accept(name: string, output: unknown): EffectAnswer {
    const loaded = this.#tools.get(name);
    if (loaded === undefined) return failure('CHIMERA_NOT_FOUND', `there is no tool named ${name}`);
    const answer = readOutput(`tool ${name}`, output);
    if (!answer.ok) return answer;
    const problems = loaded.output?.(answer.body) ?? [];
    return problems.length === 0
      ? answer
      : failure('CHIMERA_INTERNAL', `tool ${name} answered what its schema does not allow: ${listed(problems)}`);
  }

  async #call(
    { name, timeoutMs }: Tool,
    perform: ToolFunction,
    input: JsonValue,
    { signal: cancelled, ...call }: ToolCall,
  ): Promise<Outcome<EffectAnswer>> {
    const signal = AbortSignal.any([cancelled, AbortSignal.timeout(timeoutMs)]);
    try {
      // A copy: the request is recorded as it was asked. Called in a promise: what is thrown at once is a rejection too.
      const work = Promise.resolve(structuredClone(input)).then((copy) => perform(copy, { ...call, signal }));
      const done = await unlessAborted(work, signal);
      if (done !== undefined) return { value: this.accept(name, done.value), health: 'well' };
    } catch (error) {
      if (error instanceof Error && error.name === 'ToolError') {
        const message = `tool ${name}: ${error.message.slice(0, MAX_MESSAGE)}`;
        return { value: failure('CHIMERA_INVALID_INPUT', message), health: 'well' };
      }
      if (!signal.aborted) {
        this.#report(name, error);
        return { value: failure('CHIMERA_INTERNAL', `tool ${name} failed`), health: 'ill' };
      }
    }
    const value = failure('CHIMERA_WALL_DEADLINE', `tool ${name} took longer than ${timeoutMs} ms`);
    return { value, health: cancelled.aborted ? 'unknown' : 'ill' };
  }
}
