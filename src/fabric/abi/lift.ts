import { EFFECT_KINDS } from '../../contracts/records.ts';
import type { ExecutionLimits } from '../../contracts/records.ts';
import type { Outcome, RawEffect, TrapKind } from '../../core/execution/types.ts';
import { Trap } from './trap.ts';

const STEP_RESULT_BYTES = 28;
const EFFECT_BYTES = 12;
const STRING_BYTES = 8;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A reader of the agent's memory that believes nothing: every range is checked before it is touched. */
class Memory {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(buffer: ArrayBuffer) {
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
  }

  /** Checks [pointer, pointer + size). */
  range(what: string, pointer: number, size: number, alignment = 1): void {
    if (pointer % alignment !== 0) throw new Trap('bad-outcome', `${what} is not aligned to ${alignment}`);
    if (pointer + size > this.#bytes.length) {
      throw new Trap('bad-outcome', `${what} lies outside of memory: ${size} bytes at ${pointer}`);
    }
  }

  u8(at: number): number {
    return this.#view.getUint8(at);
  }

  u32(at: number): number {
    return this.#view.getUint32(at, true);
  }

  /** A copy of the list<u8> whose (pointer, length) lies at `at`. The limit counts before anything is copied. */
  bytes(what: string, at: number, limit: number, kind: TrapKind): Uint8Array {
    const pointer = this.u32(at);
    const length = this.u32(at + 4);
    this.range(what, pointer, length);
    if (length > limit) throw new Trap(kind, `${what} has ${length} bytes, the limit is ${limit}`);
    return this.#bytes.slice(pointer, pointer + length);
  }

  text(what: string, at: number, limit: number, kind: TrapKind): string {
    try {
      return utf8.decode(this.bytes(what, at, limit, kind));
    } catch (error) {
      if (error instanceof Trap) throw error;
      throw new Trap('bad-outcome', `${what} is not UTF-8`);
    }
  }

  /** Pointer and length of a list of records. */
  list(what: string, at: number, itemBytes: number, limit: number, kind: TrapKind): [pointer: number, length: number] {
    const pointer = this.u32(at);
    const length = this.u32(at + 4);
    this.range(what, pointer, length * itemBytes, 4);
    if (length > limit) throw new Trap(kind, `${what} has ${length} items, the limit is ${limit}`);
    return [pointer, length];
  }
}

export interface Lifted {
  readonly state: Uint8Array;
  readonly outcome: Outcome;
  readonly log: readonly string[];
}

/** Reads the `step-result` at `pointer`. Throws {@link Trap} at the first thing that is not as the ABI says. */
export function liftStepResult(buffer: ArrayBuffer, pointer: number, limits: ExecutionLimits): Lifted {
  const memory = new Memory(buffer);
  const at = pointer >>> 0;
  memory.range('the result', at, STEP_RESULT_BYTES, 4);
  const state = memory.bytes('the state', at, limits.stateBytes, 'state-too-large');
  const outcome = liftOutcome(memory, at + 8, limits);
  const log: string[] = [];
  const [lines, count] = memory.list('the log', at + 20, STRING_BYTES, limits.logBytes, 'log-too-large');
  let left = limits.logBytes;
  for (let i = 0; i < count; i++) {
    const entry = lines + i * STRING_BYTES;
    log.push(memory.text('a log line', entry, left, 'log-too-large'));
    left -= memory.u32(entry + 4);
  }
  return { state, outcome, log };
}

function liftOutcome(memory: Memory, at: number, limits: ExecutionLimits): Outcome {
  const discriminant = memory.u8(at);
  switch (discriminant) {
    case 0:
      return { kind: 'done', output: memory.bytes('the output', at + 4, limits.outputBytes, 'output-too-large') };
    case 1:
      return { kind: 'fail', reason: memory.text('the reason', at + 4, limits.outputBytes, 'output-too-large') };
    case 2:
      return { kind: 'effects', effects: liftEffects(memory, at + 4, limits) };
    default:
      throw new Trap('bad-outcome', `outcome ${discriminant} does not exist`);
  }
}

function liftEffects(memory: Memory, at: number, limits: ExecutionLimits): RawEffect[] {
  const [first, count] = memory.list('the effects', at, EFFECT_BYTES, limits.effectsPerTurn, 'too-many-effects');
  const effects: RawEffect[] = [];
  let left = limits.outputBytes;
  for (let i = 0; i < count; i++) {
    const item = first + i * EFFECT_BYTES;
    const kind = EFFECT_KINDS[memory.u8(item)];
    if (kind === undefined) throw new Trap('bad-outcome', `effect kind ${memory.u8(item)} does not exist`);
    const request = memory.bytes('a request', item + 4, left, 'output-too-large');
    left -= request.length;
    effects.push({ kind, request });
  }
  return effects;
}
