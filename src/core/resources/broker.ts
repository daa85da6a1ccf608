import type { ErrorCode, ErrorDetails, Problem } from '../../contracts/errors.ts';
import { ChimeraError } from '../../contracts/errors.ts';

/**
 * The lease broker as a state machine: device classes, a queue by priority and arrival, grants for a maximum time.
 * It owns no clock and no I/O: the caller passes the time, looks whether a holder is alive, and tells holders what
 * happened. The state is plain JSON, so that a workflow can carry it across continue-as-new.
 *
 * Invariants (property-tested): never more leases held than devices; within a class a request is granted before every
 * other of lower or equal priority that came later; every granted lease ends and leaves exactly one ledger line.
 */

export interface Holder {
  workflowId: string;
  runId: string;
}

export interface LeaseRequest {
  /** Chosen by the requester: the same ID twice is one lease. */
  leaseId: string;
  holder: Holder;
  /** Whose costs it is; absent: the default project's. */
  project?: string;
  /** Device class, as declared in temporal.yaml. */
  class: string;
  /** 1 (first) to 5. */
  priority: number;
  /** The lease ends after so many milliseconds unless its holder is found alive. */
  maxMs: number;
  /** For people and the ledger: "train 6 variants of mail-triage". */
  purpose: string;
}

export interface QueuedRequest extends LeaseRequest {
  /** Place in the order of arrival. */
  arrival: number;
  requestedAt: number;
}

export interface Lease extends QueuedRequest {
  grantedAt: number;
  /** When the caller must look whether the holder is alive. */
  deadline: number;
  extensions: number;
}

/**
 * How a granted lease ended: given back by its holder, its holder was found gone, or its holder was alive but had no
 * extension left.
 */
export type LeaseEnd = 'released' | 'lost' | 'expired';

/** One line of the cost ledger: what a lease was and how long it was held. */
export interface LedgerLine {
  leaseId: string;
  class: string;
  holder: Holder;
  project?: string;
  purpose: string;
  /** Milliseconds held. */
  ms: number;
  /** Milliseconds waited before the grant. */
  waitedMs: number;
  end: LeaseEnd;
}

export interface BrokerPolicy {
  /** How often a lease whose holder is alive at the deadline is extended. */
  maxExtensions: number;
  /** Length of one extension, as a multiple of the lease's own `maxMs`. */
  extensionShare: number;
  /** Ended lease IDs that are remembered, so that a late copy of their request is not granted again. */
  rememberEnded: number;
}

export const DEFAULT_POLICY: BrokerPolicy = { maxExtensions: 3, extensionShare: 1, rememberEnded: 500 };

interface ClassUsage {
  devices: number;
  /** Device-milliseconds held, and there to be held, since the broker began. */
  busyMs: number;
  capacityMs: number;
}

export interface BrokerState {
  policy: BrokerPolicy;
  classes: Record<string, ClassUsage>;
  /** In the order of grant per class: priority, then arrival. */
  queued: QueuedRequest[];
  held: Lease[];
  /** IDs of the latest ended leases, oldest first. */
  ended: string[];
  nextArrival: number;
  /** Time of the last event; null before the first. */
  clock: number | null;
}

export type BrokerEvent =
  | { type: 'request'; request: LeaseRequest }
  /** Ends a held lease, or takes a waiting request out of the queue. An unknown ID changes nothing. */
  | { type: 'release'; leaseId: string }
  /** The answer of a look at the holder. Gone: the lease or request ends at once. Alive and due: extended, or ended. */
  | { type: 'expire'; leaseId: string; holderAlive: boolean }
  /** New device counts. Held leases stay; waiting requests of a class that is gone are rejected. */
  | { type: 'resize'; classes: Record<string, number> }
  /** Lets time pass, so that utilisation is of now. */
  | { type: 'tick' };

export interface Rejection {
  leaseId: string;
  holder: Holder;
  code: ErrorCode;
  details: ErrorDetails;
}

export interface BrokerStep {
  state: BrokerState;
  /** Leases granted by this event, in order of grant. */
  granted: Lease[];
  /** Leases whose deadline moved. */
  extended: Lease[];
  /** Leases that ended. `expired` and `lost` ones should be told to their holders as `CHIMERA_LEASE_LOST`. */
  finished: LedgerLine[];
  /** Requests that were taken out of the queue before a grant. */
  cancelled: QueuedRequest[];
  rejected: Rejection[];
}

