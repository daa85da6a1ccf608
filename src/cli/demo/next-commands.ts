import { workflowId, WORKFLOWS } from '../../contracts/names.ts';
import type { DemoReport } from '../../report/data.ts';
import type { Platform } from '../platform.ts';
import { apiKeyFile } from '../session.ts';
import type { DemoExample } from './example.ts';

type Command = DemoReport['commands'][number];

/**
 * What a reader of the demo's report can paste into a shell. The report is a file that anyone may read and that is passed on:
 * commands name the variable with the key, never the key.
 */
export function nextCommands(
  platform: Pick<Platform, 'gatewayUrl' | 'apiKey' | 'config' | 'stack'>,
  { taskType, sample }: Pick<DemoExample, 'taskType' | 'sample'>,
): Command[] {
  const { gatewayUrl, config, stack } = platform;
  const body = JSON.stringify({ taskType: taskType.name, payload: sample });
  const header = '-H "Authorization: Bearer $CHIMERA_API_KEY" -H \'Content-Type: application/json\'';
  const commands: Command[] = [
    keyCommand(platform),
    {
      title: 'Send a task of your own and see answer, version, fuel and reason',
      command: `curl -s '${gatewayUrl}/v1/tasks?wait=10000' ${header} -d ${quoted(body)}`,
    },
  ];
  const { uiUrl, namespace } = stack.temporal;
  if (uiUrl !== undefined) {
    const query = new URLSearchParams({
      workflowId: workflowId.evolutionCycle(config.project, taskType.name),
      taskQueue: 'chimera-workflows',
      workflowType: WORKFLOWS.evolutionCycle,
    });
    commands.push({
      // The form takes the input from the last run of this workflow.
      title: 'Start a cycle from the Temporal UI: the form is filled in ("force": true acts without new data)',
      command: `${uiUrl}/namespaces/${namespace}/workflows/start-workflow?${query.toString()}`,
    });
  }
  commands.push({
    title: 'Read the champion as a program, its diff to its parent, and what it fixed and broke',
    command: './chimera explain champion',
  });
  return commands;
}

function keyCommand({ apiKey, config }: Pick<Platform, 'apiKey' | 'config'>): Command {
  if (config.apiKey === apiKey)
    return {
      title: 'The next command takes the API key from this variable: put in the key of your configuration',
      command: 'export CHIMERA_API_KEY=…',
    };
  return {
    title: 'The API key lies in a file that only you can read; the next command takes it from this variable',
    command: `export CHIMERA_API_KEY="$(cat ${quoted(apiKeyFile(config.home))})"`,
  };
}

/** As one word of a POSIX shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
