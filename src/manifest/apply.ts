import type { Connection, DataConverter } from '@temporalio/client';
import { ScheduleClient } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import { setTimeout as delay } from 'node:timers/promises';
import { ChimeraError } from '../contracts/errors.ts';
import type { Manifest, SearchAttributeTypeName } from './manifest.ts';
import { applySchedule } from './schedules.ts';

/** What happened to one resource, or with `dryRun` what would happen. */
export interface Change {
  readonly resource: 'namespace' | 'searchAttribute' | 'schedule';
  readonly name: string;
  readonly action: 'created' | 'updated' | 'unchanged' | 'refused';
  /** What differs, or the server's reason for its refusal; empty where nothing is to say. */
  readonly details: readonly string[];
}

export interface ApplyOptions {
  readonly dryRun?: boolean;
  /** Instead of the manifest's: the environment wins. */
  readonly namespace?: string;
  /** The platform's converter: schedule inputs are encoded as every other payload. */
  readonly dataConverter?: DataConverter;
}

/** Numbers of the server's IndexedValueType. */
const TYPES = { Text: 1, Keyword: 2, Int: 3, Double: 4, Bool: 5, Datetime: 6, KeywordList: 7 } as const;

const GRPC = { deadlineExceeded: 4, notFound: 5, alreadyExists: 6, unavailable: 14 } as const;
/** A server learns of a new namespace from its cache, which it refreshes every few seconds. */
const NAMESPACE_PROPAGATION_MS = 30_000;

/**
 * Makes the server what the manifest says: namespace, search attributes, schedules. Applying twice changes nothing. What
 * the server refuses is reported as such and does not keep the rest from being applied. Nothing is ever removed.
 * @throws {ChimeraError} CHIMERA_TEMPORAL_UNAVAILABLE when no server answers
 */
export async function applyManifest(
  manifest: Manifest,
  connection: Connection,
  options: ApplyOptions = {},
): Promise<Change[]> {
  const namespace = options.namespace ?? manifest.namespace.name;
  const { dryRun = false } = options;
  const changes = [await applyNamespace(connection, namespace, manifest.namespace.retention, dryRun)];
  // Nothing can be asked of a namespace that is not there yet: in a dry run, all of it would be created.
  const missing = dryRun && changes[0]!.action === 'created';
  changes.push(...(await applySearchAttributes(connection, namespace, manifest.searchAttributes, { dryRun, missing })));
  const schedules = new ScheduleClient({
    connection,
    namespace,
    ...(options.dataConverter === undefined ? {} : { dataConverter: options.dataConverter }),
  });
  for (const schedule of manifest.schedules)
    changes.push(
      missing
        ? { resource: 'schedule', name: schedule.name, action: 'created', details: [] }
        : await guarded('schedule', schedule.name, () => applySchedule(schedules, schedule, dryRun)),
    );
  return changes;
}

async function applyNamespace(
  connection: Connection,
  namespace: string,
  retentionMs: number,
  dryRun: boolean,
): Promise<Change> {
  const wanted = {
    seconds: retentionMs / 1000,
  } as unknown as temporal.api.workflowservice.v1.IRegisterNamespaceRequest['workflowExecutionRetentionPeriod'];
  return guarded('namespace', namespace, async () => {
    const retention = await retentionOf(connection, namespace);
    if (retention === undefined) {
      if (!dryRun) {
        await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: wanted });
        await untilKnown(connection, namespace);
      }
      return { action: 'created', details: [`retention ${hours(retentionMs)}`] };
    }
    if (retention === retentionMs) return { action: 'unchanged', details: [] };
    if (!dryRun)
      await connection.workflowService.updateNamespace({
        namespace,
        config: { workflowExecutionRetentionTtl: wanted },
      });
    return { action: 'updated', details: [`retention ${hours(retention)} → ${hours(retentionMs)}`] };
  });
}

