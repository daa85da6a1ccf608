import { Command, CommanderError } from 'commander';
import { flagName, SETTINGS } from '../config/settings.ts';
import { addAgentSdkCommands } from './commands/agent.ts';
import { addAgentCommands } from './commands/agents.ts';
import { addApprovalCommands } from './commands/approvals.ts';
import { addAuditCommands } from './commands/audit.ts';
import { addCycleCommands } from './commands/cycles.ts';
import { addDeploymentCommands } from './commands/deployments.ts';
import { addExecutionCommands } from './commands/executions.ts';
import { addPlatformCommands } from './commands/platform.ts';
import { addRegistryCommands } from './commands/registry.ts';
import { addTaskTypeCommands } from './commands/task-types.ts';
import { addTaskCommands } from './commands/tasks.ts';
import { addVerifyCommand } from './commands/verify.ts';
import { exitCodeOfRun } from './command.ts';
import { EXIT, exitCodeHelp, type ExitCode } from './exit-codes.ts';
import { printError, type Io } from './output.ts';
import { Session } from './session.ts';

/** Settings that any command may want to override; the others belong to the file and the environment. */
const FLAGS: readonly string[] = [
  'home',
  'project',
  'databaseUrl',
  'temporal.address',
  'gateway.port',
  'temporalUiPort',
  'workers.count',
  'models.manifest',
  'logLevel',
];

/** The whole command line, bound to a session. */
export function createProgram(session: Session): Command {
  const program = new Command('chimera');
  program
    .description('Chimera: agents that get better on your own work, as a Temporal application')
    .helpCommand(false)
    .showHelpAfterError('(chimera --help lists the commands, chimera COMMAND --help explains one)')
    .configureHelp({ sortSubcommands: false })
    .configureOutput({ writeOut: session.io.out, writeErr: session.io.err })
    .exitOverride();
  program.optionsGroup('Options of every command:');
  program
    .option('--json', 'print data as JSON, errors too')
    .option('--debug', 'show where an error happened')
    .option('--url <url>', 'base URL of the API; default: that of the running stack')
    .option('--api-key <key>', 'API key; default: $CHIMERA_API_KEY, else the key of the running stack');
  for (const { key, kind, help } of SETTINGS.filter((setting) => FLAGS.includes(setting.key)))
    program.option(`--${flagName(key)} <${kind === 'integer' ? 'number' : 'value'}>`, help);
  program.addHelpText('after', `\n${exitCodeHelp()}`);
  addPlatformCommands(program, session);
  addTaskCommands(program, session);
  addExecutionCommands(program, session);
  addApprovalCommands(program, session);
  addTaskTypeCommands(program, session);
  addAgentCommands(program, session);
  addAgentSdkCommands(program, session);
  addDeploymentCommands(program, session);
  addCycleCommands(program, session);
  addAuditCommands(program, session);
  addVerifyCommand(program, session);
  addRegistryCommands(program, session);
  return program;
}

/** Runs one command line. Never throws: what went wrong is printed, and the exit code says of what kind it was. */
export async function runCli(argv: readonly string[], io: Io, env: NodeJS.ProcessEnv = process.env): Promise<ExitCode> {
  const session = new Session(io, env);
  const program = createProgram(session);
  try {
    if (argv.length === 0) {
      program.outputHelp();
      return EXIT.usage;
    }
    await program.parseAsync(argv, { from: 'user' });
    return exitCodeOfRun(session);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    // An error before the options were parsed has nobody else to ask.
    return printError(io, error, {
      json: session.json || argv.includes('--json'),
      debug: session.debug || argv.includes('--debug'),
    });
  } finally {
    await session.close().catch(() => undefined);
  }
}
