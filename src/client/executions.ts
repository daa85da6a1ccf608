import type { LongExecutionState } from '../contracts/executions.ts';
import type { JsonValue } from '../contracts/records.ts';
import type { Transport } from './transport.ts';
import type { ApprovalView, EffectsPage, EffectView, ExecutionDetails, ExecutionView, ForkRequest } from './types.ts';

type Query = Record<string, string | number | boolean | undefined>;

const pathOf = (executionId: string): string => `/v1/executions/${encodeURIComponent(executionId)}`;

/** Executions that go turn by turn, as `client.executions`. */
export class ExecutionsClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Newest first. @param options.task those of one task: its own, and forks of it */
  async list(
    options: { taskType?: string; task?: string; state?: LongExecutionState; limit?: number } = {},
  ): Promise<ExecutionView[]> {
    return (await this.#get<{ executions: ExecutionView[] }>('/v1/executions', options)).executions;
  }

  /** Where it stands, the questions that it waits for, and what came out. */
  get(executionId: string): Promise<ExecutionDetails> {
    return this.#get(pathOf(executionId));
  }

  /**
   * A page of the transcript: whole turns from `from` on, about `limit` effects. `next` is the turn to go on from.
   * @param options.full fetch bodies over 64 KB, too; without it they are named with their size
   */
  effects(executionId: string, options: { from?: number; limit?: number; full?: boolean } = {}): Promise<EffectsPage> {
    return this.#get(`${pathOf(executionId)}/effects`, options);
  }

  /** The effects from a turn on, page after page as they are taken. */
  async *transcript(
    executionId: string,
    options: { from?: number; limit?: number; full?: boolean } = {},
  ): AsyncGenerator<EffectView> {
    let from: number | undefined = options.from ?? 0;
    while (from !== undefined) {
      const page: EffectsPage = await this.effects(executionId, { ...options, from });
      yield* page.effects;
      from = page.next;
    }
  }

  /** Returns when no step is under way any more. What is done is `CHIMERA_CONFLICT`. */
  pause(executionId: string): Promise<ExecutionDetails> {
    return this.#post(`${pathOf(executionId)}/pause`);
  }

  /** Lets a paused execution go on where it was. What is done is `CHIMERA_CONFLICT`. */
  resume(executionId: string): Promise<ExecutionDetails> {
    return this.#post(`${pathOf(executionId)}/resume`);
  }

  /** It ends as failed with what its agent has. What ended otherwise is `CHIMERA_CONFLICT`. */
  cancel(executionId: string): Promise<ExecutionDetails> {
    return this.#post(`${pathOf(executionId)}/cancel`);
  }

  /**
   * Runs the same task again from a turn on, with another version, seed, limits or budget; what came before is taken over. The
   * same fork again is the same execution.
   */
  fork(executionId: string, request: ForkRequest): Promise<ExecutionView> {
    return this.#post(`${pathOf(executionId)}/fork`, request);
  }

  #get<T>(path: string, query: Query = {}): Promise<T> {
    return this.#transport.json<T>({ method: 'GET', path, query, repeatable: true });
  }

  #post<T>(path: string, json: unknown = {}): Promise<T> {
    return this.#transport.json<T>({ method: 'POST', path, json, repeatable: true });
  }
}

/** Questions of agents to people, as `client.approvals`. The questions are an agent's words: show them as text. */
export class ApprovalsClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Those that an answer still helps, oldest first; with `all` every question there was. */
  async list(options: { all?: boolean; execution?: string; limit?: number } = {}): Promise<ApprovalView[]> {
    const call = { method: 'GET', path: '/v1/approvals', query: options, repeatable: true } as const;
    return (await this.#transport.json<{ approvals: ApprovalView[] }>(call)).approvals;
  }

  get(approvalId: string): Promise<ApprovalView> {
    const path = `/v1/approvals/${encodeURIComponent(approvalId)}`;
    return this.#transport.json({ method: 'GET', path, repeatable: true });
  }

  /** The first answer holds: the same one again is fine, another one is `CHIMERA_CONFLICT`. */
  answer(approvalId: string, answer: JsonValue): Promise<ApprovalView> {
    const path = `/v1/approvals/${encodeURIComponent(approvalId)}`;
    return this.#transport.json({ method: 'POST', path, json: { answer }, repeatable: true });
  }
}
