import { invalidInput, type Problem } from '../contracts/errors.ts';
import type { JsonObject, JsonValue } from '../contracts/records.ts';
import { compileJsonSchema, type JsonValidator } from '../core/validation/schema.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import type { Stores } from '../stores/index.ts';
import { tooLarge } from './body.ts';

/** Longest body of a task where its type says nothing else. */
export const DEFAULT_BODY_BYTES = 1 << 20;
/** The envelope around a payload: task type, key, priority. */
export const ENVELOPE_BYTES = 4096;
/** Deepest nesting of a request body. */
export const MAX_DEPTH = 20;

const CACHE_MS = 2_000;

/** A task type with its input schema compiled. */
export interface AdmittingType {
  readonly type: TaskType;
  /** Everything that is wrong with a payload. */
  readonly validate: JsonValidator;
}

/**
 * Task types as the gateway reads them for each request: those of a project are read once every {@link CACHE_MS}, since
 * a (name, version) never changes and only the latest version can.
 */
export class TaskTypeCache {
  readonly #stores: Pick<Stores, 'taskTypes'>;
  readonly #now: () => number;
  readonly #entries = new Map<string, { readonly at: number; readonly found: Promise<AdmittingType> }>();
  /** By project, name and version, which never change their content. */
  readonly #validators = new Map<string, JsonValidator>();
  readonly #longest = new Map<string, { readonly at: number; readonly bytes: Promise<number> }>();

  constructor(stores: Pick<Stores, 'taskTypes'>, now: () => number = () => performance.now()) {
    this.#stores = stores;
    this.#now = now;
  }

  /** @throws {ChimeraError} CHIMERA_UNKNOWN_TASK_TYPE that names the known ones */
  async require(project: string, name: string): Promise<AdmittingType> {
    const id = `${project}/${name}`;
    const cached = this.#entries.get(id);
    if (cached !== undefined && this.#now() - cached.at < CACHE_MS) return cached.found;
    const found = this.#load(project, name);
    this.#entries.set(id, { at: this.#now(), found });
    // A failure is not remembered: the type may be registered the next moment.
    found.catch(() => this.#entries.delete(id));
    return found;
  }

  async #load(project: string, name: string): Promise<AdmittingType> {
    const type = await this.#stores.taskTypes.require<TaskType>(project, name);
    const id = `${project}/${name}@${type.version}`;
    const validate = this.#validators.get(id) ?? compileJsonSchema(type.input as JsonObject, `the schema of ${name}`);
    this.#validators.set(id, validate);
    return { type, validate };
  }

  /** Longest request body that any task type of the project allows. */
  longestBody(project: string): Promise<number> {
    const cached = this.#longest.get(project);
    if (cached !== undefined && this.#now() - cached.at < CACHE_MS) return cached.bytes;
    const bytes = this.#stores.taskTypes
      .list<TaskType>(project)
      .then((types) => Math.max(DEFAULT_BODY_BYTES, ...types.map((type) => type.limits.payloadBytes + ENVELOPE_BYTES)));
    this.#longest.set(project, { at: this.#now(), bytes });
    bytes.catch(() => this.#longest.delete(project));
    return bytes;
  }

  /** After a registration through this gateway. */
  forget(project: string): void {
    for (const id of this.#entries.keys()) if (id.startsWith(`${project}/`)) this.#entries.delete(id);
    this.#longest.delete(project);
  }
}

/** Everything that is wrong with a payload; paths begin with `/payload`. */
export function payloadProblems({ validate }: AdmittingType, payload: JsonValue): Problem[] {
  return validate(payload).map(({ path, message }) => ({ path: `/payload${path}`, message }));
}

/** @throws {ChimeraError} CHIMERA_TOO_LARGE, or CHIMERA_INVALID_INPUT that names every problem */
export function checkPayload(admitting: AdmittingType, payload: JsonValue): void {
  const { name, limits } = admitting.type;
  const text = JSON.stringify(payload);
  // A UTF-16 unit is three bytes at most: few payloads need to be counted.
  const bytes = text.length * 3 <= limits.payloadBytes ? text.length : Buffer.byteLength(text);
  if (bytes > limits.payloadBytes) throw tooLarge('the payload', bytes, limits.payloadBytes);
  const problems = payloadProblems(admitting, payload);
  if (problems.length > 0) throw invalidInput(`the payload for task type ${name}`, problems);
}
