import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import proto from '@temporalio/proto';

export const HISTORIES: string = join(import.meta.dirname, 'histories');

const { History } = proto.temporal.api.history.v1;
type History = proto.temporal.api.history.v1.History;

/** A history in protobuf's plain form (64-bit integers and bytes as text), as far as tests look into it. */
export interface RecordedHistory {
  events: { [member: string]: unknown }[];
}

/** As the replayer takes it: with the ID that the run had, since decisions may hang on it. */
export function replayable(recorded: RecordedHistory): { workflowId: string; history: History } {
  const history = History.fromObject(recorded);
  return { history, workflowId: history.events[0]!.workflowExecutionStartedEventAttributes!.workflowId! };
}

/** The recorded runs by name: `<workflow type>` or `<workflow type>.<what is special about it>`. */
export function recordedHistories(): Map<string, RecordedHistory> {
  const names = readdirSync(HISTORIES).filter((file) => file.endsWith('.json'));
  return new Map(
    names.sort().map((file) => {
      const history = JSON.parse(readFileSync(join(HISTORIES, file), 'utf8')) as RecordedHistory;
      return [file.slice(0, -'.json'.length), history];
    }),
  );
}

/** Writes the history of a run without what names a machine: identities of workers and stack traces. */
export async function recordHistory(name: string, handle: WorkflowHandle): Promise<void> {
  const message = History.fromObject(await handle.fetchHistory());
  const history = History.toObject(message, { longs: String, bytes: String }) as RecordedHistory;
  const text = JSON.stringify(history, (key, value: unknown) => {
    if (key === 'stackTrace') return undefined;
    // A worker's identity, which its sticky queue is named by too: process@host.
    return typeof value === 'string' && /^\d+@/.test(value) ? 'worker' : value;
  });
  writeFileSync(join(HISTORIES, `${name}.json`), `${text}\n`);
}