/** A broker with `classes` (name → number of devices) and nothing held. */
export function createBroker(classes: Record<string, number>, policy: Partial<BrokerPolicy> = {}): BrokerState {
  return {
    policy: { ...DEFAULT_POLICY, ...policy },
    classes: Object.fromEntries(
      Object.entries(classes).map(([name, devices]) => [name, { devices, busyMs: 0, capacityMs: 0 }]),
    ),
    queued: [],
    held: [],
    ended: [],
    nextArrival: 0,
    clock: null,
  };
}

/**
 * What is wrong with `request`, as an error that lists every problem, or undefined.
 * Codes: `CHIMERA_INVALID_INPUT`, `CHIMERA_NO_DEVICE`, `CHIMERA_CONFLICT` (same ID, another content),
 * `CHIMERA_LEASE_LOST` (that lease has ended already).
 */
export function requestError(state: BrokerState, request: LeaseRequest): ChimeraError | undefined {
  const problems: Problem[] = [];
  if (request.leaseId === '') problems.push({ path: '/leaseId', message: 'must not be empty' });
  if (!Number.isInteger(request.priority) || request.priority < 1 || request.priority > 5)
    problems.push({ path: '/priority', message: 'must be a whole number from 1 to 5' });
  if (!Number.isInteger(request.maxMs) || request.maxMs < 1)
    problems.push({ path: '/maxMs', message: 'must be a whole number of milliseconds, at least 1' });
  if (problems.length > 0) return new ChimeraError('CHIMERA_INVALID_INPUT', { what: 'the lease request', problems });
  if (!Object.hasOwn(state.classes, request.class))
    return new ChimeraError('CHIMERA_NO_DEVICE', { name: request.class, known: Object.keys(state.classes).sort() });
  const known = findLease(state, request.leaseId);
  if (known && !sameRequest(known, request))
    return new ChimeraError('CHIMERA_CONFLICT', { what: `lease ${request.leaseId}` });
  if (state.ended.includes(request.leaseId)) return new ChimeraError('CHIMERA_LEASE_LOST', { lease: request.leaseId });
  return undefined;
}

/** The state after `event` at `now` (ms), and what came of it. Never changes `state`; a clock that steps back stands still. */
export function apply(state: BrokerState, event: BrokerEvent, now: number): BrokerStep {
  const step: BrokerStep = {
    state: passTime(state, now),
    granted: [],
    extended: [],
    finished: [],
    cancelled: [],
    rejected: [],
  };
  switch (event.type) {
    case 'request':
      enqueue(step, event.request);
      break;
    case 'release':
      end(step, event.leaseId, 'released');
      break;
    case 'expire':
      expire(step, event.leaseId, event.holderAlive);
      break;
    case 'resize':
      resize(step, event.classes);
      break;
    case 'tick':
      break;
  }
  grant(step);
  return step;
}

/** The earliest time at which a holder must be looked at, or undefined when nothing is held. */
export function nextDeadline(state: BrokerState): number | undefined {
  return state.held.length === 0 ? undefined : Math.min(...state.held.map((lease) => lease.deadline));
}

/** Held leases that are due for a look at their holder at `now`, earliest deadline first. */
export function dueLeases(state: BrokerState, now: number): Lease[] {
  return state.held.filter((lease) => lease.deadline <= now).sort((a, b) => a.deadline - b.deadline);
}

/** The held lease or waiting request `leaseId`. */
export function findLease(state: BrokerState, leaseId: string): Lease | QueuedRequest | undefined {
  const is = (lease: LeaseRequest): boolean => lease.leaseId === leaseId;
  return state.held.find(is) ?? state.queued.find(is);
}

const clockOf = (state: BrokerState): number => state.clock ?? 0;
const heldOf = (state: BrokerState, name: string): number => state.held.filter((lease) => lease.class === name).length;

function sameRequest(a: LeaseRequest, b: LeaseRequest): boolean {
  return (
    a.class === b.class &&
    a.priority === b.priority &&
    a.maxMs === b.maxMs &&
    a.purpose === b.purpose &&
    a.project === b.project &&
    a.holder.workflowId === b.holder.workflowId &&
    a.holder.runId === b.holder.runId
  );
}

function passTime(state: BrokerState, now: number): BrokerState {
  const before = state.clock ?? now;
  const clock = Math.max(before, now);
  const classes = Object.fromEntries(
    Object.entries(state.classes).map(([name, usage]) => [
      name,
      {
        devices: usage.devices,
        busyMs: usage.busyMs + heldOf(state, name) * (clock - before),
        capacityMs: usage.capacityMs + usage.devices * (clock - before),
      },
    ]),
  );
  return { ...state, classes, clock };
}

