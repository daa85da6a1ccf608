import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { ChimeraError } from '../contracts/errors.ts';
import type { Reaper } from './reaper.ts';

export interface Launch {
  /** For people: `PostgreSQL`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly logFile: string;
  /** Where the process ID is kept for whoever comes after us, for servers that keep none themselves. */
  readonly pidFile?: string;
  /** Resolves true once the server answers; asked again and again until then. */
  readonly isReady: () => Promise<boolean>;
  readonly readyLimitMs: number;
  /** How it is asked to stop, and how long it may take before it is killed. */
  readonly stopSignal: NodeJS.Signals;
  readonly stopLimitMs: number;
}

const MAX_LOG_BYTES = 10 * 1024 * 1024;
/** A server that dies more often than this within a minute is broken: it is left down. */
const MAX_RESTARTS_A_MINUTE = 5;

/** A server process: started until healthy, watched, restarted after a crash where asked, stopped cleanly. */
export class ManagedProcess {
  readonly #launch: Launch;
  readonly #reaper: Reaper;
  readonly #onRestart: ((message: string) => void) | undefined;
  #child: ChildProcess | undefined;
  #gone: Promise<void> = Promise.resolve();
  /** The next exit is one we asked for. */
  #expected = true;
  #restarts: number[] = [];
  #restarting: Promise<void> | undefined;

  /** @param onRestart given: a crash is answered by a restart, and this hears of it */
  constructor(launch: Launch, reaper: Reaper, onRestart?: (message: string) => void) {
    this.#launch = launch;
    this.#reaper = reaper;
    this.#onRestart = onRestart;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** @throws {ChimeraError} CHIMERA_SETUP with the end of the server's log when it does not become healthy */
  async start(): Promise<void> {
    const { name, command, args, env, cwd, uid, gid, logFile } = this.#launch;
    rotate(logFile);
    const log = openSync(logFile, 'a', 0o600);
    const from = statSync(logFile).size;
    const child = spawn(command, args, {
      cwd,
      env,
      // To files: a pipe would break when this process dies, and take the server down in the middle of a write.
      stdio: ['ignore', log, log],
      detached: true,
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    });
    closeSync(log);
    child.unref();
    this.#child = child;
    this.#expected = false;
    let failure: string | undefined;
    this.#gone = new Promise((resolve) => {
      const ended = (why: string): void => {
        failure ??= why;
        if (child.pid !== undefined) this.#reaper.remove(child.pid);
        if (this.#child === child) this.#child = undefined;
        resolve();
      };
      child.once('error', (error) => ended(error.message));
      child.once('exit', (code, signal) => ended(signal === null ? `it exited with ${code}` : `it died of ${signal}`));
    });
    if (child.pid !== undefined) {
      this.#reaper.add(child.pid);
      if (this.#launch.pidFile !== undefined) writeFileSync(this.#launch.pidFile, String(child.pid));
    }

    const end = performance.now() + this.#launch.readyLimitMs;
    // Health counts only while our process lives: a stranger may answer on the port that ours found taken.
    while (!(await this.#launch.isReady()) || failure !== undefined) {
      if (failure === undefined && performance.now() >= end) {
        await this.kill('SIGKILL');
        failure = `it does not answer after ${this.#launch.readyLimitMs / 1000} s`;
      }
      if (failure !== undefined) {
        const why = `${failure}\n${tail(logFile, from)}`.trim();
        throw new ChimeraError('CHIMERA_SETUP', { what: name, why, log: logFile });
      }
      await delay(15);
    }
    void this.#gone.then(() => this.#crashed(failure ?? 'it ended'));
  }

  /** Sends a signal, as an operator or a fault would, and waits until the process is gone. It stays down. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    this.#expected = true;
    // While we wait for it, the child keeps this process alive.
    this.#child?.ref();
    this.#child?.kill(signal);
    await this.#gone;
  }

  /** Stops the process, if it runs, and starts it with the same ports and data. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Asks the process to stop; kills it when it takes too long. */
  async stop(): Promise<void> {
    this.#expected = true;
    await this.#restarting?.catch(() => {});
    this.#expected = true;
    this.#child?.ref();
    this.#child?.kill(this.#launch.stopSignal);
    const stopped = new AbortController();
    const late = delay(this.#launch.stopLimitMs, 'late', { signal: stopped.signal }).catch(() => 'gone');
    if ((await Promise.race([this.#gone, late])) === 'late') this.#child?.kill('SIGKILL');
    stopped.abort();
    await this.#gone;
  }

  #crashed(why: string): void {
    if (this.#expected || this.#onRestart === undefined) return;
    const now = performance.now();
    this.#restarts = [...this.#restarts.filter((at) => now - at < 60_000), now];
    if (this.#restarts.length > MAX_RESTARTS_A_MINUTE) {
      this.#onRestart(`${this.#launch.name}: ${why}; it died too often and stays down, see ${this.#launch.logFile}`);
      return;
    }
    this.#onRestart(`${this.#launch.name}: ${why}; starting it again`);
    this.#restarting = this.start().then(
      () => this.#onRestart?.(`${this.#launch.name} is back`),
      (error: Error) => this.#onRestart?.(error.message),
    );
  }
}

function rotate(logFile: string): void {
  const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MAX_LOG_BYTES) renameSync(logFile, `${logFile}.1`);
}

/** The last lines that were written to a log since it had `from` bytes. */
function tail(logFile: string, from: number): string {
  return readFileSync(logFile).subarray(from).toString('utf8').trimEnd().split('\n').slice(-8).join('\n');
}
