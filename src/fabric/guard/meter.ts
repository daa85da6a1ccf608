import type { ByteWriter } from '../../core/wasm/bytes.ts';
import type { FunctionBody, FunctionType } from './module.ts';
import { FORMS, writeCanonical } from './nan.ts';
import { OPCODE } from './opcodes.ts';
import type { FunctionPlan, SizeUnit } from './plan.ts';
import { SLOTS_PER_FRAME } from './prices.ts';
import { Reader } from './reader.ts';

/** Indices of what the rewriter appends to a module. */
export interface Counters {
  /** Global of the fuel that is left, i64. */
  readonly fuel: number;
  /** Global of the depth that is left, i64. */
  readonly depth: number;
  /** Helper functions (n) -> n that charge for a size. */
  readonly charge: Readonly<Record<SizeUnit, number>>;
  /** The type index of () -> results, for results of two or more values. */
  resultType(results: readonly number[]): number;
}

/** One function and what is known of it. */
export interface MeteredFunction {
  readonly body: FunctionBody;
  readonly type: FunctionType;
  readonly plan: FunctionPlan;
  /** Can the host call it? Then it leaves the depth as it was. */
  readonly exported: boolean;
}

/** A function without loops and calls that costs no more than this need not look at the counter: its caller does. */
const UNTESTED_FUEL = 256;
/** How much more often code runs for each loop around it: a guess that only speed depends on. */
const LOOP_WEIGHT = 10;

const GET = 0x20;
const SET = 0x21;
const TEE = 0x22;
const GLOBAL_GET = 0x23;
const GLOBAL_SET = 0x24;
const I64 = 0x7e;
const I64_CONST = 0x42;
const I64_LT_S = 0x53;
const I64_ADD = 0x7c;
const I64_SUB = 0x7d;
const I64_OR = 0x84;
const VOID = 0x40;

/**
 * Would the fuel better be kept in a local? Then a charge touches no memory, but the local is written back before each
 * call and read again after it.
 */
function prefersLocal({ insertions }: FunctionPlan): boolean {
  let charges = 0;
  let exchanges = 1;
  for (const { kind, depth } of insertions) {
    const weight = LOOP_WEIGHT ** Math.min(depth, 6);
    if (kind === 'call' || kind === 'size') exchanges += weight;
    else if (kind !== 'called' && kind !== 'return' && kind !== 'canonical') charges += weight;
  }
  return charges > exchanges;
}

/**
 * Writes the metered body of one function.
 *
 * Fuel is tested where a function begins and at the head of each loop; what lies between ends by itself. It is kept in
 * the global, or for functions in whose loops it is charged in a local.
 *
 * Depth: the global holds what is left for whoever is called. A function that calls keeps its own rest in a local and
 * puts it there before each call, so that nothing is to be given back on the way out. A frame of many slots counts as
 * several, so that the same limit bounds the native stack of every engine.
 *
 * At a trap of the guard's own the counter that ran out is below zero in its global. At any other trap the globals may
 * hold what was left a while ago.
 */