function enqueue(step: BrokerStep, request: LeaseRequest): void {
  const { state } = step;
  const error = requestError(state, request);
  if (error) {
    step.rejected.push({ ...pick(request), code: error.code, details: error.details });
    return;
  }
  if (findLease(state, request.leaseId)) return;
  const { leaseId, holder, class: name, priority, maxMs, purpose, project } = request;
  const entry: QueuedRequest = {
    leaseId,
    holder: { workflowId: holder.workflowId, runId: holder.runId },
    ...(project === undefined ? {} : { project }),
    class: name,
    priority,
    maxMs,
    purpose,
    arrival: state.nextArrival,
    requestedAt: clockOf(state),
  };
  const after = state.queued.findIndex((other) => other.priority > priority);
  const at = after === -1 ? state.queued.length : after;
  state.queued = state.queued.toSpliced(at, 0, entry);
  state.nextArrival += 1;
}

function pick({ leaseId, holder }: LeaseRequest): { leaseId: string; holder: Holder } {
  return { leaseId, holder };
}

function end(step: BrokerStep, leaseId: string, how: LeaseEnd): void {
  const { state } = step;
  const waiting = state.queued.find((request) => request.leaseId === leaseId);
  const lease = state.held.find((held) => held.leaseId === leaseId);
  if (waiting) {
    state.queued = state.queued.filter((request) => request !== waiting);
    step.cancelled.push(waiting);
  } else if (lease) {
    state.held = state.held.filter((held) => held !== lease);
    step.finished.push({
      leaseId,
      class: lease.class,
      holder: lease.holder,
      ...(lease.project === undefined ? {} : { project: lease.project }),
      purpose: lease.purpose,
      ms: clockOf(state) - lease.grantedAt,
      waitedMs: lease.grantedAt - lease.requestedAt,
      end: how,
    });
  } else return;
  const ended = [...state.ended, leaseId];
  state.ended = ended.slice(Math.max(0, ended.length - state.policy.rememberEnded));
}

function expire(step: BrokerStep, leaseId: string, holderAlive: boolean): void {
  const { state } = step;
  if (!holderAlive) {
    end(step, leaseId, 'lost');
    return;
  }
  const now = clockOf(state);
  const lease = state.held.find((held) => held.leaseId === leaseId);
  if (!lease || lease.deadline > now) return;
  if (lease.extensions >= state.policy.maxExtensions) {
    end(step, leaseId, 'expired');
    return;
  }
  const length = Math.max(1, Math.ceil(lease.maxMs * state.policy.extensionShare));
  const longer: Lease = { ...lease, deadline: now + length, extensions: lease.extensions + 1 };
  state.held = state.held.map((held) => (held === lease ? longer : held));
  step.extended.push(longer);
}

function resize(step: BrokerStep, classes: Record<string, number>): void {
  const { state } = step;
  const usage = Object.entries(classes).map(([name, devices]): [string, ClassUsage] => {
    const known = Object.hasOwn(state.classes, name) ? state.classes[name] : undefined;
    return [name, { devices, busyMs: known?.busyMs ?? 0, capacityMs: known?.capacityMs ?? 0 }];
  });
  state.classes = Object.fromEntries(usage);
  const gone = state.queued.filter((request) => !Object.hasOwn(classes, request.class));
  state.queued = state.queued.filter((request) => Object.hasOwn(classes, request.class));
  for (const request of gone) {
    const known = Object.keys(classes).sort();
    step.rejected.push({ ...pick(request), code: 'CHIMERA_NO_DEVICE', details: { name: request.class, known } });
  }
}

function grant(step: BrokerStep): void {
  const { state } = step;
  const now = clockOf(state);
  const free = new Map(
    Object.entries(state.classes).map(([name, usage]) => [name, usage.devices - heldOf(state, name)]),
  );
  const waiting: QueuedRequest[] = [];
  for (const request of state.queued) {
    const left = free.get(request.class) ?? 0;
    if (left <= 0) {
      waiting.push(request);
      continue;
    }
    free.set(request.class, left - 1);
    step.granted.push({ ...request, grantedAt: now, deadline: now + request.maxMs, extensions: 0 });
  }
  if (step.granted.length === 0) return;
  state.queued = waiting;
  state.held = [...state.held, ...step.granted];
}
