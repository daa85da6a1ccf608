import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { EXIT, exitCodeHelp, exitCodeOf } from '../../src/cli/exit-codes.ts';
import { createProgram } from '../../src/cli/program.ts';
import { Session } from '../../src/cli/session.ts';
import { ERRORS, type ErrorCode } from '../../src/contracts/errors.ts';
import { run } from './run.ts';

const LAUNCHER = fileURLToPath(new URL('../../chimera', import.meta.url));

describe('cli: help and exit codes', () => {
  const silent = { out: () => undefined, err: () => undefined };
  const program = createProgram(new Session(silent, {}));
  const walk = (command: Command, path: string[]): [string[], Command][] =>
    command.commands.flatMap((child): [string[], Command][] => [
      [[...path, child.name()], child],
      ...walk(child, [...path, child.name()]),
    ]);
  const commands = walk(program, []);

  it('has the commands that were promised', () => {
    const leaves = commands.filter(([, command]) => command.commands.length === 0).map(([path]) => path.join(' '));
    assert.deepEqual(leaves.sort(), [
      'agent build',
      'agent list',
      'agent new',
      'agent publish',
      'agent show',
      'agent test',
      'apply',
      'approvals answer',
      'approvals list',
      'approvals show',
      'audit list',
      'audit verify',
      'batch',
      'cycle list',
      'cycle show',
      'cycle start',
      'cycle watch',
      'datasets export',
      'datasets list',
      'dead-letters list',
      'dead-letters redrive',
      'demo',
      'deploy',
      'deployments list',
      'deployments show',
      'doctor',
      'down',
      'executions cancel',
      'executions effects',
      'executions fork',
      'executions list',
      'executions pause',
      'executions resume',
      'executions show',
      'explain',
      'feedback',
      'gc',
      'keys create',
      'keys list',
      'keys revoke',
      'ledger',
      'lineage',
      'models activate',
      'models export',
      'models import',
      'models list',
      'models merge',
      'models pull',
      'models rollback',
      'models show',
      'models verify',
      'status',
      'submit',
      'task show',
      'task-types list',
      'task-types register',
      'task-types show',
      'up',
      'verify',
    ]);
  });

  for (const [path, command] of commands)
    it(`${path.join(' ')} --help reads well`, async () => {
      const { code, out } = await run([...path, '--help']);
      assert.equal(code, EXIT.ok);
      assert.ok(command.description().length > 5);
      assert.ok(command.summary().length > 5 && !command.summary().endsWith('.'), 'a summary is a phrase');
      assert.doesNotMatch(out, /undefined|\[object/);
      if (command.commands.length > 0) return;
      const examples = [...out.matchAll(/\$ chimera (.*)/g)].map(([, line]) => line!);
      assert.ok(examples.length > 0, 'it has an example');
      for (const example of examples) assert.ok(example.startsWith(path.join(' ')), example);
      const named = new Set(examples.flatMap((example) => [...example.matchAll(/--[a-z-]+/g)].map(([flag]) => flag)));
      const known = [...command.options, ...program.options].map(({ long }) => long);
      for (const flag of named) assert.ok(known.includes(flag), `an example uses ${flag}, which is no option`);
    });

  it('documents every exit code, and gives every error one', async () => {
    const { out } = await run(['--help']);
    assert.ok(out.includes(exitCodeHelp()));
    for (const code of Object.values(EXIT)) assert.match(exitCodeHelp(), new RegExp(`^  ${code}  \\w`, 'm'));
    for (const code of Object.keys(ERRORS) as ErrorCode[]) assert.notEqual(exitCodeOf(code), EXIT.ok, code);
    assert.equal(exitCodeOf('CHIMERA_INVALID_INPUT'), EXIT.usage);
    assert.equal(exitCodeOf('CHIMERA_NOT_FOUND'), EXIT.notFound);
    assert.equal(exitCodeOf('CHIMERA_CONFLICT'), EXIT.conflict);
    assert.equal(exitCodeOf('CHIMERA_UNREACHABLE'), EXIT.unreachable);
    assert.equal(exitCodeOf('CHIMERA_UNAUTHENTICATED'), EXIT.denied);
    assert.equal(exitCodeOf('CHIMERA_CHAIN_BROKEN'), EXIT.failed);
  });

  const table: [string, string[], number, RegExp][] = [
    ['no command', [], EXIT.usage, /^$/],
    ['an unknown command', ['frobnicate'], EXIT.usage, /unknown command 'frobnicate'/],
    ['an unknown option', ['submit', '--colour'], EXIT.usage, /unknown option '--colour'/],
    ['a missing argument', ['task', 'show'], EXIT.usage, /missing required argument 'id'/],
    [
      'an option that must be a number',
      ['ledger', '--limit', 'many', '--database-url', 'postgres://x@127.0.0.1:1/x'],
      EXIT.usage,
      /--limit: must be a whole number, not many/,
    ],
    ['a missing task type', ['submit'], EXIT.usage, /--task-type: is required/],
    ['two verdicts at once', ['feedback', 't', '--right', '--wrong'], EXIT.usage, /give one of --right/],
    ['a verdict about nothing', ['feedback', '--right'], EXIT.usage, /give a task or --key/],
    [
      'a demonstration that is not JSON',
      ['feedback', 't', '--demonstration', '{'],
      EXIT.usage,
      /not JSON: --demonstration/,
    ],
    [
      'settings that are no object',
      ['cycle', 'start', '--task-type', 'x', '--settings', '[1]'],
      EXIT.usage,
      /--settings: must be a JSON object/,
    ],
    ['a fork from nowhere', ['executions', 'fork', 'x'], EXIT.usage, /--turn: is required/],
    [
      'limits that are not JSON',
      ['executions', 'fork', 'x', '--turn', '1', '--limits', '{'],
      EXIT.usage,
      /not JSON: --limits/,
    ],
    [
      'a file that is not there',
      ['task-types', 'register', '/nonexistent.json'],
      EXIT.usage,
      /there is no file \/nonexistent\.json/,
    ],
    [
      'a wrong configuration',
      ['status', '--gateway-port', '99999'],
      EXIT.usage,
      /flag --gateway-port: must be 0 to 65535/,
    ],
    ['nothing that runs', ['models', 'list'], EXIT.unreachable, /PostgreSQL is not reachable[\s\S]*chimera up/],
    ['no Temporal', ['apply'], EXIT.unreachable, /Temporal is not reachable/],
    [
      'no API',
      ['task', 'show', 't', '--url', 'http://127.0.0.1:1'],
      EXIT.unreachable,
      /not reachable at http:\/\/127\.0\.0\.1:1/,
    ],
  ];
  for (const [what, argv, code, says] of table)
    it(`refuses ${what}`, async () => {
      const ran = await run(argv);
      assert.equal(ran.code, code, ran.err);
      assert.match(ran.err, says);
      assert.doesNotMatch(ran.err, /\n\s+at /, 'no stack trace');
    });

  it('prints errors as JSON with --json, and where they happened with --debug', async () => {
    const { err } = await run(['models', 'list', '--json']);
    assert.equal((JSON.parse(err) as { error: { code: string } }).error.code, 'CHIMERA_UNREACHABLE');
    assert.match((await run(['models', 'list', '--debug'])).err, /\n\s+at /);
  });

  it('says what runs when nothing does', async () => {
    const { code, out } = await run(['status', '--json']);
    assert.equal(code, EXIT.unreachable);
    assert.deepEqual(JSON.parse(out), { running: false, home: '/nonexistent/chimera' });
  });

  describe('launcher', () => {
    let folder: string;
    before(() => {
      folder = mkdtempSync(join(tmpdir(), 'chimera-launcher-'));
    });
    after(() => rmSync(folder, { recursive: true, force: true }));

    it('finds its Node from anywhere and through a link', () => {
      symlinkSync(LAUNCHER, join(folder, 'linked'));
      const out = execFileSync(join(folder, 'linked'), ['keys', '--help'], {
        cwd: '/',
        env: { PATH: '/usr/bin:/bin' },
      });
      assert.match(out.toString(), /Usage: chimera keys/);
    });

    it('says what to do where npm ci was not run', () => {
      cpSync(LAUNCHER, join(folder, 'chimera'));
      const { status, stderr } = spawnSync(join(folder, 'chimera'), ['up'], { encoding: 'utf8' });
      assert.equal(status, EXIT.usage);
      assert.match(stderr, /not installed[\s\S]*npm ci/);
    });
  });
});
