import type { Command } from 'commander';
import { createDataConverter } from '../../codec/data-converter.ts';
import { doctor } from '../../devstack/doctor.ts';
import { stopRunning, type StackStatus } from '../../devstack/status.ts';
import { applyManifest, type Change } from '../../manifest/apply.ts';
import { loadManifest, MANIFEST_FILE } from '../../manifest/manifest.ts';
import { command } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { wholeNumber } from '../input.ts';
import { fields, table } from '../output.ts';
import { progressLine } from '../progress-line.ts';
import { pageChecks } from '../page-checks.ts';
import { providerChecks } from '../provider-checks.ts';
import { queueStatus, waitingForWorkers, type QueueStatus, type WaitingWorkflow } from '../queue-status.ts';
import { sandboxChecks } from '../sandbox-checks.ts';
import { GATEWAY_URL, type Session } from '../session.ts';
import { untilInterrupted } from '../signals.ts';

export function addPlatformCommands(program: Command, session: Session): void {
  program.commandsGroup('Platform:');
  command(program, session, {
    name: 'up',
    summary: 'start everything on this machine, until Ctrl-C',
    description:
      'Starts Temporal with its web UI, PostgreSQL, the artifact store, the API and the workers, each unless the configuration names one to use, and waits until all are healthy. State stays in the data directory: the next start goes on from there. Ctrl-C stops it all.',
    examples: ['up', 'up --workers-count 2 --gateway-port 9000', 'up --home /tmp/chimera'],
    run: up,
  });
  command(program, session, {
    name: 'down',
    summary: 'stop what runs on the data directory',
    examples: ['down'],
    run: async (current) => {
      const stopped = await stopRunning(current.config.home);
      current.print({ stopped }, () => (stopped ? 'stopped' : 'nothing runs here'));
    },
  });
  command(program, session, {
    name: 'status',
    summary: 'what runs, who polls each queue, who waits for a worker',
    description: 'What runs, who polls each task queue, and who waits for a worker. Exits with 3 when nothing runs.',
    examples: ['status', 'status --json'],
    run: showStatus,
  });
  command(program, session, {
    name: 'doctor',
    summary: 'look whether this machine can run Chimera',
    description: 'Looks at everything a start needs and changes nothing. Exits with 1 when something is missing.',
    options: [['--settings', 'show every setting with its source as well']],
    examples: ['doctor', 'doctor --settings'],
    run: runDoctor,
  });
  command<{ dryRun?: boolean; file?: string }, []>(program, session, {
    name: 'apply',
    summary: 'bring the Temporal server in line with temporal.yaml',
    description:
      'Creates or updates namespace, search attributes and schedules, prints the difference, and reports what the server refuses. Applying twice changes nothing.',
    options: [
      ['--dry-run', 'only print the difference'],
      ['--file <file>', 'another manifest than the configured one'],
    ],
    examples: ['apply --dry-run', 'apply'],
    run: async (current, { dryRun = false, file = current.config.manifest ?? MANIFEST_FILE }) => {
      const manifest = loadManifest(file);
      const { client, connection } = await current.temporal();
      const changes = await applyManifest(manifest, connection, {
        dryRun,
        namespace: client.options.namespace,
        dataConverter: createDataConverter(current.config.encryptionKeys),
      });
      current.print(changes, changesText);
      return changes.some(({ action }) => action === 'refused') ? EXIT.failed : undefined;
    },
  });
  command<{ exit?: boolean; mails?: string; seed?: string }, []>(program, session, {
    name: 'demo',
    summary: 'watch the whole loop improve an agent on real mail',
    description:
      'Starts everything, streams real mail through it, and shows each step until a better agent serves: at most six minutes on two cores. Keeps running afterwards, until Ctrl-C.',
    options: [
      ['--exit', 'end when it is done'],
      ['--mails <number>', 'use so many mails only'],
      ['--seed <seed>', 'seed of every draw', 'chimera'],
    ],
    examples: ['demo', 'demo --mails 300 --exit'],
    run: async (current, { exit = false, mails, seed = 'chimera' }) => {
      // Loaded when asked for: no other command needs the example.
      const { runDemo } = await import('../demo/demo.ts');
      const count = wholeNumber('--mails', mails, 0);
      return runDemo({ session: current, exit, seed, ...(count === 0 ? {} : { mails: count }) });
    },
  });
}

