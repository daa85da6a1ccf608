import { parseTaskType, type TaskType } from '../../src/core/validation/task-type.ts';
import document from './task-type.json' with { type: 'json' };

/** The task type of the mail example. Everything about mail is in this folder; the platform knows none of it. */
export const mailTriage: TaskType = parseTaskType(document);
