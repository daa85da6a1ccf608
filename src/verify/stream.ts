import { runTasks } from '../activities/runs.ts';
import { streamExecutions } from '../activities/stream.ts';
import type { TaskRecord } from '../contracts/records.ts';
import { canonicalJson } from '../core/canonical/canonical.ts';
import {
  createMonitor,
  followDrift,
  promotionsOf,
  scoreExecutions,
  WINDOW,
  windowsOf,
  type DriftAlarm,
} from '../core/kpi/stream.ts';
import { deploymentAt, routingOf } from '../core/rollout/routing.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import { bodyHashOf, taskIdOf } from '../stores/index.ts';
import { Comparison, type Check, type VerifyDeps } from './check.ts';

/** The part of a stream that is looked at: ordinals below `upto`. */
export interface StreamScope {
  readonly taskType: string;
  readonly upto: number;
}

/** Ordinals that are read at a time: a multiple of a window. */
const CHUNK = 10 * WINDOW;

async function* chunks(deps: VerifyDeps, upto: number): AsyncGenerator<{ from: number; to: number }> {
  for (let from = 0; from < upto; from += CHUNK) {
    deps.signal.throwIfAborted();
    yield { from, to: Math.min(from + CHUNK, upto) };
  }
}

/** Identity and routing of every task, from its key, its body and the deployment history. */
export async function checkRouting(deps: VerifyDeps, { taskType, upto }: StreamScope): Promise<Check> {
  const { stores, project } = deps;
  const compared = new Comparison(`routing of ${taskType} tasks`);
  const history = await stores.deployments.history(project, taskType);
  for await (const { from, to } of chunks(deps, upto)) {
    for (const { taskId, key, bodyHash, payload, ordinal, routing } of await stores.tasks.range(
      project,
      taskType,
      from,
      to,
    )) {
      const body = bodyHashOf(taskType, canonicalJson(payload));
      const deployment = deploymentAt(history, ordinal);
      compared.same(
        `task ${ordinal}`,
        { taskId, bodyHash, routing },
        {
          taskId: taskIdOf(project, key),
          bodyHash: body,
          routing: deployment === undefined ? 'no deployment' : routingOf(deployment, ordinal, body),
        },
      );
    }
  }
  return compared.done();
}

/** An execution that was ended from outside does not follow from its recording alone. */
const ENDED_FROM_OUTSIDE: readonly (string | undefined)[] = ['budget-exhausted', 'cancelled'];

/** Every stored execution, run again in the sandbox; one that acted on the world, on what was recorded of it. */
export async function checkExecutions(deps: VerifyDeps, { taskType, upto }: StreamScope): Promise<Check> {
  const { stores, project } = deps;
  const compared = new Comparison(`executions of ${taskType} tasks`);
  for await (const { from, to } of chunks(deps, upto)) {
    const stored = new Map(
      (await stores.executions.range(project, taskType, from, to)).map((row) => [`${row.ordinal}/${row.role}`, row]),
    );
    const ran = new Set([...stored.values()].map(({ ordinal }) => ordinal));
    const tasks = (await stores.tasks.range(project, taskType, from, to)).filter(({ ordinal }) => ran.has(ordinal));
    await compared.derive(`tasks ${from} to ${to - 1}`, async () => {
      for (const row of await runAgain(deps, taskType, tasks)) {
        const known = stored.get(`${row.ordinal}/${row.role}`);
        // Only one role may be stored yet.
        if (known === undefined || ENDED_FROM_OUTSIDE.includes(known.reason?.code)) continue;
        const { storedAt: _storedAt, ...kept } = known;
        compared.same(`execution ${row.ordinal}/${row.role}`, kept, row);
      }
    });
  }
  return compared.done();
}

async function runAgain(deps: VerifyDeps, taskType: string, tasks: readonly TaskRecord[]) {
  const byVersion = Map.groupBy(tasks, (task) => task.taskTypeVersion);
  const rows = [];
  for (const [version, group] of byVersion) {
    const type = await deps.stores.taskTypes.require<TaskType>(deps.project, taskType, version);
    rows.push(
      ...(await runTasks(deps, deps.project, type, group, deps.signal === undefined ? {} : { signal: deps.signal })),
    );
  }
  return rows;
}

/** Scores from executions and feedback. */
export async function checkScores(deps: VerifyDeps, { taskType, upto }: StreamScope): Promise<Check> {
  const { stores, project } = deps;
  const compared = new Comparison(`scores of ${taskType} tasks`);
  for await (const { from, to } of chunks(deps, upto)) {
    const executions = await streamExecutions(stores, project, taskType, from, to);
    const derived = scoreExecutions(executions, await stores.feedback.forRange(project, taskType, from, to));
    compareRows(
      compared,
      await stores.scores.range(project, taskType, from, to),
      derived,
      (row) => `score ${row.ordinal} of version ${row.agentVersion.slice(0, 12)}`,
    );
  }
  return compared.done();
}

/** KPI windows from executions and scores. */
export async function checkWindows(deps: VerifyDeps, { taskType, upto }: StreamScope): Promise<Check> {
  const { stores, project } = deps;
  const compared = new Comparison(`KPI windows of ${taskType}`);
  const derived = [];
  for await (const { from, to } of chunks(deps, upto)) {
    const executions = await streamExecutions(stores, project, taskType, from, to);
    derived.push(...windowsOf(executions, await stores.scores.range(project, taskType, from, to)));
  }
  compareRows(
    compared,
    await stores.kpi.windows(project, taskType),
    derived,
    (row) => `window ${row.fromOrdinal} of version ${row.agentVersion.slice(0, 12)}`,
  );
  return compared.done();
}

/** Drift alarms, and with `whole` the detector's state, from the recorded inputs. Returns the alarms, too. */
export async function checkDrift(
  deps: VerifyDeps,
  { taskType, upto }: StreamScope,
  whole: boolean,
): Promise<{ check: Check; alarms: DriftAlarm[] }> {
  const { stores, project } = deps;
  const compared = new Comparison(`drift alarms of ${taskType}`);
  const promotions = promotionsOf(await stores.deployments.history(project, taskType));
  let monitor = createMonitor();
  const alarms: DriftAlarm[] = [];
  for await (const { from, to } of chunks(deps, upto)) {
    const executions = await streamExecutions(stores, project, taskType, from, to);
    const step = followDrift({ project, taskType }, promotions, monitor, executions);
    monitor = step.document;
    alarms.push(...step.alarms);
  }
  const stored = (await stores.kpi.driftEvents(project, taskType)).filter(({ ordinal }) => ordinal < upto);
  compareRows(
    compared,
    stored.map(({ at: _at, ...event }) => event),
    alarms,
    (event) => `alarm at ordinal ${event.ordinal}`,
  );
  if (whole) {
    const kept = await stores.kpi.monitor(project, taskType);
    if (kept !== undefined) compared.also(`state of the detector at ordinal ${upto}`, kept.state, monitor);
  }
  return { check: compared.done(), alarms };
}

/** Compares two sets of rows by the name of each; a row that is on one side only differs as well. */
export function compareRows<Row>(
  compared: Comparison,
  stored: readonly Row[],
  derived: readonly object[],
  nameOf: (row: Row) => string,
): void {
  const left = new Map(derived.map((row) => [nameOf(row as Row), row]));
  for (const row of stored) {
    const name = nameOf(row);
    compared.same(name, row, left.get(name));
    left.delete(name);
  }
  for (const [name, row] of left) compared.same(name, undefined, row);
}
