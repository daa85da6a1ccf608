import type { Command } from 'commander';
import type { AgentVersionView } from '../../client/index.ts';
import type { Publication } from '../../contracts/agents.ts';
import { command } from '../command.ts';
import { fields, short, table } from '../output.ts';
import { agentReference } from '../resolve-agent.ts';
import type { Session } from '../session.ts';

/** What is published, as the API tells it. */
export function addVersionCommands(agent: Command, session: Session): void {
  command(agent, session, {
    name: 'list',
    summary: 'agents with their number of versions',
    examples: ['agent list', 'agent list --json'],
    run: async (current) => {
      current.print(await current.client().agents(), (rows) =>
        table(rows, [
          { title: 'AGENT', value: (row) => row.agent },
          { title: 'VERSIONS', value: ({ versions }) => versions, numeric: true },
          { title: 'LATEST', value: ({ latest }) => short(latest) },
        ]),
      );
    },
  });
  command<{ taskType?: string; versions?: boolean }, [string]>(agent, session, {
    name: 'show <agent>',
    summary: 'a version: manifest, what it is made of, who published it when',
    description: `The manifest of an agent version, its hashes, sections and imports, the tools that made it, and who published it when. AGENT is the ID of a version or its beginning, the name of an agent (its latest version), or "champion".`,
    options: [
      ['--task-type <name>', 'whose champion; default: the only task type'],
      ['--versions', 'list the versions of the agent instead'],
    ],
    examples: [
      'agent show my-agent',
      'agent show champion',
      'agent show my-agent --versions',
      'agent show 5f1d2c --json',
    ],
    run: async (current, { taskType, versions }, name) => {
      const client = current.client();
      if (versions === true) current.print(await client.agentVersions(name), versionsText);
      else current.print(await client.agentVersion(await agentReference(client, name, taskType)), versionText);
    },
  });
}

function versionsText(rows: readonly AgentVersionView[]): string {
  return table(rows, [
    { title: 'VERSION', value: ({ id }) => short(id) },
    { title: 'PUBLISHED', value: ({ publishedAt }) => publishedAt },
    { title: 'BY', value: ({ publication }) => publication?.by },
    { title: 'MODULE', value: ({ module }) => short(module.sha256) },
    { title: 'BYTES', value: ({ module }) => module.bytes, numeric: true },
    { title: 'DESCRIPTION', value: ({ manifest }) => manifest.description },
  ]);
}

function versionText(version: AgentVersionView): string {
  const { manifest, publication } = version;
  return fields([
    ['version', version.id],
    ['agent', version.agent],
    ['description', manifest.description],
    ['capabilities', manifest.capabilities.join(', ') || 'none'],
    ['models', manifest.models],
    ['limits', manifest.limits],
    ['engine', manifest.engine],
    ['parents', version.parents.map(short).join(', ') || 'none'],
    ['experiment', version.experiment],
    ['published', version.publishedAt],
    ['by', publication?.by],
    ['as published', hashAndSize(version.module)],
    ...(publication === undefined ? [] : materials(publication)),
  ]);
}

const hashAndSize = ({ sha256, bytes }: { sha256: string; bytes: number }): string => `${sha256} (${bytes} bytes)`;

function materials({ module, smoke, trial, origin }: Publication): [string, unknown][] {
  const { source, core, guarded, imports, exports, sections, producers, memory } = module;
  return [
    ['core module', source.kind === 'component' ? hashAndSize(core) : undefined],
    ['as it runs', hashAndSize(guarded)],
    ['world', module.world],
    ['imports', imports.join(', ') || 'none'],
    ['linked away', origin?.linked?.join(', ') || undefined],
    ['exports', exports.join(', ')],
    ['sections', sections.map(({ name, bytes }) => `${name} ${bytes}`).join(', ')],
    ['producers', producers.map(({ name, version }) => `${name} ${version}`.trim()).join(', ') || undefined],
    ['compiler', origin?.toolchain],
    ['memory', memory && `${memory.initial} pages, at most ${memory.maximum}`],
    ['instance fuel', module.instanceFuel],
    ['price version', module.priceVersion],
    ['first step', `${smoke.trap ?? 'fine'} on ${smoke.input === 'sample' ? 'a sample' : 'an empty payload'}`],
    ['samples', trial && `${trial.samples.length} passed, of ${trial.taskType} version ${trial.taskTypeVersion}`],
  ];
}