async function up(session: Session): Promise<void> {
  // Loaded when asked for: it brings the whole platform with it.
  const { startPlatform } = await import('../platform.ts');
  const interrupted = untilInterrupted();
  const platform = await startPlatform(session.config, {
    onProgress: (progress) => session.say(progressLine(progress)),
    signal: interrupted.signal,
  });
  try {
    const { gatewayUrl, stack } = platform;
    const { address, uiUrl, namespace } = stack.temporal;
    session.print({ api: gatewayUrl, temporalUi: uiUrl, temporal: address, namespace, home: session.config.home }, () =>
      [
        '',
        fields([
          ['API', `${gatewayUrl} (described at /openapi.json)`],
          ['Temporal UI', uiUrl],
          ['data', session.config.home],
        ]),
        'Ctrl-C stops it all.',
      ].join('\n'),
    );
    await interrupted.promise;
    session.say('stopping');
  } finally {
    await platform.stop();
    interrupted.release();
  }
}

interface StatusReport {
  readonly running: boolean;
  readonly home: string;
  readonly stack?: Omit<StackStatus, 'databaseUrl'>;
  readonly queues?: readonly QueueStatus[];
  readonly waiting?: readonly WaitingWorkflow[];
}

async function showStatus(session: Session): Promise<ExitCode | void> {
  const { home } = session.config;
  const { stack } = session;
  const external = session.config.temporal.address !== undefined;
  if (stack === undefined && !external) {
    session.print<StatusReport>({ running: false, home }, () => `nothing runs on ${home}; chimera up starts it`);
    return EXIT.unreachable;
  }
  const { client } = await session.temporal();
  const manifest = loadManifest(session.config.manifest);
  const [queues, waiting] = await Promise.all([queueStatus(client, manifest), waitingForWorkers(client)]);
  // The URL of the database holds its password.
  const { databaseUrl: _secret, ...shown } = stack ?? { databaseUrl: '' };
  const report: StatusReport = {
    running: true,
    home,
    ...(stack === undefined ? {} : { stack: shown as Omit<StackStatus, 'databaseUrl'> }),
    queues,
    waiting,
  };
  session.print(report, statusText);
  return undefined;
}

function statusText({ home, stack, queues = [], waiting = [] }: StatusReport): string {
  const lines: string[] = [];
  if (stack !== undefined)
    lines.push(
      fields([
        ['data', home],
        ['API', stack.extra[GATEWAY_URL]],
        ['Temporal', stack.temporal.address],
        ['Temporal UI', stack.temporal.uiUrl],
        ['since', stack.startedAt],
      ]),
      '',
      table(stack.parts, [
        { title: 'PART', value: ({ name }) => name },
        { title: 'SOURCE', value: ({ source }) => source },
        { title: 'STATE', value: ({ state }) => state },
        { title: 'PID', value: ({ pid }) => pid, numeric: true },
      ]),
      '',
    );
  lines.push(
    table(queues, [
      { title: 'TASK QUEUE', value: ({ queue }) => queue },
      { title: 'KIND', value: ({ kind }) => kind },
      { title: 'WORKERS', value: ({ pollers }) => pollers, numeric: true },
    ]),
  );
  for (const { queue, pollers } of queues) if (pollers === 0) lines.push(`! no worker polls ${queue}`);
  for (const { workflowId, since } of waiting)
    lines.push(`! ${workflowId} waits for a worker of its device class, since ${since}`);
  return lines.join('\n');
}

async function runDoctor(session: Session, { settings = false }: { settings?: boolean }): Promise<ExitCode | void> {
  const checks = await doctor(session.config, [sandboxChecks, providerChecks, () => pageChecks()]);
  const shown = settings ? session.settings() : [];
  session.print({ checks, ...(settings ? { settings: shown } : {}) }, () =>
    [
      ...checks.map(
        ({ name, ok, detail, action }) => `${ok ? '✓' : '✗'} ${name}: ${detail}${action && `\n    ${action}`}`,
      ),
      ...(settings
        ? [
            '',
            table(shown, [
              { title: 'SETTING', value: ({ key }) => key },
              { title: 'VALUE', value: ({ value }) => value || '-' },
              { title: 'SOURCE', value: ({ source }) => source },
            ]),
          ]
        : []),
    ].join('\n'),
  );
  return checks.every(({ ok }) => ok) ? undefined : EXIT.failed;
}

function changesText(changes: readonly Change[]): string {
  const sign = { created: '+', updated: '~', unchanged: '=', refused: '!' };
  return changes
    .flatMap(({ action, resource, name, details }) => [
      `${sign[action]} ${resource} ${name}: ${action}`,
      ...details.map((detail) => `    ${detail}`),
    ])
    .join('\n');
}
