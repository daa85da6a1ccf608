import type { Command } from 'commander';
import { isDeepStrictEqual } from 'node:util';
import type { JsonValue } from '../../contracts/records.ts';
import type { ApprovalView } from '../../client/index.ts';
import { command, group } from '../command.ts';
import { wholeNumber } from '../input.ts';
import { fields, short, table } from '../output.ts';
import type { Session } from '../session.ts';

export function addApprovalCommands(program: Command, session: Session): void {
  const approvals = group(program, 'approvals', 'questions of agents to people');
  command<{ all?: boolean; execution?: string; limit?: string }, []>(approvals, session, {
    name: 'list',
    summary: 'open questions, oldest first',
    options: [
      ['--all', 'those that are answered or over, too'],
      ['--execution <id>', 'of this execution only'],
      ['--limit <number>', 'so many at most', '50'],
    ],
    examples: ['approvals list', 'approvals list --all --json'],
    run: async (current, { limit, ...filters }) => {
      const all = await current.client().approvals.list({ ...filters, limit: wholeNumber('--limit', limit, 50) });
      current.print(all, approvalsText);
    },
  });
  command<object, [string]>(approvals, session, {
    name: 'show <id>',
    summary: 'a question, who asked it, and how to answer it',
    examples: ['approvals show 3f0c9a….2.0'],
    run: async (current, _options, id) => {
      current.print(await current.client().approvals.get(id), questionText);
    },
  });
  command<{ text?: boolean }, [string, string]>(approvals, session, {
    name: 'answer <id> <answer>',
    summary: 'answer a question; the execution goes on',
    description:
      'Answers a question, in the name of the API key. What is JSON is sent as that value, anything else as text; where the question has options, what is spelled as one of them is that one. The first answer holds: another one later is a conflict.',
    options: [['--text', 'send it as text, although it is JSON']],
    examples: [
      'approvals answer 3f0c9a….2.0 yes',
      `approvals answer 3f0c9a….2.0 '{"euros":7}'`,
      'approvals answer 3f0c9a….2.0 1984 --text',
    ],
    run: async (current, { text }, id, answer) => {
      const client = current.client().approvals;
      const { options } = await client.get(id);
      const value = text === true ? answer : meant(answer, options);
      current.print(await client.answer(id, value), questionText);
    },
  });
}

/** The value that somebody typed: JSON or text, whichever of the two the question takes. */
function meant(typed: string, options: readonly JsonValue[] | undefined): JsonValue {
  if (options?.includes(typed) && !options.some((option) => isDeepStrictEqual(option, jsonOr(typed)))) return typed;
  return jsonOr(typed);
}

function jsonOr(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}

function approvalsText(approvals: readonly ApprovalView[]): string {
  return table(approvals, [
    { title: 'ID', value: ({ approvalId }) => approvalId },
    { title: 'TASK TYPE', value: ({ taskType }) => taskType },
    { title: 'ASKED', value: ({ askedAt }) => askedAt },
    { title: 'STATE', value: ({ state }) => state },
    { title: 'QUESTION', value: ({ question }) => plainLine(question, 60) },
    {
      title: 'ANSWER',
      value: ({ answer }) => (answer === undefined ? undefined : plainLine(JSON.stringify(answer), 30)),
    },
  ]);
}

/** A question with all that a person needs to answer it. */
export function questionText(approval: ApprovalView): string {
  const { approvalId, question, options, state, answer, answeredBy, answeredAt } = approval;
  const lines = plainText(question).split('\n');
  const facts = fields([
    ['question', approvalId],
    ['task type', approval.taskType],
    ['task', approval.taskId],
    ['version', short(approval.agentVersion)],
    ['turn', approval.turn],
    ['asked', approval.askedAt],
    ['until', approval.deadline],
    ['state', state],
    ['options', options && plainText(options.map((option) => JSON.stringify(option)).join(', '))],
    ['answer', answer === undefined ? undefined : plainText(JSON.stringify(answer))],
    ['answered', answeredAt && `${answeredAt} by ${answeredBy}`],
  ]);
  const how = state === 'open' ? `\n\nto answer: chimera approvals answer ${approvalId} ANSWER` : '';
  return `${facts}\n\n${lines.map((line) => `  | ${line}`).join('\n')}${how}`;
}

/** Words of agents as a terminal may show them: without what it would take for a command. With their lines. */
export function plainText(text: string): string {
  return text.split('\n').map(harmless).join('\n');
}

/** As {@link plainText}, on one line of `width` characters at most. */
export function plainLine(text: string, width: number): string {
  const shown = [...harmless(text)];
  return shown.length > width ? `${shown.slice(0, width - 1).join('')}…` : shown.join('');
}

const harmless = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
