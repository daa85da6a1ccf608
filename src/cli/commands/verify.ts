import type { Command } from 'commander';
import { ChimeraError, invalidInput } from '../../contracts/errors.ts';
import { wasmtimePath } from '../../fabric/wasmtime/release.ts';
import { loadModels } from '../../learning/registry/manifest.ts';
import type { Check } from '../../verify/check.ts';
import { command } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { resolveAgent } from '../resolve-agent.ts';
import type { Session } from '../session.ts';
import { untilInterrupted } from '../signals.ts';

interface VerifyOptions {
  readonly rederive?: boolean;
  readonly agent?: string;
  readonly taskType?: string;
  readonly fast?: boolean;
}

export function addVerifyCommand(program: Command, session: Session): void {
  command<VerifyOptions, []>(program, session, {
    name: 'verify',
    summary: 'derive what is stored again from what it was made from',
    description:
      'Without --rederive: recomputes the audit chain and the hash of every artifact. With it also: routing of every task from the deployment history; executions by running them again; scores, windows and drift alarms from the stream; datasets, models, searches, agent modules and rollout decisions from their recorded settings. Exits with 1 and names the first difference.',
    options: [
      ['--rederive', 'derive everything again, not only hashes'],
      ['--agent <agent>', 'only what this version came from: an ID or its beginning, a name, or "champion"'],
      ['--task-type <name>', 'whose champion; default: the only task type'],
      ['--fast', 'run no agent again: trust stored executions and evaluations'],
    ],
    examples: ['verify', 'verify --rederive', 'verify --rederive --agent champion', 'verify --rederive --fast --json'],
    run: verify,
  });
}

async function verify(session: Session, options: VerifyOptions): Promise<ExitCode | void> {
  const { rederive: all = false, agent, taskType, fast = false } = options;
  if (!all && (agent !== undefined || fast))
    throw invalidInput('the command line', [{ path: '--rederive', message: 'is what --agent and --fast belong to' }]);
  const stores = session.stores();
  const { project } = session;
  const version = agent === undefined ? undefined : await resolveAgent(stores, project, agent, taskType);
  // Loaded when asked for: they bring the sandbox with them.
  const [{ rederive }, { checkArtifacts }, { createLendingFabric }, { hostOf, openLearning }] = await Promise.all([
    import('../../verify/rederive.ts'),
    import('../../verify/artifacts.ts'),
    import('../../fabric/lending.ts'),
    import('../../learning/learning.ts'),
  ]);
  const interrupted = untilInterrupted();
  const { cacheDir, models } = session.config;
  const resolve = (sha256: string): Promise<Uint8Array> => stores.artifacts.get({ sha256 });
  const learning = openLearning({ cacheDir, models: loadModels(models.manifest), resolve });
  const { fabric, lendBlobs } = createLendingFabric({
    resolve,
    wasmtime: wasmtimePath(cacheDir),
    hosted: hostOf(learning),
  });
  const deps = { stores, fabric, lendBlobs, learning, project, signal: interrupted.signal };
  const onCheck = (check: Check): void => session.say(checkLine(check));
  const checks: Check[] = [];
  try {
    const chain = await checkAudit(session);
    onCheck(chain);
    checks.push(chain);
    if (all)
      checks.push(...(await rederive(deps, { fast, onCheck, ...(version === undefined ? {} : { agent: version }) })));
    else {
      const artifacts = await checkArtifacts(deps, [], true);
      onCheck(artifacts);
      checks.push(artifacts);
    }
  } finally {
    fabric.close();
    await learning.close();
    interrupted.release();
  }
  const ok = checks.every(({ differing }) => differing === 0);
  session.print({ ok, checks }, () => conclusion(checks));
  return ok ? undefined : EXIT.failed;
}

async function checkAudit(session: Session): Promise<Check> {
  const { audit } = session.stores();
  await audit.seal(session.project);
  const chain = { what: 'entries of the audit chain', count: 0, differences: [], differing: 0 };
  try {
    return { ...chain, count: (await audit.verify(session.project)).entries };
  } catch (error) {
    if (!(error instanceof ChimeraError) || error.code !== 'CHIMERA_CHAIN_BROKEN') throw error;
    const { seq, why } = error.details as { seq?: unknown; why?: unknown };
    const broken = { subject: `entry ${String(seq)}`, stored: String(why), derived: 'another hash' };
    return { ...chain, differences: [broken], differing: 1 };
  }
}

function checkLine({ what, count, note, differing }: Check): string {
  const verdict = differing === 0 ? 'ok' : `${differing} differ`;
  return `${differing === 0 ? '✓' : '✗'} ${what.padEnd(36)} ${String(count).padStart(7)}  ${verdict}${note === undefined ? '' : `  (${note})`}`;
}

function conclusion(checks: readonly Check[]): string {
  const total = checks.reduce((sum, { count }) => sum + count, 0);
  const first = checks.find(({ differing }) => differing > 0)?.differences[0];
  if (first === undefined) return `\n${total} things hold.`;
  return `\nThe first difference is ${first.subject}:\n  stored   ${first.stored}\n  derived  ${first.derived}`;
}
