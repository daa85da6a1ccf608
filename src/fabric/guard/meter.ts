import type { ByteWriter } from '../../core/wasm/bytes.ts';
import { BLOCK_ONE, BLOCK_VOID, newInstruction, readInstruction } from './instruction.ts';
import { CEILINGS } from './module.ts';
import type { FunctionBody, FunctionType } from './module.ts';
import { OPCODE, SIZED_MISC } from './opcodes.ts';
import { PRICES, SLOTS_PER_FRAME } from './prices.ts';
import { Reader } from './reader.ts';
import { refuse } from './refusal.ts';

/** Indices of what the rewriter appends to a module. */
export interface Counters {
  /** Global of the fuel that is left, i64. */
  readonly fuel: number;
  /** Global of the depth that is left, i64. */
  readonly depth: number;
  /** Helper functions (n) -> n that charge for a size. */
  readonly charge: { readonly pages: number; readonly bytes: number; readonly elements: number };
  /** The type index of () -> results, for results of two or more values. */
  resultType(results: readonly number[]): number;
}

/** What is put in at byte `at`, before the instruction that starts there. */
interface Insertion {
  at: number;
  /** `segment`: charge `cost`; `loop`: charge and check; `size`: call `helper`; `return`: `br cost` instead of return. */
  kind: 'segment' | 'loop' | 'size' | 'return';
  cost: number;
}

interface Frame {
  opcode: number;
  /** Height of the operand stack below the block's parameters. */
  base: number;
  params: number;
  results: number;
  /** Does a branch go to this block's end? */
  targeted: boolean;
  /** Was the code before the block alive? */
  alive: boolean;
}

export interface FunctionPlan {
  readonly entryCost: number;
  readonly insertions: readonly Insertion[];
  readonly calls: boolean;
  /** Highest operand stack. */
  readonly height: number;
}

/**
 * Finds the basic blocks of a function with what each costs, and its highest operand stack. A block is charged as a
 * whole when it is entered; only function entries and loop heads test the counter, since code between them ends by
 * itself.
 */
export function planFunction(
  body: FunctionBody,
  type: FunctionType,
  types: readonly FunctionType[],
  typeOf: readonly number[],
): FunctionPlan {
  const code = new Reader(body.code.bytes, body.code.at, body.code.end);
  const insertions: Insertion[] = [];
  const entry: Insertion = { at: code.at, kind: 'segment', cost: PRICES.entry + (body.locals >>> PRICES.localsShift) };
  const frames: Frame[] = [
    { opcode: OPCODE.block, base: 0, params: 0, results: type.results.length, targeted: true, alive: true },
  ];
  const instruction = newInstruction();
  let segment = entry;
  let alive = true;
  let height = 0;
  let highest = 0;
  let calls = false;

  const begin = (kind: 'segment' | 'loop'): void => {
    alive = true;
    segment = { at: code.at, kind, cost: 0 };
    insertions.push(segment);
  };
  const target = (label: number): void => {
    const frame = frames[frames.length - 1 - label];
    if (frame === undefined) return refuse('malformed', `label ${label} does not exist`);
    if (frame.opcode !== OPCODE.loop) frame.targeted = true;
  };
  const dead = (): void => {
    alive = false;
    height = frames[frames.length - 1]!.base;
  };

  while (!code.done) {
    const start = code.at;
    readInstruction(code, instruction);
    const { opcode } = instruction;
    if (alive) segment.cost += instruction.price;
    height += instruction.delta;
    switch (opcode) {
      case OPCODE.block:
      case OPCODE.loop:
      case OPCODE.if: {
        const { params, results } = blockArity(instruction.index, types);
        if (frames.length > CEILINGS.nesting) refuse('limit', `blocks nested over ${CEILINGS.nesting} deep`);
        frames.push({ opcode, base: Math.max(0, height - params), params, results, targeted: false, alive });
        if (opcode === OPCODE.loop && alive) begin('loop');
        if (opcode === OPCODE.if && alive) begin('segment');
        break;
      }
      case OPCODE.else: {
        const frame = frames[frames.length - 1]!;
        frame.opcode = OPCODE.else;
        height = frame.base + frame.params;
        if (frame.alive) begin('segment');
        break;
      }
      case OPCODE.end: {
        const frame = frames.pop();
        if (frame === undefined) return refuse('malformed', 'code after the last end');
        height = frame.base + frame.results;
        if (frames.length === 0) break;
        const joins = frame.targeted || frame.opcode === OPCODE.if || frame.opcode === OPCODE.else;
        if (frame.alive && (joins || (frame.opcode === OPCODE.loop && alive))) begin('segment');
        break;
      }
      case OPCODE.br:
        target(instruction.index);
        dead();
        break;
      case OPCODE.brIf:
        target(instruction.index);
        if (alive) begin('segment');
        break;
      case OPCODE.brTable:
        for (const label of instruction.labels) target(label);
        dead();
        break;
      case OPCODE.return:
        insertions.push({ at: start, kind: 'return', cost: frames.length - 1 });
        dead();
        break;
      case OPCODE.unreachable:
        dead();
        break;
      case OPCODE.call:
      case OPCODE.callIndirect: {
        calls = true;
        const callee = types[opcode === OPCODE.call ? (typeOf[instruction.index] ?? -1) : instruction.index];
        if (callee === undefined) return refuse('malformed', `call of an unknown function ${instruction.index}`);
        height += callee.results.length - callee.params.length;
        break;
      }
      case OPCODE.memoryGrow:
        insertions.push({ at: start, kind: 'size', cost: 0 });
        break;
      case OPCODE.misc: {
        const unit = SIZED_MISC.get(instruction.sub);
        if (unit !== undefined) insertions.push({ at: start, kind: 'size', cost: unit === 'bytes' ? 1 : 2 });
        break;
      }
    }
    height = Math.max(height, frames.at(-1)?.base ?? 0);
    if (alive && height > highest) highest = height;
  }
  if (frames.length > 0) refuse('malformed', 'a function without its end');
  return { entryCost: entry.cost, insertions, calls, height: highest };
}

