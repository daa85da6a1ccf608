import type { Command } from 'commander';
import { relative, resolve } from 'node:path';
import { invalidInput } from '../../contracts/errors.ts';
import type { TaskType } from '../../core/validation/task-type.ts';
import { createFabric } from '../../fabric/index.ts';
import { wasmtimePath } from '../../fabric/wasmtime/release.ts';
import {
  buildAgent,
  createProject,
  LANGUAGES,
  publishAgent,
  readProject,
  registeredTaskType,
  tryAgent,
  type AgentBuild,
  type AgentProject,
  type Language,
  type TrialReport,
} from '../../sdk/index.ts';
import { openArtifacts } from '../../stores/artifacts/open.ts';
import { command, group } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { fields, table } from '../output.ts';
import type { Session } from '../session.ts';

const FOLDER = 'DIR is the folder of the agent; default: this one.';

export function addAgentSdkCommands(program: Command, session: Session): void {
  const agent = group(program, 'agent', 'write an agent: new, build, test, publish');
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
      const report = await trial(current, project, build, project.taskType);
      current.print({ ...buildView(build), ok: report.ok, samples: report.samples }, () =>
        [reportText(report), ...(report.ok ? [next('publish', project)] : [])].join('\n'),
      );
      return report.ok ? EXIT.ok : EXIT.failed;
    },
  });
  command<{ deploy?: boolean }, [string | undefined]>(agent, session, {
    name: 'publish [dir]',
    summary: 'store it as an agent version of the project',
    description: `Builds the agent, runs its samples with the task type as it is registered, and stores the module as an immutable version with its manifest; the audit log keeps compiler, sources by hash, imports and exports. The same content again changes nothing. ${FOLDER}`,
    options: [['--deploy', 'make it the first champion of its task type']],
    examples: ['agent publish my-agent', 'agent publish my-agent --deploy'],
    run: async (current, { deploy }, dir) => {
      const project = await readProject(resolve(dir ?? '.'));
      const stores = current.stores();
      const taskType = await registeredTaskType(stores, current.project, project);
      const build = await buildAgent(project);
      const report = await trial(current, project, build, taskType);
      if (!report.ok) {
        current.print({ ...buildView(build), ok: false, samples: report.samples }, () => reportText(report));
        return EXIT.failed;
      }
      const version = await publishAgent(stores, current.project, project, build, report);
      if (deploy === true) await current.client().deploy(taskType.name, version.id);
      const serves = deploy === true ? taskType.name : undefined;
      current.print({ ...version, serves, samples: report.samples }, () =>
        [
          fields([
            ['version', version.id],
            ['agent', version.agent],
            ['module', `${version.module.sha256} (${version.module.bytes} bytes)`],
            ['imports', 'none'],
            ['serves', serves],
          ]),
          `next: ./chimera agents show ${version.agent}`,
        ].join('\n'),
      );
      return EXIT.ok;
    },
  });
}

const shown = (path: string): string => relative('.', path) || '.';

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

/** Tries the agent in a sandbox process of its own; models come from the artifact store. */
async function trial(
  { config }: Session,
  project: AgentProject,
  build: AgentBuild,
  taskType: TaskType,
): Promise<TrialReport> {
  const artifacts = openArtifacts(config.artifacts);
  const fabric = createFabric({
    poolSize: 1,
    resolve: async (sha256) => (sha256 === build.sha256 ? build.module : artifacts.get({ sha256 })),
    wasmtime: wasmtimePath(config.cacheDir),
  });
  try {
    return await tryAgent(fabric, project, build, taskType);
  } finally {
    fabric.close();
    await artifacts.close();
  }
}

function reportText({ samples }: TrialReport): string {
  const lines = [
    table(samples, [
      { title: 'SAMPLE', value: ({ sample }) => sample },
      { title: '', value: ({ problems }) => (problems.length === 0 ? 'ok' : 'FAILED') },
      { title: 'TURNS', value: ({ turns }) => turns, numeric: true },
      { title: 'FUEL', value: ({ fuel }) => fuel, numeric: true },
      { title: 'RESULT', value: ({ output, failure }) => failure ?? output },
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
