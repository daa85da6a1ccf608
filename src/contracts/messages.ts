/** Signals, queries and updates: their names and their one argument. */
import type { ErrorCode, ErrorDetails } from './errors.ts';
import type { JsonValue } from './records.ts';

export const SIGNALS = {
  /** To the lease broker. Argument: `LeaseRequest` of `core/resources/broker.ts`. */
  requestLease: 'requestLease',
  /** To the lease broker. Argument: {@link LeaseRelease}. */
  releaseLease: 'releaseLease',
  /** To the lease broker: new device counts. Argument: class → devices. */
  resizeDevices: 'resizeDevices',
  /** To a lease's holder. Argument: {@link LeaseNews}. */
  leaseNews: 'leaseNews',
  /** To an execution: look again, somebody has answered a question. No argument. */
  answered: 'answered',
  /** To a training run. Argument: {@link TrainingPoint}. */
  trainingPoint: 'trainingPoint',
} as const;

export const UPDATES = {
  /** Of an execution or a training. Argument: {@link By}. The answer comes when no step is under way any more. */
  pause: 'pause',
  /** Of an execution or a training. Argument: {@link By}. */
  resume: 'resume',
  /** Of an execution: it ends as failed with what it has. Argument: {@link By}. */
  cancel: 'cancel',
  /** Of an execution that asks people. Argument: {@link AnswerToQuestion}. */
  answer: 'answer',
} as const;

/** Who does it: for the audit log. */
export interface By {
  by?: string;
}

export interface AnswerToQuestion extends By {
  /** May be left out where only one question is open. */
  approvalId?: string;
  answer: JsonValue;
}

export const QUERIES = {
  /** Of the lease broker: its state in a table's terms. */
  leases: 'leases',
  /** Of a training run: models, and loss by step and variant. */
  progress: 'progress',
  /** Of an execution: where it stands and what it waits for. */
  inspect: 'inspect',
} as const;

/** How far a training is, and how well it goes. */
export interface TrainingPoint {
  variant: string;
  step: number;
  of: number;
  /** Of the step's examples, in nats. */
  loss: number;
  /** On the validation examples, where it was time to look. */
  look?: { step: number; loss: number; accuracy?: number };
}

export interface LeaseRelease {
  leaseId: string;
}

export type LeaseNews =
  { leaseId: string; granted: true } | { leaseId: string; granted: false; code: ErrorCode; details: ErrorDetails };
