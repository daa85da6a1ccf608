import type { Command } from 'commander';
import { command } from '../command.ts';
import { explainAgent, explanationText } from '../explain.ts';
import { wholeNumber } from '../input.ts';
import { lineageOf, lineageText } from '../lineage.ts';
import { resolveAgent } from '../resolve-agent.ts';
import type { Session } from '../session.ts';

const AGENT_HELP =
  'AGENT is the ID of an agent version or its beginning, the name of an agent (its latest version), or "champion".';

export function addAgentCommands(program: Command, session: Session): void {
  program.commandsGroup('Agents and their evolution:');
  command<{ taskType?: string; limit?: string }, [string]>(program, session, {
    name: 'explain <agent>',
    summary: 'an agent as a program that can be read, and what it changed',
    description: `The agent as a readable program, its difference to its parent, and the tasks it fixed and broke, with the beginning of each. ${AGENT_HELP}`,
    options: [
      ['--task-type <name>', 'default: the only task type'],
      ['--limit <number>', 'so many fixed and broken tasks at most', '10'],
    ],
    examples: ['explain champion', 'explain 5f1d2c --limit 50 --json'],
    run: async (current, { taskType, limit }, name) => {
      const stores = current.stores();
      const version = await resolveAgent(stores, current.project, name, taskType);
      const shown = wholeNumber('--limit', limit, 10);
      const explanation = await explainAgent(stores, current.project, version, { taskType, shown });
      current.print(explanation, (found) => explanationText(found, shown));
    },
  });
  command<{ taskType?: string }, [string]>(program, session, {
    name: 'lineage <agent>',
    summary: 'where an agent comes from, back to the data',
    description: `The tree of an agent version: parents, search, models, datasets, each by its content hash. ${AGENT_HELP}`,
    options: [['--task-type <name>', 'whose champion; default: the only task type']],
    examples: ['lineage champion'],
    run: async (current, { taskType }, name) => {
      const stores = current.stores();
      const version = await resolveAgent(stores, current.project, name, taskType);
      current.print(await lineageOf(stores, current.project, version), lineageText);
    },
  });
}