export function meterFunction(out: ByteWriter, { body, type, plan, exported }: MeteredFunction, to: Counters): void {
  const own = type.params.length + body.locals;
  const weight = 1 + Math.floor((own + plan.height) / SLOTS_PER_FRAME);
  const counted = plan.calls || weight > 1;
  const tested = counted || plan.bound > UNTESTED_FUEL;
  const local = tested && prefersLocal(plan);
  const fuel = own;
  const depth = own + 1;
  const restores = exported && plan.calls;
  const wrapped = local || restores;
  const bytes = body.code.bytes;

  /** Leaves the fuel on the stack. */
  const load = (): ByteWriter => (local ? out.byte(GET).unsigned(fuel) : out.byte(GLOBAL_GET).unsigned(to.fuel));
  const flush = (): void => {
    if (local) out.byte(GET).unsigned(fuel).byte(GLOBAL_SET).unsigned(to.fuel);
  };
  const reload = (): void => {
    if (local) out.byte(GLOBAL_GET).unsigned(to.fuel).byte(SET).unsigned(fuel);
  };
  const charge = (cost: number): void => {
    if (cost === 0) return;
    load().byte(I64_CONST).signed(cost).byte(I64_SUB);
    if (local) out.byte(SET).unsigned(fuel);
    else out.byte(GLOBAL_SET).unsigned(to.fuel);
  };
  /** Traps where the i64 on the stack is below zero. */
  const trapBelowZero = (withDepth: boolean): void => {
    out.raw([I64_CONST, 0, I64_LT_S, OPCODE.if, VOID]);
    flush();
    if (withDepth) out.byte(GET).unsigned(depth).byte(GLOBAL_SET).unsigned(to.depth);
    out.byte(OPCODE.unreachable).byte(OPCODE.end);
  };

  const floats = plan.insertions.flatMap((one) => (one.kind === 'canonical' ? [FORMS[one.shape].type] : []));
  const scratch = [...new Set(floats)];
  out.unsigned(body.groups + 1 + scratch.length).raw(body.declarations);
  out.unsigned(2).byte(I64);
  for (const valueType of scratch) out.unsigned(1).byte(valueType);
  enter();
  if (wrapped) writeBlock(out, type.results, to);
  let from = body.code.at;
  for (const insertion of plan.insertions) {
    out.raw(bytes.subarray(from, insertion.at));
    from = insertion.at;
    switch (insertion.kind) {
      case 'node':
        charge(insertion.cost);
        break;
      case 'loop':
        charge(insertion.cost);
        load();
        trapBelowZero(false);
        break;
      case 'else':
        out.byte(OPCODE.else);
        charge(insertion.cost);
        break;
      case 'taken': {
        const branch = new Reader(bytes, from + 1);
        const label = branch.u32();
        out.byte(OPCODE.if).byte(VOID);
        charge(insertion.cost);
        out
          .byte(OPCODE.br)
          .unsigned(label + 1)
          .byte(OPCODE.end);
        from = branch.at;
        break;
      }
      case 'return':
        if (!wrapped) break;
        out.byte(OPCODE.br).unsigned(insertion.label);
        from++;
        break;
      case 'size':
        flush();
        out.byte(OPCODE.call).unsigned(to.charge[insertion.unit]);
        reload();
        break;
      case 'call':
        flush();
        out.byte(GET).unsigned(depth).byte(GLOBAL_SET).unsigned(to.depth);
        break;
      case 'called':
        reload();
        break;
      case 'canonical':
        writeCanonical(out, insertion.shape, own + 2 + scratch.indexOf(FORMS[insertion.shape].type));
        break;
    }
  }
  out.raw(bytes.subarray(from, body.code.end));
  if (wrapped) {
    flush();
    if (restores) {
      out.byte(GET).unsigned(depth).byte(I64_CONST).signed(weight).byte(I64_ADD);
      out.byte(GLOBAL_SET).unsigned(to.depth);
    }
    out.byte(OPCODE.end);
  }

  function enter(): void {
    if (!tested) return charge(plan.entry);
    out.byte(GLOBAL_GET).unsigned(to.fuel).byte(I64_CONST).signed(plan.entry).byte(I64_SUB).byte(TEE).unsigned(fuel);
    if (!local) out.byte(GLOBAL_SET).unsigned(to.fuel).byte(GET).unsigned(fuel);
    if (counted) {
      out.byte(GLOBAL_GET).unsigned(to.depth).byte(I64_CONST).signed(weight).byte(I64_SUB).byte(TEE).unsigned(depth);
      out.byte(I64_OR);
    }
    trapBelowZero(counted);
  }
}

function writeBlock(out: ByteWriter, results: readonly number[], counters: Counters): void {
  out.byte(OPCODE.block);
  if (results.length === 0) out.byte(VOID);
  else if (results.length === 1) out.byte(results[0]!);
  else out.signed(counters.resultType(results));
}
