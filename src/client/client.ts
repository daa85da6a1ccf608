import type { AgentPublication } from '../contracts/agents.ts';
import type { DeadLetter, Deployment, FeedbackSubmission, JsonValue, TaskSubmission } from '../contracts/records.ts';
import { ApprovalsClient, ExecutionsClient } from './executions.ts';
import { delay, ndjson, Transport, type TransportOptions } from './transport.ts';
import type {
  AgentVersionView,
  AgentView,
  BatchAccepted,
  BatchView,
  CycleView,
  DeploymentView,
  FeedbackAccepted,
  PublishedView,
  RolloutStarted,
  RolloutView,
  TaskTypeView,
  TaskView,
} from './types.ts';

export type ClientOptions = TransportOptions;

/** One line of a batch. */
export interface BatchItem {
  /** Idempotency key; without one the server derives it from batch and place. */
  key?: string;
  payload: JsonValue;
}

export type Items<T> = Iterable<T> | AsyncIterable<T>;

export interface CallOptions {
  signal?: AbortSignal;
}

export interface WaitOptions<T> extends CallOptions {
  /** Time between two looks, in ms. */
  pollMs?: number;
  /** Called with each state that differs from the one before. */
  onProgress?: (state: T) => void;
}

export interface CycleRequest {
  taskType: string;
  seed?: string;
  /** Run even where nothing asks for it. */
  force?: boolean;
  [setting: string]: JsonValue | undefined;
}

export interface RolloutRequest {
  /** Agent version ID. */
  challenger: string;
  [setting: string]: JsonValue | undefined;
}

/** How long one HTTP call may wait for a result, in ms; longer waits ask again. */
const LONGEST_WAIT_MS = 30_000;

/**
 * Client of the Chimera API. Every method throws `ChimeraApiError`. What fails for a reason that may pass is sent again,
 * with backoff, whenever the server can tell that it is the same call: tasks and batches by their idempotency key
 * (made up here where the caller gives none), feedback by its content.
 */
export class ChimeraClient {
  /** Executions that go turn by turn. */
  readonly executions: ExecutionsClient;
  /** Questions of agents to people. */
  readonly approvals: ApprovalsClient;
  readonly #transport: Transport;

