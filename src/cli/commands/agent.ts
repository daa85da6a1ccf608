import type { Command } from 'commander';
import { join, relative, resolve } from 'node:path';
import { ChimeraApiError, type ChimeraClient, type SampleView, type TaskTypeView } from '../../client/index.ts';
import { ChimeraError, invalidInput } from '../../contracts/errors.ts';
import { createLendingFabric } from '../../fabric/lending.ts';
import { wasmtimePath } from '../../fabric/wasmtime/release.ts';
import {
  buildAgent,
  createProject,
  LANGUAGES,
  passed,
  publicationOf,
  readProject,
  tryAgent,
  type AgentBuild,
  type AgentProject,
  type Language,
  type SampleReport,
} from '../../sdk/index.ts';
import { openArtifacts } from '../../stores/artifacts/open.ts';
import { command, group } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { fields, table, type Column } from '../output.ts';
import type { Session } from '../session.ts';
import { addVersionCommands } from './agent-versions.ts';
import { deployAgent, deployedText } from './deployments.ts';

const FOLDER = 'DIR is the folder of the agent; default: this one.';

export function addAgentSdkCommands(program: Command, session: Session): void {
  const agent = group(program, 'agent', 'write, publish and look at agents');
  command<{ lang?: string }, [string]>(agent, session, {
    name: 'new <name>',
    summary: 'a folder with a small agent that works',
    description:
      'Makes the folder NAME with a small agent that works: its source, a manifest, a task type and samples. The last part of a path is the name of the agent.',
    options: [['--lang <language>', LANGUAGES.join(', '), LANGUAGES[0]]],
    examples: [`agent new my-agent --lang ${LANGUAGES[0]}`],
    run: async (current, { lang }, name) => {
      const language = LANGUAGES.find((known) => known === lang);
      if (language === undefined)
        throw invalidInput('the command line', [{ path: '--lang', message: `must be one of ${LANGUAGES.join(', ')}` }]);
      const dir = resolve(name);
      const files = await createProject(dir, language);
      current.print({ name, language, dir, files }, createdText);
    },
  });
  command<object, [string | undefined]>(agent, session, {
    name: 'build [dir]',
    summary: 'compile it to one WebAssembly module',
    description: `Compiles the agent to build/agent.wasm, one core module without imports. ${FOLDER}`,
    examples: ['agent build my-agent', 'agent build --json'],
    run: async (current, _options, dir) => {
      const project = await readProject(resolve(dir ?? '.'));
      const build = await buildAgent(project);
      current.print(buildView(build), ({ file, bytes, sha256, toolchain }) =>
        [
          fields([
            ['module', shown(file)],
            ['bytes', bytes],
            ['sha256', sha256],
            ['compiler', toolchain],
          ]),
          next('test', project),
        ].join('\n'),
      );
    },
  });
  command<object, [string | undefined]>(agent, session, {
    name: 'test [dir]',
    summary: 'run its samples in the sandbox',
    description: `Builds the agent, passes it through the guard and runs every file of samples/ in the sandbox, twice: the result must be the one that the file expects, and the same both times. ${FOLDER}`,
    examples: ['agent test my-agent', 'agent test --json'],
    run: async (current, _options, dir) => {
      const project = await readProject(resolve(dir ?? '.'));
      const build = await buildAgent(project);
      const samples = await trial(current, project, build);
      const ok = samples.length > 0 && passed(samples);
      current.print({ ...buildView(build), ok, samples }, () =>
        [samplesText(samples), ...(ok ? [next('publish', project)] : [])].join('\n'),
      );
      return ok ? EXIT.ok : EXIT.failed;
    },
  });
  command<{ deploy?: boolean }, [string | undefined]>(agent, session, {
    name: 'publish [dir]',
    summary: 'store it as an agent version of the project',
    description: `Builds the agent and sends it to the API with its manifest, its samples and what it was made of. There it passes the guard, and its samples are run with the task type as it is registered; then it is stored as an immutable version. The same content again changes nothing. ${FOLDER}`,
    options: [['--deploy', 'let it serve its task type: see chimera deploy']],
    examples: ['agent publish my-agent', 'agent publish my-agent --deploy'],
    run: async (current, { deploy }, dir) => {
      const project = await readProject(resolve(dir ?? '.'));
      const client = current.client();
      // Known before the compiler runs, which takes its time.
      const { name: taskType } = await registered(client, project);
      const build = await buildAgent(project);
      const published = await client.publishAgent(project.name, publicationOf(project, build));
      const { version, created, samples } = published;
      const deployed = deploy === true ? await deployAgent(client, taskType, version.id) : undefined;
      current.print({ ...published, ...(deployed === undefined ? {} : { deployed }) }, () =>
        [
          passedText(samples),
          fields([
            ['version', version.id],
            ['agent', version.agent],
            ['module', `${version.module.sha256} (${version.module.bytes} bytes)`],
            ['imports', version.publication?.module.imports.join(', ') || 'none'],
            ['stored', created ? 'now' : 'before, nothing changed'],
          ]),
          deployed === undefined
            ? `next: ./chimera deploy ${version.agent} --task-type ${taskType}`
            : deployedText(deployed, project.samples.find(({ expect }) => 'output' in expect)?.input),
        ].join('\n\n'),
      );
    },
  });
  addVersionCommands(agent, session);
}

