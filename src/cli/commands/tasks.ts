import type { Command } from 'commander';
import { invalidInput } from '../../contracts/errors.ts';
import type { Feedback, FeedbackSubmission, JsonValue } from '../../contracts/records.ts';
import type { BatchItem, BatchView, TaskView } from '../../client/index.ts';
import { command, group } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { requireReadable } from '../file-errors.ts';
import { parseJson, readInput, readNdjson, wholeNumber } from '../input.ts';
import { fields, short } from '../output.ts';
import type { Session } from '../session.ts';

export function addTaskCommands(program: Command, session: Session): void {
  program.commandsGroup('Work:');
  command<{ taskType?: string; key?: string; wait?: boolean; timeout?: string; field?: string }, [string | undefined]>(
    program,
    session,
    {
      name: 'submit [file]',
      summary: 'submit one task',
      description:
        'Submits one task. The file (default: standard input) holds its payload as JSON, or with --field the text that becomes that field of the payload, for example a raw mail. With --wait it exits with 1 when the task failed or was not done in time.',
      options: [
        ['--task-type <name>', 'task type'],
        ['--key <key>', 'idempotency key: the same key again is the same task'],
        ['--field <name>', 'the input is text: the payload is {"<name>": text}'],
        ['--wait', 'wait for the answer'],
        ['--timeout <seconds>', 'wait so long at most', '60'],
      ],
      examples: [
        'submit --task-type mail-triage --field raw --wait < mail.eml',
        'submit payload.json --task-type mail-triage --key order-17 --json',
      ],
      run: submit,
    },
  );
  command<{ taskType?: string; key?: string; wait?: boolean }, [string | undefined]>(program, session, {
    name: 'batch [file]',
    summary: 'submit many tasks',
    description:
      'Submits the tasks of an NDJSON file (default: standard input), each line {"payload": …, "key": …}; the key is optional. All are accepted or none.',
    options: [
      ['--task-type <name>', 'task type'],
      ['--key <key>', 'idempotency key of the batch'],
      ['--wait', 'wait until every task is done'],
    ],
    examples: ['batch mails.ndjson --task-type mail-triage --wait'],
    run: batch,
  });
  command<FeedbackOptions, [string | undefined]>(program, session, {
    name: 'feedback [task]',
    summary: 'give feedback on a task, or on many',
    description:
      'Gives feedback on a task by its ID, or by its idempotency key with --key. With --file an NDJSON file of many: {"taskId" or "key": …, "feedback": {"kind": …, "value": …}} a line.',
    options: [
      ['--key <key>', 'idempotency key of the task, instead of its ID'],
      ['--right', 'the answer was right'],
      ['--wrong', 'the answer was wrong'],
      ['--number <value>', 'a grade'],
      ['--demonstration <json>', 'the right output'],
      ['--comment <text>', 'words'],
      ['--file <file>', 'many, as NDJSON; - is standard input'],
    ],
    examples: [
      `feedback 3f0c… --demonstration '{"label":"spam"}'`,
      'feedback --key order-17 --wrong',
      'feedback --file labels.ndjson',
    ],
    run: feedback,
  });
  command<object, [string]>(group(program, 'task', 'look at tasks'), session, {
    name: 'show <id>',
    summary: 'state, answer, version, fuel, reason and feedback of a task',
    examples: ['task show 3f0c9a…', 'task show 3f0c9a… --json'],
    run: async (current, _options, id) => {
      current.print(await current.client().getTask(id), taskText);
    },
  });
}

async function submit(
  session: Session,
  options: { taskType?: string; key?: string; wait?: boolean; timeout?: string; field?: string },
  file: string | undefined,
): Promise<ExitCode | void> {
  const taskType = required('--task-type', options.taskType);
  const timeoutMs = wholeNumber('--timeout', options.timeout, 60) * 1000;
  const bytes = await readInput(file);
  // Mails come in any encoding: bytes that are not UTF-8 keep their values as characters.
  const payload =
    options.field === undefined
      ? (parseJson(bytes.toString('utf8'), file ?? 'standard input') as JsonValue)
      : { [options.field]: textOf(bytes) };
  const task = { taskType, payload, ...(options.key === undefined ? {} : { key: options.key }) };
  const client = session.client();
  const view = options.wait === true ? await client.submitAndWait(task, { timeoutMs }) : await client.submit(task);
  session.print(view, taskText);
  if (options.wait !== true || view.state === 'completed') return undefined;
  if (view.state !== 'failed' && view.state !== 'dead')
    session.io.err(`not done after ${timeoutMs / 1000} s; chimera task show ${view.taskId} looks again\n`);
  return EXIT.failed;
}