/** The retention of a namespace in milliseconds; undefined when there is no such namespace. */
async function retentionOf(connection: Connection, namespace: string): Promise<number | undefined> {
  try {
    const { config } = await connection.workflowService.describeNamespace({ namespace });
    return Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) * 1000;
  } catch (error) {
    if (grpcAnswer(error)?.code === GRPC.notFound) return undefined;
    throw error;
  }
}

async function untilKnown(connection: Connection, namespace: string): Promise<void> {
  const end = performance.now() + NAMESPACE_PROPAGATION_MS;
  for (;;) {
    try {
      await connection.workflowService.listWorkflowExecutions({ namespace, pageSize: 1 });
      return;
    } catch (error) {
      if (grpcAnswer(error)?.code !== GRPC.notFound || performance.now() >= end) throw error;
    }
    await delay(200);
  }
}

/** Registers the search attributes that the namespace lacks. A type cannot be changed: another one is a refusal. */
export async function applySearchAttributes(
  connection: Connection,
  namespace: string,
  wanted: Readonly<Record<string, SearchAttributeTypeName>>,
  { dryRun = false, missing = false }: { readonly dryRun?: boolean; readonly missing?: boolean } = {},
): Promise<Change[]> {
  let present: Record<string, number | null> = {};
  try {
    if (!missing)
      present = (await connection.operatorService.listSearchAttributes({ namespace })).customAttributes ?? {};
  } catch (error) {
    return Object.keys(wanted).map((name) => refusal('searchAttribute', name, error));
  }
  const changes: Change[] = [];
  for (const [name, type] of Object.entries(wanted)) {
    changes.push(
      await guarded('searchAttribute', name, async () => {
        const existing = present[name];
        if (existing === TYPES[type]) return { action: 'unchanged', details: [] };
        if (existing !== undefined && existing !== null)
          return {
            action: 'refused',
            details: [`it is ${typeName(existing)} on the server and cannot become ${type}`],
          };
        if (!dryRun)
          await connection.operatorService.addSearchAttributes({
            namespace,
            searchAttributes: { [name]: TYPES[type] },
          });
        return { action: 'created', details: [type] };
      }),
    );
  }
  return changes;
}

/** Runs one step; a refusal by the server becomes part of the report. */
async function guarded(
  resource: Change['resource'],
  name: string,
  step: () => Promise<Pick<Change, 'action' | 'details'>>,
): Promise<Change> {
  try {
    return { resource, name, ...(await step()) };
  } catch (error) {
    return refusal(resource, name, error);
  }
}

function refusal(resource: Change['resource'], name: string, error: unknown): Change {
  const answer = grpcAnswer(error);
  // The SDK's schedule client turns the status "invalid argument" into a TypeError with the server's words.
  if (resource === 'schedule' && error instanceof TypeError)
    return { resource, name, action: 'refused', details: [error.message] };
  const { code, reason } = answer ?? { code: undefined, reason: (error as Error).message };
  if (code === undefined || code === GRPC.unavailable || code === GRPC.deadlineExceeded)
    throw new ChimeraError('CHIMERA_TEMPORAL_UNAVAILABLE', { why: reason }, { cause: error });
  if (code === GRPC.alreadyExists)
    return { resource, name, action: 'unchanged', details: ['made by somebody else meanwhile'] };
  return { resource, name, action: 'refused', details: [reason] };
}

/** The gRPC status in an error or in what it wraps. */
function grpcAnswer(error: unknown): { readonly code: number; readonly reason: string } | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code, details } = at as { code?: unknown; details?: unknown };
    if (typeof code === 'number')
      return { code, reason: typeof details === 'string' && details ? details : at.message };
  }
  return undefined;
}

function typeName(value: number): string {
  return Object.entries(TYPES).find(([, number]) => number === value)?.[0] ?? `type ${value}`;
}

function hours(ms: number): string {
  return ms % 86_400_000 === 0 ? `${ms / 86_400_000}d` : `${ms / 3_600_000}h`;
}
