import {
  WorkflowNotFoundError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type Client,
  type WorkflowHandle,
} from '@temporalio/client';
import { ChimeraError } from '../contracts/errors.ts';
import { QUERIES, SIGNALS, UPDATES, type By } from '../contracts/messages.ts';
import { workflowId } from '../contracts/names.ts';
import type { ExecutionNow } from '../client/types.ts';
import { temporalError } from './starter.ts';

export type Control = 'pause' | 'resume' | 'cancel';

/** What a running execution says of itself, or why nobody says anything. */
export type Inspected = { readonly now: ExecutionNow } | { readonly noAnswer: string };

export interface RunningExecutionsOptions {
  readonly temporal: Client;
  /** A worker must answer a query; without one the view goes without it. In ms. */
  readonly queryMs?: number;
  /** An update is answered when no step is under way any more. In ms. */
  readonly updateMs?: number;
}

const NOBODY = 'no workflow runs it';

/** The workflows of executions: asked, told, and given news. The store stays the truth. */
export class RunningExecutions {
  readonly #temporal: Client;
  readonly #queryMs: number;
  readonly #updateMs: number;

  constructor({ temporal, queryMs = 1_500, updateMs = 20_000 }: RunningExecutionsOptions) {
    this.#temporal = temporal;
    this.#queryMs = queryMs;
    this.#updateMs = updateMs;
  }

  async inspect(project: string, executionId: string): Promise<Inspected> {
    try {
      return await this.#call(project, executionId, this.#queryMs, async (run): Promise<Inspected> => {
        // One that was terminated could still be asked, and would say that it waits.
        const { status } = await run.describe();
        if (status.name !== 'RUNNING') return { noAnswer: NOBODY };
        return { now: nowOf(await run.query<ExecutionNow>(QUERIES.inspect)) };
      });
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return { noAnswer: NOBODY };
      return { noAnswer: `no worker has answered in ${this.#queryMs} ms` };
    }
  }

  /**
   * Pauses, resumes or cancels.
   * @throws {ChimeraError} CHIMERA_NOT_FOUND where no workflow runs it (any more), CHIMERA_TEMPORAL_UNAVAILABLE
   */
  async tell(project: string, executionId: string, control: Control, by: string): Promise<ExecutionNow> {
    try {
      const view = await this.#call(project, executionId, this.#updateMs, (run) =>
        run.executeUpdate<ExecutionNow, [By]>(UPDATES[control], { args: [{ by }] }),
      );
      return nowOf(view);
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) {
        throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'running execution', name: executionId }, { cause: error });
      }
      if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) {
        const why = `no worker has answered in ${this.#updateMs} ms`;
        throw new ChimeraError('CHIMERA_TEMPORAL_UNAVAILABLE', { why }, { cause: error });
      }
      throw temporalError(error);
    }
  }

  /** Somebody has answered a question. Without this news it finds the answer later, so that what fails here is no error. */
  async news(project: string, executionId: string, failed: (error: unknown) => void): Promise<void> {
    try {
      await this.#call(project, executionId, this.#updateMs, (run) => run.signal(SIGNALS.answered));
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) failed(error);
    }
  }

  async #call<T>(
    project: string,
    executionId: string,
    deadlineMs: number,
    call: (run: WorkflowHandle) => Promise<T>,
  ): Promise<T> {
    const run = this.#temporal.workflow.getHandle(workflowId.execution(project, executionId));
    return this.#temporal.withDeadline(Date.now() + deadlineMs, () => call(run));
  }
}

const nowOf = ({ state, turn, fuel, waitsFor }: ExecutionNow): ExecutionNow => ({ state, turn, fuel, waitsFor });