function textOf(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return bytes.toString('latin1');
  }
}

async function batch(
  session: Session,
  options: { taskType?: string; key?: string; wait?: boolean },
  file: string | undefined,
): Promise<ExitCode | void> {
  const taskType = required('--task-type', options.taskType);
  const client = session.client();
  const fromFile = file !== undefined && file !== '-';
  if (fromFile) await requireReadable(file);
  const accepted = await client.submitBatch(
    taskType,
    fromFile ? () => readNdjson<BatchItem>(file) : readNdjson<BatchItem>(file),
    options.key === undefined ? {} : { key: options.key },
  );
  if (options.wait !== true) {
    session.print(accepted, ({ batchId, count }) => `batch ${batchId}: ${count} tasks accepted`);
    return undefined;
  }
  const view = await client.waitForBatch(accepted.batchId, {
    onProgress: ({ resolved, count, failed }) => session.say(`${resolved} of ${count} done, ${failed} failed`),
  });
  session.print(view, batchText);
  return view.failed > 0 ? EXIT.failed : undefined;
}

interface FeedbackOptions {
  key?: string;
  right?: boolean;
  wrong?: boolean;
  number?: string;
  demonstration?: string;
  comment?: string;
  file?: string;
}

async function feedback(session: Session, options: FeedbackOptions, taskId: string | undefined): Promise<void> {
  const client = session.client();
  const { file, key } = options;
  if (file !== undefined) {
    if (file !== '-') await requireReadable(file);
    const items = file === '-' ? readNdjson<FeedbackSubmission>(file) : () => readNdjson<FeedbackSubmission>(file);
    session.print(await client.feedbackMany(items), ({ accepted }) => `${accepted} taken`);
    return;
  }
  const given = feedbackOf(options);
  if (given.length !== 1 || (taskId === undefined) === (key === undefined))
    throw invalidInput('the command line', [
      ...(given.length === 1
        ? []
        : [{ path: '', message: 'give one of --right, --wrong, --number, --demonstration, --comment, --file' }]),
      ...((taskId === undefined) === (key === undefined) ? [{ path: '', message: 'give a task or --key' }] : []),
    ]);
  const accepted = await client.feedback({
    ...(taskId === undefined ? {} : { taskId }),
    ...(key === undefined ? {} : { key }),
    feedback: given[0]!,
  });
  session.print(accepted, () => 'taken');
}

function feedbackOf({ right, wrong, number, demonstration, comment }: FeedbackOptions): Feedback[] {
  const all: Feedback[] = [];
  if (right === true) all.push({ kind: 'boolean', value: true });
  if (wrong === true) all.push({ kind: 'boolean', value: false });
  if (number !== undefined) {
    const value = Number(number);
    if (!Number.isFinite(value) || number.trim() === '')
      throw invalidInput('the command line', [{ path: '--number', message: `must be a number, not ${number}` }]);
    all.push({ kind: 'number', value });
  }
  if (demonstration !== undefined)
    all.push({ kind: 'demonstration', value: parseJson(demonstration, '--demonstration') as JsonValue });
  if (comment !== undefined) all.push({ kind: 'comment', value: comment });
  return all;
}

function required(flag: string, value: string | undefined): string {
  if (value !== undefined) return value;
  throw invalidInput('the command line', [{ path: flag, message: 'is required' }]);
}

export function taskText(task: TaskView): string {
  const { reason, routing } = task;
  return fields([
    ['task', task.taskId],
    ['task type', `${task.taskType} (version ${task.taskTypeVersion})`],
    ['key', task.key],
    ['ordinal', task.ordinal],
    ['state', task.state],
    ['answer', task.output],
    ['version', short(task.version)],
    ['fuel', task.fuel],
    ['model calls', task.modelCalls],
    ['reason', reason === undefined ? undefined : `${reason.code}: ${reason.message}`],
    ['routed to', `${short(routing.served)} in epoch ${routing.epoch}`],
    ['beside it', short(routing.shadow)],
    ['feedback', task.feedback.length === 0 ? undefined : task.feedback.map(({ feedback: given }) => given)],
  ]);
}

function batchText({ batchId, state, resolved, count, failed }: BatchView): string {
  return `batch ${batchId}: ${state}, ${resolved} of ${count} done, ${failed} failed`;
}
