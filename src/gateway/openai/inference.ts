import { randomUUID } from 'node:crypto';
import { ChimeraError, invalidInput } from '../../contracts/errors.ts';
import { routeInference } from '../../learning/inference/router.ts';
import type { InferenceService, ServedModel } from '../../learning/inference/types.ts';
import type { RemoteCost, RemoteProvider } from '../../learning/remote/types.ts';
import type { Principal } from '../route.ts';

/** What the endpoints in OpenAI's protocol work with. The service and the providers stay the caller's. */
export interface Inference {
  readonly service: InferenceService;
  /** Of the service: what a project may name. */
  models(project: string): Promise<readonly ServedModel[]>;
  /** Providers elsewhere, for every project. A name that one of their models has hides a local model of that name. */
  readonly providers?: readonly RemoteProvider[];
  /** Hears what a call of a provider cost, for whom it was, and a name that no other call has. Must not throw. */
  readonly onCost?: (caller: Principal, cost: RemoteCost, usageId: string) => void;
  /** How many answers are worked on at once; default {@link INFERENCE_LIMITS}. */
  readonly limits?: InferenceLimits;
}

export interface InferenceLimits {
  readonly atOnce: number;
  /** Less than all, so that no project shuts out the others. */
  readonly perProject: number;
}

export const INFERENCE_LIMITS: InferenceLimits = { atOnce: 64, perProject: 32 };

/** Where models are asked, by what they are for. */
const ENDPOINTS: Readonly<Record<ServedModel['tasks'][number], string>> = {
  embedding: '/v1/embeddings',
  classification: '/v1/classify',
  generation: '/v1/chat/completions',
};

/** All models that a project may name. */
export async function modelsOf({ models, providers = [] }: Inference, project: string): Promise<ServedModel[]> {
  const remote = providers.flatMap((provider) => provider.models);
  const hidden = new Set(remote.map(({ name }) => name));
  return [...(await models(project)).filter(({ name }) => !hidden.has(name)), ...remote];
}

/** The model of this name. @throws {ChimeraError} CHIMERA_NOT_FOUND that lists the known ones, CHIMERA_INVALID_INPUT for another task */
export async function requireModel(
  inference: Inference,
  project: string,
  name: string,
  task?: ServedModel['tasks'][number],
): Promise<ServedModel> {
  const all = await modelsOf(inference, project);
  const model = all.find((one) => one.name === name);
  if (model === undefined) {
    const known = all.map((one) => one.name).join(', ') || 'none yet';
    const problems = [{ path: '/model', message: `known models: ${known}` }];
    throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'model', name, problems });
  }
  if (task === undefined || model.tasks.includes(task)) return model;
  const endpoints = model.tasks.map((own) => ENDPOINTS[own]).join(' or ');
  const message = `${name} is for ${model.tasks.join(', ')}, not ${task}: ask it at ${endpoints}`;
  throw invalidInput('the body', [{ path: '/model', message }]);
}

/** The service, on the account of one caller. */
export function serviceFor(
  { service, providers = [], onCost }: Inference,
  caller: Principal,
  requestId: string,
): InferenceService {
  // Callers may name their requests, and two alike.
  return routeInference(service, providers, (cost) => onCost?.(caller, cost, `${requestId}/${randomUUID()}`));
}

/** Counts the answers that are worked on. Who comes when there are too many is turned away: the peer waits better than we do. */
export class InferenceSlots {
  readonly #limits: InferenceLimits;
  readonly #byProject = new Map<string, number>();
  #taken = 0;

  constructor(limits: InferenceLimits = INFERENCE_LIMITS) {
    this.#limits = limits;
  }

  /** Does `work` in a slot of its own. @throws {ChimeraError} CHIMERA_RATE_LIMITED */
  async run<T>(project: string, work: () => Promise<T>): Promise<T> {
    const own = this.#byProject.get(project) ?? 0;
    if (this.#taken >= this.#limits.atOnce || own >= this.#limits.perProject)
      throw new ChimeraError('CHIMERA_RATE_LIMITED');
    this.#taken++;
    this.#byProject.set(project, own + 1);
    try {
      return await work();
    } finally {
      this.#taken--;
      const left = this.#byProject.get(project)! - 1;
      if (left === 0) this.#byProject.delete(project);
      else this.#byProject.set(project, left);
    }
  }
}