  constructor(options: ClientOptions) {
    this.#transport = new Transport(options);
    this.executions = new ExecutionsClient(this.#transport);
    this.approvals = new ApprovalsClient(this.#transport);
  }

  /** Accepts a task and returns at once. */
  submit(task: TaskSubmission, options: CallOptions = {}): Promise<TaskView> {
    return this.#submit(task, undefined, options);
  }

  /**
   * Accepts a task and waits until it is completed, failed or dead.
   * @param options.timeoutMs give up waiting then and return the task as it is; default: wait for as long as it takes
   */
  async submitAndWait(task: TaskSubmission, options: CallOptions & { timeoutMs?: number } = {}): Promise<TaskView> {
    const keyed = { ...task, key: task.key ?? crypto.randomUUID() };
    const deadline = performance.now() + (options.timeoutMs ?? Number.POSITIVE_INFINITY);
    for (;;) {
      // The same key is the same task, so asking again only waits again.
      const wait = Math.max(1, Math.min(LONGEST_WAIT_MS, Math.ceil(deadline - performance.now())));
      const view = await this.#submit(keyed, wait, options);
      if (isResolved(view) || performance.now() >= deadline) return view;
    }
  }

  #submit(task: TaskSubmission, wait: number | undefined, { signal }: CallOptions): Promise<TaskView> {
    return this.#transport.json<TaskView>({
      method: 'POST',
      path: '/v1/tasks',
      query: { wait },
      json: { ...task, key: task.key ?? crypto.randomUUID() },
      repeatable: true,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  getTask(taskId: string): Promise<TaskView> {
    return this.#get(`/v1/tasks/${encodeURIComponent(taskId)}`);
  }

  /**
   * Streams tasks as NDJSON, at the speed at which the server takes them. Nothing of a batch starts before all of it
   * was accepted.
   * @param items an iterable; a function that makes one (or an array) lets a broken transfer be sent again
   * @param options.key idempotency key of the batch
   */
  submitBatch(
    taskType: string,
    items: Items<BatchItem> | (() => Items<BatchItem>),
    options: CallOptions & { key?: string } = {},
  ): Promise<BatchAccepted> {
    const again = typeof items === 'function' || Array.isArray(items);
    const open = typeof items === 'function' ? items : (): Items<BatchItem> => items;
    return this.#transport.json<BatchAccepted>({
      method: 'POST',
      path: `/v1/task-types/${encodeURIComponent(taskType)}/batches`,
      query: { key: options.key ?? crypto.randomUUID() },
      stream: () => ndjson(open()),
      repeatable: again,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  }

  batch(batchId: string): Promise<BatchView> {
    return this.#get(`/v1/batches/${encodeURIComponent(batchId)}`);
  }

  /** Waits until every task of the batch is completed, failed or dead. */
  waitForBatch(batchId: string, options: WaitOptions<BatchView> = {}): Promise<BatchView> {
    return this.#poll(
      () => this.batch(batchId),
      (view) => view.done,
      options,
    );
  }

  feedback(feedback: FeedbackSubmission): Promise<FeedbackAccepted> {
    return this.#transport.json({ method: 'POST', path: '/v1/feedback', json: feedback, repeatable: true });
  }

  /** As {@link submitBatch}, for feedback. */
  feedbackMany(
    items: Items<FeedbackSubmission> | (() => Items<FeedbackSubmission>),
    options: CallOptions = {},
  ): Promise<FeedbackAccepted> {
    const again = typeof items === 'function' || Array.isArray(items);
    const open = typeof items === 'function' ? items : (): Items<FeedbackSubmission> => items;
    return this.#transport.json<FeedbackAccepted>({
      method: 'POST',
      path: '/v1/feedback',
      stream: () => ndjson(open()),
      repeatable: again,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  }

  registerTaskType(definition: TaskTypeView): Promise<TaskTypeView> {
    return this.#transport.json({ method: 'POST', path: '/v1/task-types', json: definition, repeatable: true });
  }

  async taskTypes(): Promise<TaskTypeView[]> {
    return (await this.#get<{ taskTypes: TaskTypeView[] }>('/v1/task-types')).taskTypes;
  }

  taskType(name: string): Promise<TaskTypeView> {
    return this.#get(`/v1/task-types/${encodeURIComponent(name)}`);
  }

  /** Makes an agent version the first champion of a task type; the same one again changes nothing. */
  deploy(taskType: string, champion: string): Promise<DeploymentView> {
    const path = `/v1/task-types/${encodeURIComponent(taskType)}/deployment`;
    return this.#transport.json({ method: 'POST', path, json: { champion }, repeatable: true });
  }

  /** Which versions serve a task type now, and which did before. */
  deployment(taskType: string): Promise<DeploymentView> {
    return this.#get(`/v1/task-types/${encodeURIComponent(taskType)}/deployment`);
  }

  /** The current deployment of each task type that has one. */
  async deployments(): Promise<Deployment[]> {
    return (await this.#get<{ deployments: Deployment[] }>('/v1/deployments')).deployments;
  }

  /**
   * Publishes an agent version: everything is checked, every problem is in the one error, and the same module with the same
   * manifest is the same version.
   */
  publishAgent(agent: string, publication: AgentPublication): Promise<PublishedView> {
    const path = `/v1/agents/${encodeURIComponent(agent)}/versions`;
    return this.#transport.json({ method: 'POST', path, json: publication, repeatable: true });
  }

  async agents(): Promise<AgentView[]> {
    return (await this.#get<{ agents: AgentView[] }>('/v1/agents')).agents;
  }

  /** The versions of an agent, oldest first. */
  async agentVersions(agent: string): Promise<AgentVersionView[]> {
    const path = `/v1/agents/${encodeURIComponent(agent)}/versions`;
    return (await this.#get<{ versions: AgentVersionView[] }>(path)).versions;
  }

  /** One version, by its ID or the beginning of that, or the latest of an agent by its name. */
  agentVersion(reference: string): Promise<AgentVersionView> {
    return this.#get(`/v1/agent-versions/${encodeURIComponent(reference)}`);
  }

  /** Begins to prove a challenger against the champion on live traffic; while it runs, the same call finds it. */
  startRollout(taskType: string, request: RolloutRequest): Promise<RolloutStarted> {
    const path = `/v1/task-types/${encodeURIComponent(taskType)}/rollouts`;
    return this.#transport.json({ method: 'POST', path, json: request, repeatable: true });
  }

  /** The rollouts of a task type, newest first. */
  async rollouts(taskType: string): Promise<RolloutView[]> {
    const path = `/v1/task-types/${encodeURIComponent(taskType)}/rollouts`;
    return (await this.#get<{ rollouts: RolloutView[] }>(path)).rollouts;
  }

  async deadLetters(options: { taskType?: string; limit?: number } = {}): Promise<DeadLetter[]> {
    return (await this.#get<{ deadLetters: DeadLetter[] }>('/v1/dead-letters', options)).deadLetters;
  }

  /** Runs dead tasks again, with their routing as admitted. Without ids: all of them. Returns those that were re-driven. */
  async redrive(taskIds?: readonly string[]): Promise<string[]> {
    const answer = await this.#transport.json<{ redriven: string[] }>({
      method: 'POST',
      path: '/v1/dead-letters/redrive',
      json: taskIds === undefined ? {} : { taskIds },
      repeatable: true,
    });
    return answer.redriven;
  }

  /** Starts an evolution cycle; while one runs for the task type, that one is returned. */
  startCycle(request: CycleRequest): Promise<CycleView> {
    return this.#transport.json({ method: 'POST', path: '/v1/cycles', json: request, repeatable: true });
  }

  cycle(id: string): Promise<CycleView> {
    return this.#get(`/v1/cycles/${encodeURIComponent(id)}`);
  }

  async cycles(options: { taskType?: string; limit?: number } = {}): Promise<CycleView[]> {
    return (await this.#get<{ cycles: CycleView[] }>('/v1/cycles', options)).cycles;
  }

  /** Waits until the cycle is closed, however it ended: look at `state`. */
  waitForCycle(id: string, options: WaitOptions<CycleView> = {}): Promise<CycleView> {
    return this.#poll(
      () => this.cycle(id),
      (view) => view.state !== 'running',
      options,
    );
  }

  /** The HTML report of a cycle. */
  report(id: string): Promise<string> {
    return this.#transport.text({
      method: 'GET',
      path: `/v1/reports/${encodeURIComponent(id)}`,
      headers: { accept: 'text/html' },
      repeatable: true,
    });
  }

  #get<T>(path: string, query: Record<string, string | number | undefined> = {}): Promise<T> {
    return this.#transport.json<T>({ method: 'GET', path, query, repeatable: true });
  }

  async #poll<T>(look: () => Promise<T>, done: (state: T) => boolean, options: WaitOptions<T>): Promise<T> {
    let before: string | undefined;
    for (;;) {
      const state = await look();
      const text = JSON.stringify(state);
      if (text !== before) options.onProgress?.(state);
      before = text;
      if (done(state)) return state;
      await delay(options.pollMs ?? 1_000, options.signal);
    }
  }
}

function isResolved({ state }: TaskView): boolean {
  return state === 'completed' || state === 'failed' || state === 'dead';
}