function blockArity(index: number, types: readonly FunctionType[]): { params: number; results: number } {
  if (index === BLOCK_VOID) return { params: 0, results: 0 };
  if (index === BLOCK_ONE) return { params: 0, results: 1 };
  const type = types[index];
  if (type === undefined) return refuse('malformed', `block type ${index} does not exist`);
  return { params: type.params.length, results: type.results.length };
}

/** `counter -= cost`. */
function subtract(out: ByteWriter, counter: number, cost: number): void {
  out.byte(0x23).unsigned(counter).byte(0x42).signed(cost).byte(0x7d).byte(0x24).unsigned(counter);
}

/** Traps where one of the counters is below zero. */
function check(out: ByteWriter, counters: readonly number[]): void {
  out.byte(0x23).unsigned(counters[0]!);
  for (const other of counters.slice(1)) out.byte(0x23).unsigned(other).byte(0x84);
  out.raw([0x42, 0, 0x53, 0x04, 0x40, 0x00, 0x0b]);
}

/**
 * Writes the metered body of one function. A function that calls others counts its frame: it is wrapped in a block to
 * whose end `return` branches, so that the depth is given back on every way out. A frame of many slots counts as
 * several, so that the same depth limit bounds the native stack of every engine.
 */
export function meterFunction(
  out: ByteWriter,
  body: FunctionBody,
  type: FunctionType,
  plan: FunctionPlan,
  counters: Counters,
): void {
  const weight = 1 + Math.floor((type.params.length + body.locals + plan.height) / SLOTS_PER_FRAME);
  const framed = plan.calls || weight > 1;
  const bytes = body.code.bytes;
  out.raw(body.declarations);
  subtract(out, counters.fuel, plan.entryCost);
  if (framed) subtract(out, counters.depth, weight);
  check(out, framed ? [counters.fuel, counters.depth] : [counters.fuel]);
  if (framed) writeBlock(out, type.results, counters);
  let from = body.code.at;
  for (const { at, kind, cost } of plan.insertions) {
    if ((kind === 'segment' && cost === 0) || (kind === 'return' && !framed)) continue;
    out.raw(bytes.subarray(from, at));
    from = at;
    if (kind === 'return') {
      out.byte(OPCODE.br).unsigned(cost);
      from = at + 1;
    } else if (kind === 'size') {
      const { pages, bytes: perByte, elements } = counters.charge;
      out.byte(OPCODE.call).unsigned([pages, perByte, elements][cost]!);
    } else {
      subtract(out, counters.fuel, cost);
      if (kind === 'loop') check(out, [counters.fuel]);
    }
  }
  out.raw(bytes.subarray(from, body.code.end));
  if (framed) {
    subtract(out, counters.depth, -weight);
    out.byte(OPCODE.end);
  }
}

function writeBlock(out: ByteWriter, results: readonly number[], counters: Counters): void {
  out.byte(OPCODE.block);
  if (results.length === 0) out.byte(0x40);
  else if (results.length === 1) out.byte(results[0]!);
  else out.signed(counters.resultType(results));
}
