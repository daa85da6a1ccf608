import type { Stream } from '../../../src/core/random/random.ts';
import { Code, F32, F64, I32, I64, V128 } from '../../../src/core/wasm/code.ts';
import type { FunctionSpec } from '../../../src/core/wasm/encoder.ts';
import { OWN, P, agentModule, result } from '../agents.ts';
import { LOADS, OPERATORS, STORES, TRAPPING } from './operators.ts';
import type { Operator } from './operators.ts';

/**
 * `hidden`: no NaN's bits can be told, so that even an unguarded engine must give the same. `open`: they can, anywhere,
 * and only guarded engines agree.
 */
export type NanBits = 'hidden' | 'open';

const TYPES = [I32, I64, F32, F64, V128];
const PER_TYPE = 2;
/** Locals: two of each type, then a counter for each loop that may be nested. */
const LOCALS = [...TYPES.flatMap((type) => Array.from({ length: PER_TYPE }, () => type)), I32, I32, I32];
const FIRST_COUNTER = TYPES.length * PER_TYPE;
const MAX_LOOPS = 3;
/** Calls in deeper loops would multiply beyond what a test has time for. */
const MAX_LOOPS_OF_CALLS = 1;
const FUNCTIONS = 4;
/** Functions in the table call nobody, so that calls through it come to an end. */
const IN_TABLE = 2;
const GLOBALS = [I32, I32, I64, F64];

interface Signature {
  readonly params: readonly number[];
  readonly results: readonly number[];
}

/** One random function: structured control flow around typed expressions, all of which end. */
class Program {
  readonly #random: Stream;
  readonly #self: number;
  readonly #signatures: readonly Signature[];
  readonly #operators: ReadonlyMap<number, readonly Operator[]>;
  readonly #nans: NanBits;
  readonly #code = new Code();
  readonly #params: number;
  #budget = 60;

  constructor(random: Stream, self: number, signatures: readonly Signature[], nans: NanBits) {
    this.#random = random;
    this.#self = self;
    this.#signatures = signatures;
    this.#nans = nans;
    this.#params = signatures[self]!.params.length;
    const known = OPERATORS.filter(({ tellsNans }) => nans === 'open' || !tellsNans);
    this.#operators = new Map(TYPES.map((type) => [type, known.filter((one) => one.result === type)]));
  }

  build(): Code {
    this.#signatures[this.#self]!.params.forEach((type, i) => this.#code.get(i).set(this.#local(type)));
    this.#statements([], 0);
    for (const type of this.#signatures[this.#self]!.results) this.#value(type);
    return this.#code;
  }

  #local(type: number): number {
    return this.#params + TYPES.indexOf(type) * PER_TYPE + this.#random.integer(PER_TYPE);
  }

