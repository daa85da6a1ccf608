/** Signals, queries and updates: their names and their one argument. */
import type { ErrorCode, ErrorDetails } from './errors.ts';

export const SIGNALS = {
  /** To the lease broker. Argument: `LeaseRequest` of `core/resources/broker.ts`. */
  requestLease: 'requestLease',
  /** To the lease broker. Argument: {@link LeaseRelease}. */
  releaseLease: 'releaseLease',
  /** To the lease broker: new device counts. Argument: class → devices. */
  resizeDevices: 'resizeDevices',
  /** To a lease's holder. Argument: {@link LeaseNews}. */
  leaseNews: 'leaseNews',
} as const;

export const QUERIES = {
  /** Of the lease broker: its state in a table's terms. */
  leases: 'leases',
  /** Of a training run: loss by step and variant. */
  progress: 'progress',
} as const;

export interface LeaseRelease {
  leaseId: string;
}

export type LeaseNews =
  { leaseId: string; granted: true } | { leaseId: string; granted: false; code: ErrorCode; details: ErrorDetails };
