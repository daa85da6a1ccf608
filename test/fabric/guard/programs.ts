import type { Stream } from '../../../src/core/random/random.ts';
import { Code, I32, I64 } from '../../../src/core/wasm/code.ts';
import { encodeModule } from '../../../src/core/wasm/encoder.ts';
import type { ModuleSpec } from '../../../src/core/wasm/encoder.ts';

/** Locals of every generated function: two parameters, three scratch, one loop counter per nesting level. */
const SCRATCH = 5;
const MAX_LOOPS = 4;

const BINARY = [
  'i32_add',
  'i32_sub',
  'i32_mul',
  'i32_and',
  'i32_or',
  'i32_xor',
  'i32_shl',
  'i32_lt_s',
  'i32_eq',
] as const;

/** A random structured function (i32, i32) -> i32: loops that end, branches out of blocks, memory, calls, traps. */
class Program {
  readonly #random: Stream;
  readonly #self: number;
  readonly #code = new Code();
  #budget = 40;

  constructor(random: Stream, self: number) {
    this.#random = random;
    this.#self = self;
  }

  build(): Code {
    this.#statements([], 0);
    this.#value();
    return this.#code;
  }

  #local(): number {
    return this.#random.integer(SCRATCH);
  }

  #value(): void {
    const r = this.#random.integer(8);
    if (r < 3 || this.#budget <= 0) this.#code.get(this.#local());
    else if (r < 5) this.#code.i32(this.#random.u32());
    else {
      this.#budget--;
      this.#value();
      this.#value();
      if (r === 7) this.#code.op(this.#random.pick(['i32_div_u', 'i32_rem_s', 'i32_div_s']));
      else this.#code.op(this.#random.pick(BINARY));
    }
  }

  #address(): void {
    this.#value();
    this.#code.i32(this.#random.chance(0.95) ? 0xffff : 0x1ffff).op('i32_and');
  }

  /** `labels`, innermost first: of a loop its counter, of a block nothing. */
  #statements(labels: readonly (number | undefined)[], loops: number): void {
    for (let left = 1 + this.#random.integer(4); left > 0 && this.#budget > 0; left--) this.#statement(labels, loops);
  }

  /** A branch, or one that depends on a value; back to a loop only as long as its counter lasts. */
  #branch(labels: readonly (number | undefined)[]): void {
    const code = this.#code;
    const label = this.#random.integer(labels.length + 1);
    const counter = labels[label];
    if (label === labels.length) {
      // The function's own label takes its result.
      this.#value();
      this.#value();
      code.brIf(label).op('drop');
    } else if (counter !== undefined) {
      code.get(counter).i32(1).op('i32_sub').tee(counter).i32(0).op('i32_gt_s');
      if (this.#random.chance(0.5)) code.brIf(label);
      else
        code
          .if()
          .br(label + 1)
          .end();
    } else {
      this.#value();
      if (this.#random.chance(0.7)) code.brIf(label);
      else
        code
          .if()
          .br(label + 1)
          .end();
    }
  }

  /** A loop of at most a few rounds, tested at its end or at its head. */
  #loop(labels: readonly (number | undefined)[], loops: number): void {
    if (loops === MAX_LOOPS) return;
    const code = this.#code;
    const counter = SCRATCH + loops;
    code
      .i32(1 + this.#random.integer(6))
      .set(counter)
      .loop();
    if (this.#random.chance(0.5)) {
      this.#statements([counter, ...labels], loops + 1);
      code.get(counter).i32(1).op('i32_sub').tee(counter).i32(0).op('i32_gt_s').brIf(0).end();
    } else {
      code.get(counter).i32(0).op('i32_gt_s').if();
      code.get(counter).i32(1).op('i32_sub').set(counter);
      this.#statements([undefined, counter, ...labels], loops + 1);
      code.br(1).end().end();
    }
  }

  #statement(labels: readonly (number | undefined)[], loops: number): void {
    this.#budget--;
    const code = this.#code;
    const inner = [undefined, ...labels];
    switch (this.#random.integer(14)) {
      case 0:
        code.block();
        this.#statements(inner, loops);
        code.end();
        return;
      case 1:
      case 12:
        this.#value();
        code.if();
        this.#statements(inner, loops);
        if (this.#random.chance(0.5)) {
          code.else();
          this.#statements(inner, loops);
        }
        code.end();
        return;
      case 2:
        this.#loop(labels, loops);
        return;
      case 3:
      case 13:
        this.#branch(labels);
        return;
      case 4:
        code.block().block();
        this.#value();
        code.raw([0x0e, 2, 0, 1, 0]).end();
        this.#statements(inner, loops);
        code.end();
        return;
      case 5:
        this.#address();
        code.memory('i32_load', this.#random.integer(8)).set(this.#local());
        return;
      case 6:
        this.#address();
        this.#value();
        code.memory('i32_store');
        return;
      case 7:
        if (this.#self === 0) return;
        this.#value();
        this.#value();
        code.call(this.#random.integer(this.#self)).set(this.#local());
        return;
      case 8:
        code.i32(this.#random.integer(3)).memoryGrow().set(this.#local());
        return;
      case 9:
        this.#address();
        this.#address();
        code.i32(this.#random.integer(300));
        if (this.#random.chance(0.5)) code.memoryCopy();
        else code.memoryFill();
        return;
      case 10:
        if (!this.#random.chance(0.3)) return;
        this.#value();
        code.if();
        this.#value();
        code.op('return').end();
        return;
      default:
        this.#value();
        code.set(this.#local());
    }
  }
}

/** A module of four such functions, each of which calls only earlier ones; the last is exported as `run`. */
export const randomModule = (random: Stream): Uint8Array<ArrayBuffer> => encodeModule(randomSpec(random));

export function randomSpec(random: Stream): ModuleSpec {
  const names = [undefined, undefined, undefined, 'run'];
  return {
    functions: names.map((name, self) => ({
      params: [I32, I32],
      results: [I32],
      locals: Array.from({ length: SCRATCH - 2 + MAX_LOOPS }, () => I32),
      code: new Program(random, self).build(),
      ...(name === undefined ? {} : { export: name }),
    })),
    memory: { min: 1, max: 4, export: 'memory' },
    globals: [{ type: I64, mutable: true, init: new Code().i64(1) }],
    data: [{ offset: 16, bytes: [1, 2, 3, 4, 5, 6, 7, 8] }],
  };
}
