import { ChimeraError } from '../contracts/errors.ts';
import type { TaskSubmission } from '../contracts/records.ts';
import { routingOf } from '../core/rollout/routing.ts';
import { admit } from '../core/validation/admission.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import type { Acceptance, Stores } from '../stores/index.ts';

/** Accepts a task that a workflow brings. The same key again is the same task. `CHIMERA_INVALID_INPUT` names every problem. */
export async function acceptOne(stores: Stores, project: string, submission: TaskSubmission): Promise<Acceptance> {
  const { taskType, ...rest } = submission;
  const type = await stores.taskTypes.require<TaskType>(project, taskType);
  const problems = admit(type, rest.payload);
  if (problems.length > 0) throw new ChimeraError('CHIMERA_INVALID_INPUT', { what: 'the payload', problems });
  const [accepted] = await stores.tasks.acceptMany(project, taskType, [rest], { route: routingOf });
  return accepted!;
}
