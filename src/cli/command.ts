import type { Command } from 'commander';
import type { ExitCode } from './exit-codes.ts';
import type { Session } from './session.ts';

export interface CommandSpec<Options, Arguments extends readonly unknown[]> {
  /** Name and arguments: `show <id>`. */
  readonly name: string;
  readonly summary: string;
  /** More than the summary says; shown in the command's own help. */
  readonly description?: string;
  /** `[flags, help]` or `[flags, help, default]`. */
  readonly options?: readonly (readonly [string, string] | readonly [string, string, string])[];
  /** Command lines without the leading `chimera`. */
  readonly examples: readonly string[];
  /** Returns an exit code where it is not 0. */
  readonly run: (session: Session, options: Options, ...args: Arguments) => Promise<ExitCode | void>;
}

/** The exit code of the command that ran; commander has no return value of its own. */
const exitCodes = new WeakMap<Session, ExitCode>();

export function exitCodeOfRun(session: Session): ExitCode {
  return exitCodes.get(session) ?? 0;
}

const SEE_ALSO = 'Options and exit codes of every command: chimera --help';

/** Adds a command that does something. */
export function command<Options extends object, Arguments extends readonly unknown[]>(
  parent: Command,
  session: Session,
  spec: CommandSpec<Options, Arguments>,
): void {
  const added = parent
    .command(spec.name)
    .summary(spec.summary)
    .description(spec.description ?? spec.summary);
  for (const [flags, help, value] of spec.options ?? []) added.option(flags, help, value);
  const lines = spec.examples.map((example) => `  $ chimera ${example}`);
  added.addHelpText('after', `\n${lines.length === 1 ? 'Example' : 'Examples'}:\n${lines.join('\n')}\n\n${SEE_ALSO}`);
  added.action(async (...given: unknown[]) => {
    // Commander appends the options and the command itself to the arguments.
    const args = given.slice(0, -2);
    session.setOptions(added.optsWithGlobals());
    const code = await spec.run(session, given.at(-2) as Options, ...(args as unknown as Arguments));
    if (code !== undefined) exitCodes.set(session, code);
  });
}

/** Adds a command that only has commands. */
export function group(parent: Command, name: string, summary: string): Command {
  return parent.command(name).summary(summary).description(summary).helpCommand(false);
}
