import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ChimeraError, isChimeraError } from '../contracts/errors.ts';
import type { DiscoveryInput } from '../contracts/inputs.ts';
import type { JsonValue } from '../contracts/records.ts';
import { sha256Hex } from '../core/canonical/canonical.ts';
import { routingOf } from '../core/rollout/routing.ts';
import { admit } from '../core/validation/admission.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import { acceptOne } from './accept.ts';
import type { ActivityDeps } from './deps.ts';
import { heartbeating } from './heartbeat.ts';

export interface AcceptedTask {
  taskId: string;
  ordinal: number;
  created: boolean;
}

export interface IngestedSource {
  batchId: string;
  found: number;
  accepted: number;
  refused: { name: string; why: string }[];
}

export interface IngestionActivities {
  acceptTask(input: { project: string; taskType: string; payload: JsonValue; key?: string }): Promise<AcceptedTask>;
  /**
   * Admits what is new in a source as the batch of this reading. `reading` names it: the same one again, a retry, goes on
   * with its batch; a batch that was closed takes no more.
   */
  ingestSource(input: DiscoveryInput & { reading: string }): Promise<IngestedSource>;
}

/** One thing found in a source: its name is its idempotency key, its content becomes the payload. */
interface Found {
  name: string;
  content: string;
}

export function createIngestionActivities({ stores }: ActivityDeps): IngestionActivities {
  return {
    async acceptTask({ project, taskType, payload, key }) {
      const submission = { taskType, payload, ...(key === undefined ? {} : { key }) };
      const { task, created } = await acceptOne(stores, project, submission);
      // This workflow runs the task itself: nobody else must start one for it.
      await stores.tasks.markDispatched(project, [task.taskId]);
      return { taskId: task.taskId, ordinal: task.ordinal, created };
    },

    async ingestSource({ project, taskType, source, chunk, reading }) {
      return heartbeating(async (signal, note) => {
        const type = await stores.taskTypes.require<TaskType>(project, taskType);
        const field = payloadField(type);
        const origin = `${source.kind}:${source.path}`;
        const batchKey = `${origin}@${reading}`;
        const batchId = sha256Hex(JSON.stringify([project, taskType, batchKey])).slice(0, 32);
        await stores.batches.open(project, taskType, batchId, batchKey);
        const refused: IngestedSource['refused'] = [];
        let found = 0;
        let accepted = 0;
        let first: number | undefined;
        let last: number | undefined;
        let waiting: { key: string; payload: JsonValue }[] = [];
        const flush = async (): Promise<void> => {
          if (waiting.length === 0) return;
          const rows = await stores.tasks.acceptMany(project, taskType, waiting, { batchId, route: routingOf });
          waiting = [];
          // What an earlier attempt admitted is of this reading, what an earlier reading admitted is not.
          const own = rows.filter(({ task }) => task.batchId === batchId);
          accepted += own.length;
          first ??= own[0]?.task.ordinal;
          last = own.at(-1)?.task.ordinal ?? last;
          note({ found });
        };
        for await (const { name, content } of read(source)) {
          signal.throwIfAborted();
          found++;
          const payload: JsonValue = { [field]: content };
          const problems = admit(type, payload);
          if (problems.length > 0)
            refused.push({ name, why: problems.map((p) => `${p.path} ${p.message}`).join('; ') });
          else waiting.push({ key: `${origin}#${name}#${sha256Hex(content).slice(0, 16)}`, payload });
          if (waiting.length >= chunk) await flush();
        }
        await flush();
        await stores.batches.close(project, batchId, accepted, first, last);
        return { batchId, found, accepted, refused };
      });
    },
  };
}

/** A source gives texts, so the task type must take exactly one required text field. */
function payloadField(type: TaskType): string {
  const schema = type.input as { required?: unknown; properties?: Record<string, { type?: unknown }> };
  const required = Array.isArray(schema.required) ? (schema.required as string[]) : [];
  const texts = required.filter((name) => schema.properties?.[name]?.type === 'string');
  if (texts.length === 1 && required.length === 1) return texts[0]!;
  throw new ChimeraError('CHIMERA_INVALID_INPUT', {
    what: `task type ${type.name} as the target of a text source`,
    problems: [{ path: '/input/required', message: 'must name exactly one member, of type string' }],
  });
}

async function* read(source: DiscoveryInput['source']): AsyncGenerator<Found> {
  try {
    if (source.kind === 'directory') yield* readDirectory(source.path);
    else yield* readMbox(source.path);
  } catch (error) {
    if (isChimeraError(error)) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new ChimeraError('CHIMERA_INVALID_INPUT', {
      what: 'the source',
      problems: [{ path: '/source/path', message: why }],
    });
  }
}

async function* readDirectory(path: string): AsyncGenerator<Found> {
  const names = (await readdir(path)).sort();
  for (const name of names) {
    const file = join(path, name);
    if ((await stat(file)).isFile()) yield { name, content: await readFile(file, 'latin1') };
  }
}

/** RFC 4155: a message begins at a line `From …` after an empty line; `>From` was escaped. */
async function* readMbox(path: string): AsyncGenerator<Found> {
  const lines = createInterface({ input: createReadStream(path, 'latin1'), crlfDelay: Infinity });
  let message: string[] = [];
  let index = 0;
  let afterEmpty = true;
  for await (const line of lines) {
    if (afterEmpty && line.startsWith('From ')) {
      if (message.length > 0)
        yield { name: `message-${String(index++).padStart(7, '0')}`, content: message.join('\n') };
      message = [];
    } else message.push(line.replace(/^>(>*From )/, '$1'));
    afterEmpty = line === '';
  }
  if (message.length > 0) yield { name: `message-${String(index).padStart(7, '0')}`, content: message.join('\n') };
}
