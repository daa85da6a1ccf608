import { ApplicationFailure, setWorkflowOptions, workflowInfo } from '@temporalio/workflow';
import { z } from 'zod';
import { ERRORS, isChimeraError } from '../../contracts/errors.ts';
import { parseInput } from '../../contracts/inputs.ts';

// Compiled parsers need `new Function`, which has no place in a sandbox that must replay.
z.config({ jitless: true });

/** A run stays on the build it began with; an entity that lives for months moves to the newest. */
export type WorkflowLife = 'run' | 'entity';

/**
 * A workflow: one JSON object in, checked against `schema` before anything happens. A bad one fails the workflow at
 * once, not retried, naming every problem. A plain `Error` would make Temporal retry the workflow task for ever, so
 * whatever the body throws of ours leaves as an `ApplicationFailure` of the same code.
 */
export function defineWorkflow<S extends z.ZodType, R>(
  name: string,
  life: WorkflowLife,
  schema: S,
  body: (input: z.output<S>) => Promise<R>,
): (input: z.input<S>) => Promise<R> {
  const workflow = async (raw: z.input<S> | undefined): Promise<R> => {
    try {
      return await body(parseInput(schema, raw ?? {}, `the input of ${name}`));
    } catch (error) {
      throw asFailure(error);
    }
  };
  // A child is started by its function's name.
  Object.defineProperty(workflow, 'name', { value: name });
  // A server refuses a behaviour from a worker that has no deployment version, as on one machine.
  setWorkflowOptions(() => {
    if (!workflowInfo().currentDeploymentVersion?.deploymentName) return {};
    return { versioningBehavior: life === 'run' ? 'PINNED' : 'AUTO_UPGRADE' };
  }, workflow);
  return workflow;
}

/** Any error as what may leave a workflow. */
export function asFailure(error: unknown): unknown {
  if (!isChimeraError(error)) return error;
  return ApplicationFailure.create({
    type: error.code,
    message: error.message,
    nonRetryable: !ERRORS[error.code].retryable,
    details: [{ ...error.details, action: ERRORS[error.code].action }],
  });
}
