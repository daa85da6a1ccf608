import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { ChimeraError } from '../../contracts/errors.ts';
import { LruMap } from '../lru.ts';
import { WASMTIME_FLAG, packBatch, unpackResult } from '../protocol.ts';
import type { Batch, Blob, FromChild, ToChild } from '../protocol.ts';
import { CPU_LIMIT_SECONDS, sandboxWalls } from './walls.ts';

/** A batch on its way: what it needs, how long it may take, whom to tell. */
export interface Ticket {
  readonly batch: Batch;
  /** Content it refers to by hash. */
  readonly blobs: readonly Blob[];
  /** Milliseconds of wall time from its start in the child. */
  readonly deadlineMs: number;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** What runs in a sandbox process. */
export interface SandboxProgram {
  readonly entry: string;
  /** The wasmtime library, where agents are to run on it. */
  readonly wasmtime?: string;
}

export interface SandboxEvents {
  /** A slot became free. */
  idle(): void;
  /** The process is gone; tickets that it had not begun come back. */
  gone(unbegun: readonly Ticket[]): void;
}

/** Batches that lie in the child at once: one at work and one behind it, so that it never waits for the parent. */
const PIPELINE = 2;
/** Bytes of modules and models that one process keeps. */
const BLOB_BYTES = 256 * 1_048_576;
const START_MS = 60_000;

/** One sandbox process, from its start to its death. It is never restarted; the pool makes a new one. */
export class SandboxProcess {
  readonly #child: ChildProcess;
  readonly #events: SandboxEvents;
  readonly #tickets = new Map<number, Ticket>();
  readonly #delivered = new LruMap<string, true>(BLOB_BYTES);
  #nextId = 1;
  #timer: NodeJS.Timeout | undefined;
  #stderr = '';
  #ready = false;
  #gone = false;
  #retiring = false;

  constructor({ entry, wasmtime }: SandboxProgram, events: SandboxEvents) {
    this.#events = events;
    const [program, ...flags] = sandboxWalls().command(wasmtime);
    const engine = wasmtime === undefined ? [] : [`${WASMTIME_FLAG}${wasmtime}`];
    this.#child = spawn(program, [...flags, entry, ...engine], {
      env: {},
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-2000);
    });
    this.#child.on('message', (message: FromChild) => this.#receive(message));
    this.#child.on('error', (error) => this.#end(this.#crash(error.message)));
    this.#child.on('exit', (code, signal) => this.#end(this.#crash(signal ?? `exit code ${code}`)));
    this.#timer = setTimeout(() => this.kill(this.#crash('it did not start in time')), START_MS);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get free(): number {
    return this.#gone || this.#retiring ? 0 : PIPELINE - this.#tickets.size;
  }

  get busy(): boolean {
    return this.#tickets.size > 0;
  }

  /** Was all of this sent to it, and is still there? */
  has(blobs: readonly Blob[]): boolean {
    return blobs.every(({ sha256 }) => this.#delivered.has(sha256));
  }

  send(ticket: Ticket): void {
    const missing = ticket.blobs.filter(({ sha256 }) => this.#delivered.get(sha256) === undefined);
    if (missing.length > 0) this.#post({ type: 'blobs', blobs: missing });
    const needed = new Set(ticket.blobs.map(({ sha256 }) => sha256));
    const evicted = missing.flatMap(({ sha256, bytes }) => this.#delivered.set(sha256, true, bytes.length));
    const unneeded = evicted.filter((sha256) => !needed.has(sha256));
    const id = this.#nextId++;
    this.#tickets.set(id, ticket);
    this.#post({ type: 'batch', id, ...packBatch(ticket.batch) });
    if (unneeded.length > 0) this.#post({ type: 'evict', sha256s: unneeded });
    if (this.#ready && this.#tickets.size === 1) this.#watch();
  }

  /** Ends the process at once. The ticket at work is rejected with `error`. */
  kill(error: Error): void {
    this.#child.kill('SIGKILL');
    this.#end(error);
  }

  #post(message: ToChild): void {
    this.#child.send(message, (error) => {
      if (error !== null) this.kill(this.#crash(error.message));
    });
  }

  #crash(why: string): ChimeraError {
    const lines = this.#stderr.trim().split('\n').slice(-3).join(' | ');
    return new ChimeraError('CHIMERA_SANDBOX_CRASHED', { why: lines === '' ? why : `${why}: ${lines}` });
  }

  /** The deadline of the batch at work; the one behind it has not begun. */
  #watch(): void {
    clearTimeout(this.#timer);
    const [ticket] = this.#tickets.values();
    if (ticket === undefined) return;
    const { deadlineMs, batch } = ticket;
    this.#timer = setTimeout(() => {
      this.kill(new ChimeraError('CHIMERA_WALL_DEADLINE', { what: `a batch (${batch.kind})`, limit: deadlineMs }));
    }, deadlineMs);
  }

  #receive(message: FromChild): void {
    if (this.#gone) return;
    if (message.type === 'ready') {
      this.#ready = true;
      clearTimeout(this.#timer);
      this.#watch();
      return;
    }
    const ticket = this.#tickets.get(message.id);
    if (ticket === undefined) return;
    let settle: () => void;
    try {
      settle = settling(ticket, message);
    } catch (error) {
      this.kill(this.#crash(`its answer cannot be read: ${(error as Error).message}`));
      return;
    }
    this.#tickets.delete(message.id);
    clearTimeout(this.#timer);
    this.#watch();
    if (message.cpuSeconds > CPU_LIMIT_SECONDS / 2) this.#retiring = true;
    settle();
    if (this.#retiring && !this.busy) this.kill(this.#crash('retired'));
    else this.#events.idle();
  }

  #end(error: Error): void {
    if (this.#gone) return;
    this.#gone = true;
    clearTimeout(this.#timer);
    const [head, ...unbegun] = this.#tickets.values();
    this.#tickets.clear();
    // A process that never got ready has begun nothing, but its head pays, so that a broken entry cannot loop for ever.
    head?.reject(error);
    this.#events.gone(unbegun);
  }
}

/** What a ticket is told. Throws where the answer is none: an agent may have taken the process over. */
function settling(ticket: Ticket, answer: Exclude<FromChild, { type: 'ready' }>): () => void {
  if (answer.type === 'done') {
    const result = unpackResult(ticket.batch, answer.result);
    return () => ticket.resolve(result);
  }
  const error = new ChimeraError(answer.error.code, answer.error.details);
  return () => ticket.reject(error);
}