/** A path as it is typed here: from this folder where it is below, else the whole of it. */
const shown = (path: string): string => {
  const below = relative('.', path);
  return below.startsWith('..') ? path : below || '.';
};

/** The project's task type, or what to type so that there is one. */
async function registered(client: ChimeraClient, { dir, taskType: { name } }: AgentProject): Promise<TaskTypeView> {
  try {
    return await client.taskType(name);
  } catch (error) {
    if (!(error instanceof ChimeraApiError) || error.code !== 'CHIMERA_UNKNOWN_TASK_TYPE') throw error;
    const message = `register it first: ./chimera task-types register ${shown(join(dir, 'task-type.json'))}`;
    throw new ChimeraError(error.code, { name, problems: [{ path: 'task-type.json', message }] }, { cause: error });
  }
}

const next = (verb: string, { dir }: AgentProject): string => `next: ./chimera agent ${verb} ${shown(dir)}`;

function createdText({ dir, files }: { dir: string; language: Language; files: readonly string[] }): string {
  const lines = files.map((file) => `  ${shown(dir)}/${file}`);
  return ['made', ...lines, `next: ./chimera agent test ${shown(dir)}`].join('\n');
}

interface BuildView {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly toolchain: string;
}

const buildView = ({ file, module, sha256, toolchain }: AgentBuild): BuildView => ({
  file,
  bytes: module.length,
  sha256,
  toolchain,
});

/** Tries the agent in a sandbox process of its own, with its own task type; models come from the artifact store. */
async function trial({ config }: Session, project: AgentProject, build: AgentBuild): Promise<readonly SampleReport[]> {
  const artifacts = openArtifacts(config.artifacts);
  const { fabric, lendBlobs } = createLendingFabric({
    poolSize: 1,
    resolve: (sha256) => artifacts.get({ sha256 }),
    wasmtime: wasmtimePath(config.cacheDir),
  });
  lendBlobs([build]);
  try {
    const { manifest, taskType, samples } = project;
    return (await tryAgent(fabric, build.module, manifest, taskType, samples)).samples;
  } finally {
    fabric.close();
    await artifacts.close();
  }
}

function samplesText(samples: readonly SampleReport[]): string {
  const lines = [
    table(samples, [
      { title: 'SAMPLE', value: ({ sample }) => sample },
      { title: '', value: ({ problems }) => (problems.length === 0 ? 'ok' : 'FAILED') },
      ...sampleColumns,
    ]),
  ];
  for (const { sample, problems, log } of samples) {
    if (problems.length === 0) continue;
    lines.push(
      '',
      `${sample}:`,
      ...problems.map((problem) => `  ${problem}`),
      ...(log ?? []).map((line) => `  log: ${line}`),
    );
  }
  if (samples.length === 0) lines.push('there are no samples: put {"input", "expect"} into samples/NAME.json');
  return lines.join('\n');
}

const passedText = (samples: readonly SampleView[]): string =>
  table(samples, [{ title: 'SAMPLE', value: ({ sample }) => sample }, ...sampleColumns]);

const sampleColumns: Column<Pick<SampleReport, 'turns' | 'fuel' | 'output' | 'failure'>>[] = [
  { title: 'TURNS', value: ({ turns }) => turns, numeric: true },
  { title: 'FUEL', value: ({ fuel }) => fuel, numeric: true },
  { title: 'RESULT', value: ({ output, failure }) => failure ?? output },
];
