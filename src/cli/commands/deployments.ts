import type { Command } from 'commander';
import { ChimeraApiError, type ChimeraClient, type RolloutStarted } from '../../client/index.ts';
import type { Deployment } from '../../contracts/records.ts';
import { command, group } from '../command.ts';
import { fields, short, table } from '../output.ts';
import { agentReference, theTaskTypeOf } from '../resolve-agent.ts';
import type { Session } from '../session.ts';

/** What became of the wish that a version serves. */
export type Deployed =
  | { readonly serves: true; readonly taskType: string; readonly champion: string; readonly fromOrdinal: number }
  | ({ readonly serves: false } & RolloutStarted);

/**
 * Lets a version serve a task type: at once where nothing serves it yet, else by a rollout that must prove it against the
 * champion on live traffic.
 */
export async function deployAgent(client: ChimeraClient, taskType: string, version: string): Promise<Deployed> {
  const current = await client.deployment(taskType).catch((error: unknown) => {
    if (error instanceof ChimeraApiError && error.code === 'CHIMERA_NOT_FOUND') return undefined;
    throw error;
  });
  if (current === undefined || current.current.champion === version) {
    const { champion, fromOrdinal } = current?.current ?? (await client.deploy(taskType, version)).current;
    return { serves: true, taskType, champion, fromOrdinal };
  }
  return { serves: false, ...(await client.startRollout(taskType, { challenger: version })) };
}

/** @param example a payload for the command that a reader pastes */
export function deployedText(deployed: Deployed, example: unknown = {}): string {
  if (deployed.serves) {
    const { taskType, champion, fromOrdinal } = deployed;
    return [
      fields([
        ['serves', taskType],
        ['champion', champion],
        ['from ordinal', fromOrdinal],
      ]),
      `next: echo ${quoted(JSON.stringify(example))} | ./chimera submit --task-type ${taskType} --wait`,
    ].join('\n');
  }
  const { taskType, champion, challenger, workflowId } = deployed;
  return [
    fields([
      ['challenger', challenger],
      ['champion', champion],
      ['rollout', workflowId],
    ]),
    'Every task is run by both from now on; feedback decides, see:',
    `next: ./chimera deployments show ${taskType}`,
  ].join('\n');
}

/** As a word of a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

export function addDeploymentCommands(program: Command, session: Session): void {
  command<{ taskType?: string }, [string]>(program, session, {
    name: 'deploy <agent>',
    summary: 'let an agent serve a task type, or prove itself against the champion',
    description:
      'Makes an agent version the champion of a task type that has none. Where one serves, a rollout begins: every task is run by both, and the new one takes over when it is shown better. AGENT is the ID of a version or its beginning, or the name of an agent (its latest version).',
    options: [['--task-type <name>', 'default: the only task type']],
    examples: ['deploy my-agent', 'deploy 5f1d2c --task-type ticket-routing'],
    run: async (current, { taskType }, agent) => {
      const client = current.client();
      const type = await theTaskTypeOf(client, taskType);
      const { id } = await client.agentVersion(await agentReference(client, agent, type));
      current.print(await deployAgent(client, type, id), (deployed) => deployedText(deployed));
    },
  });
  const deployments = group(program, 'deployments', 'which agent versions serve');
  command(deployments, session, {
    name: 'list',
    summary: 'the champion of each task type, and its challenger',
    examples: ['deployments list'],
    run: async (current) => {
      current.print(await current.client().deployments(), (rows) =>
        table(rows, [{ title: 'TASK TYPE', value: ({ taskType }) => taskType }, ...columns]),
      );
    },
  });
  command<object, [string]>(deployments, session, {
    name: 'show <task-type>',
    summary: 'what served a task type so far, and its rollouts',
    examples: ['deployments show ticket-routing'],
    run: async (current, _options, taskType) => {
      const client = current.client();
      const { history } = await client.deployment(taskType);
      const rollouts = await client.rollouts(taskType);
      current.print({ history, rollouts }, () =>
        [
          table(history, [{ title: 'EPOCH', value: ({ epoch }) => epoch, numeric: true }, ...columns]),
          table(rollouts, [
            { title: 'CHALLENGER', value: ({ challenger }) => short(challenger) },
            { title: 'ROLLOUT', value: ({ state }) => state },
            { title: 'EVIDENCE', value: ({ text }) => text.split('\n')[0] },
          ]),
        ].join('\n\n'),
      );
    },
  });
}

const columns = [
  { title: 'FROM', value: ({ fromOrdinal }: Deployment) => fromOrdinal, numeric: true },
  { title: 'CHAMPION', value: ({ champion }: Deployment) => short(champion) },
  { title: 'CHALLENGER', value: ({ challenger }: Deployment) => short(challenger) },
  { title: 'STAGE', value: ({ stage }: Deployment) => stage },
  { title: 'REASON', value: ({ reason }: Deployment) => reason },
];