  #constant(type: number): void {
    const random = this.#random;
    const bits = (): number[] => Array.from({ length: 4 }, () => random.integer(256));
    const special = random.pick([0, 1, -1, 2 ** 31, -(2 ** 31), 2 ** 32, 0.5, 1e300, Number.NaN, Infinity, -0]);
    if (type === I32) this.#code.i32(random.chance(0.7) ? random.integer(300) - 20 : random.u32());
    else if (type === I64) this.#code.i64(BigInt(random.u32()) * (random.chance(0.5) ? 1n : 2n ** 31n + 7n));
    else if (type === F64) this.#code.f64(random.chance(0.5) ? special : random.integer(1000) / 8 - 60);
    else if (type === F32) this.#code.raw([0x43, ...bits()]);
    else this.#code.raw([0xfd, 12, ...bits(), ...bits(), ...bits(), ...bits()]);
  }

  #address(): void {
    this.#value(I32);
    this.#code.i32(this.#random.chance(0.97) ? 0x7fff : 0x3ffff).op('i32_and');
  }

  /** Leaves a value of `type`. */
  #value(type: number): void {
    const random = this.#random;
    const choice = random.integer(12);
    this.#budget--;
    if (choice < 4 || this.#budget <= 0) this.#code.get(this.#local(type));
    else if (choice < 5) this.#constant(type);
    else if (choice < 10) this.#operate(random.pick(this.#operators.get(type)!));
    else if (choice === 10) {
      this.#address();
      const [bytes] = random.pick(LOADS.filter(([, loaded]) => loaded === type));
      this.#code.raw(bytes).raw([random.integer(100)]);
    } else {
      this.#value(type);
      this.#value(type);
      this.#value(I32);
      this.#code.raw(type === V128 ? [0x1c, 1, V128] : [0x1b]);
    }
  }

  #operate({ bytes, params }: Operator): void {
    for (const type of params) this.#value(type);
    this.#code.raw(bytes);
  }

  #statements(labels: readonly (number | undefined)[], loops: number): void {
    for (let left = 1 + this.#random.integer(5); left > 0 && this.#budget > 0; left--) this.#statement(labels, loops);
  }

  /** `labels`, innermost first: of a loop its counter, of a block nothing. */
  #statement(labels: readonly (number | undefined)[], loops: number): void {
    const code = this.#code;
    const type = this.#random.pick(TYPES);
    switch (this.#random.integer(14)) {
      case 0:
        return this.#branching(labels, loops);
      case 1:
        return this.#loop(labels, loops);
      case 2: {
        const label = this.#random.integer(labels.length + 1);
        if (label === labels.length || labels[label] !== undefined) return;
        this.#value(I32);
        code.brIf(label);
        return;
      }
      case 3:
      case 4: {
        const [bytes, stored] = this.#random.pick(
          STORES.filter(([, t]) => this.#nans === 'open' || t === I32 || t === I64),
        );
        this.#address();
        this.#value(stored);
        code.raw(bytes).raw([this.#random.integer(100)]);
        return;
      }
      case 5:
        return this.#call(loops);
      case 6: {
        const global = 1 + this.#random.integer(GLOBALS.length - 1);
        if (this.#random.chance(0.5)) code.globalGet(global).set(this.#local(GLOBALS[global]!));
        else {
          this.#value(GLOBALS[global]!);
          code.globalSet(global);
        }
        return;
      }
      case 7:
        return this.#sized();
      case 8:
        return this.#table();
      case 9: {
        const operator = this.#random.pick(TRAPPING);
        if (!this.#random.chance(0.3)) return;
        this.#operate(operator);
        code.set(this.#local(operator.result));
        return;
      }
      case 10:
        if (!this.#random.chance(0.1)) return;
        this.#value(I32);
        code.if().op('unreachable').end();
        return;
      default:
        this.#value(type);
        code.set(this.#local(type));
    }
  }

  #branching(labels: readonly (number | undefined)[], loops: number): void {
    const code = this.#code;
    const inner = [undefined, ...labels];
    this.#value(I32);
    if (this.#random.chance(0.3)) {
      // A value out of either arm.
      const type = this.#random.pick(TYPES);
      code.if(type);
      this.#value(type);
      code.else();
      this.#value(type);
      code.end().set(this.#local(type));
      return;
    }
    if (this.#random.chance(0.3)) {
      code
        .set(this.#params + FIRST_COUNTER + MAX_LOOPS - 1)
        .block()
        .block();
      code
        .get(this.#params + FIRST_COUNTER + MAX_LOOPS - 1)
        .raw([0x0e, 1, 0, 1])
        .end();
      this.#statements(inner, Math.max(loops, MAX_LOOPS));
      code.end();
      return;
    }
    code.if();
    this.#statements(inner, loops);
    if (this.#random.chance(0.5)) {
      code.else();
      this.#statements(inner, loops);
    }
    code.end();
  }

  /** At most a few rounds, tested at the end or at the head; branches inside may leave it or go round once more. */
  #loop(labels: readonly (number | undefined)[], loops: number): void {
    if (loops >= MAX_LOOPS) return;
    const code = this.#code;
    const counter = this.#params + FIRST_COUNTER + loops;
    const count = (): Code => code.get(counter).i32(1).op('i32_sub').tee(counter).i32(0).op('i32_gt_s');
    code.i32(1 + this.#random.integer(5)).set(counter);
    code.block().loop();
    if (this.#random.chance(0.5)) {
      this.#statements([counter, undefined, ...labels], loops + 1);
      if (this.#random.chance(0.5)) count().brIf(0);
      this.#statements([counter, undefined, ...labels], loops + 1);
      count().brIf(0);
    } else {
      count().op('i32_eqz').brIf(1);
      this.#statements([counter, undefined, ...labels], loops + 1);
      code.br(0);
    }
    code.end().end();
  }

  #call(loops: number): void {
    if (loops > MAX_LOOPS_OF_CALLS || this.#self < IN_TABLE) return;
    const code = this.#code;
    const callee = this.#random.integer(this.#self);
    const { params, results } = this.#signatures[callee]!;
    for (const type of params) this.#value(type);
    if (callee < IN_TABLE && this.#random.chance(0.5)) {
      // Mostly the right element; else none, another type, or outside of the table.
      if (this.#random.chance(0.8)) code.i32(callee);
      else this.#value(I32);
      code
        .i32(7)
        .op('i32_and')
        .raw([0x11, ...this.#typeOf(callee), 0]);
    } else code.call(OWN + callee);
    for (const type of results.toReversed()) code.set(this.#local(type));
  }

  /** Type indices stand in order of first use: `step`, `cabi_realloc`, then the functions here. */
  #typeOf(callee: number): number[] {
    const keys = this.#signatures.map(({ params, results }) => `${params.join()}>${results.join()}`);
    return [OWN + [...new Set(keys)].indexOf(keys[callee]!)];
  }

  #sized(): void {
    const code = this.#code;
    if (this.#random.chance(0.3)) {
      code.i32(this.#random.integer(3)).memoryGrow().set(this.#local(I32));
      return;
    }
    this.#address();
    this.#address();
    code.i32(this.#random.integer(500));
    if (this.#random.chance(0.5)) code.memoryCopy();
    else code.memoryFill();
  }

  #table(): void {
    const code = this.#code;
    const reference = this.#random.chance(0.5) ? [0xd0, 0x70] : [0xd2, OWN + this.#random.integer(IN_TABLE)];
    switch (this.#random.integer(4)) {
      case 0:
        code
          .i32(this.#random.integer(this.#random.chance(0.9) ? 4 : 9))
          .raw(reference)
          .raw([0x26, 0]);
        return;
      case 1:
        code.raw(reference).i32(this.#random.integer(4)).raw([0xfc, 15, 0]).set(this.#local(I32));
        return;
      case 2:
        code.i32(this.#random.integer(3)).raw(reference).i32(this.#random.integer(3)).raw([0xfc, 17, 0]);
        return;
      default:
        code.i32(this.#random.integer(4)).raw([0x25, 0, 0xd1]).set(this.#local(I32));
    }
  }
}

/**
 * A random agent whose `step` calls a random function a few times and answers with its first 48 KiB of memory, where
 * the results and globals are put. The same stream gives the same bytes.
 */
export function randomAgent(random: Stream, nans: NanBits): Uint8Array<ArrayBuffer> {
  const signatures = Array.from({ length: FUNCTIONS }, (): Signature => ({
    params: Array.from({ length: random.integer(4) }, () => random.pick(TYPES)),
    results: Array.from({ length: 1 + random.integer(2) }, () => random.pick([I32, I64])),
  }));
  const functions = signatures.map((signature, self): FunctionSpec => {
    const code = new Program(random, self, signatures, nans).build();
    return { ...signature, locals: LOCALS, code };
  });
  const last = signatures[FUNCTIONS - 1]!;
  const step = new Code();
  for (let round = 0; round < 3; round++) {
    for (const type of last.params) argument(step, type, round);
    step.call(OWN + FUNCTIONS - 1);
    for (const type of last.results.toReversed()) step.set(type === I32 ? 10 : 11);
    step
      .i32(round * 16)
      .get(10)
      .memory('i32_store', 128)
      .i32(round * 16)
      .get(11)
      .memory('i64_store', 136);
  }
  step.i32(0).globalGet(1).memory('i32_store', 192).i32(0).globalGet(2).memory('i64_store', 200);
  return agentModule({
    step: result(step, 0, 0, 48 * 1024),
    locals: [I32, I64],
    functions,
    memory: { min: 1, max: 4 },
    table: { min: 4, max: 8, elements: Array.from({ length: IN_TABLE }, (_, i) => OWN + i) },
    globals: GLOBALS.slice(1).map((type) => ({ type, mutable: true, init: zero(type) })),
    data: [{ offset: 300, bytes: Array.from({ length: 64 }, () => random.integer(256)) }],
  });
}

const zero = (type: number): Code =>
  type === I32 ? new Code().i32(0) : type === I64 ? new Code().i64(0) : new Code().f64(0);

/** An argument of the random function, made from the seed of the event. */
function argument(code: Code, type: number, round: number): void {
  if (type === V128) code.get(P.seed).raw([0xfd, 18]);
  else if (type === I64) code.get(P.seed).i64(round).op('i64_add');
  else if (type === F64) code.get(P.seed).raw([0xbf]);
  else if (type === F32) code.get(P.seed).op('i32_wrap_i64').raw([0xbe]);
  else code.get(P.seed).op('i32_wrap_i64').i32(round).op('i32_add');
}
