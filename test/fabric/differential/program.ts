import type { Stream } from '../../../src/core/random/random.ts';
import type { Code } from '../../../src/core/wasm/code.ts';
import { F32, F64, I32, I64, V128 } from '../../../src/core/wasm/code.ts';
import { OWN } from '../agents.ts';
import { Expressions, LOCAL_TYPES, VALUE_LOCALS } from './expressions.ts';
import { BLOCKS, ELEMENTS, IN_TABLE, NUMBERS, PASSIVE, PLAIN_BLOCKS, TABLES } from './layout.ts';
import type { Layout, Signature } from './layout.ts';
import { LANE_STORES, STORES, TRAPPING } from './operators.ts';

const MAX_LOOPS = 3;
const FIRST_COUNTER = VALUE_LOCALS.length;
/** Locals beyond the parameters: those of expressions, then a counter for each loop that may be nested. */
export const LOCALS = [...VALUE_LOCALS, ...Array.from({ length: MAX_LOOPS }, () => I32)];
/** Calls in deeper loops would multiply beyond what a test has time for. */
const MAX_LOOPS_OF_CALLS = 1;

/** What a branch finds: a block or an `if` that takes no values, a loop by its counter, or one that takes values. */
type Label = 'block' | 'values' | number;

/** One random function: structured control flow around typed expressions, nearly all of which ends. */
export class Program extends Expressions {
  readonly #self: number;
  readonly #signature: Signature;
  readonly #types: readonly number[];

  constructor(random: Stream, self: number, layout: Layout) {
    const signature = layout.signatures[self]!;
    super(random, layout, signature.params.length);
    this.#self = self;
    this.#signature = signature;
    this.#types = layout.references ? LOCAL_TYPES : NUMBERS;
  }

  build(): Code {
    this.#signature.params.forEach((type, i) => this.code.get(i).set(this.local(type)));
    this.#statements([], 0);
    this.values(this.#signature.results);
    return this.code;
  }

  /** Calls itself as often as its first parameter, an i32, says; does something before and adds something after. */
  buildRecursive(): Code {
    const code = this.code.get(0).op('i32_eqz').if();
    code.i32(1).op('return').end();
    this.#statements([], MAX_LOOPS);
    code
      .get(0)
      .i32(1)
      .op('i32_sub')
      .get(1)
      .call(OWN + this.#self);
    this.value(I32);
    return code.op('i32_add');
  }

  #statements(labels: readonly Label[], loops: number): void {
    for (let left = 1 + this.random.integer(5); left > 0 && this.budget > 0; left--) this.#statement(labels, loops);
  }

  /** `labels`: innermost first. */
  #statement(labels: readonly Label[], loops: number): void {
    const random = this.random;
    const type = random.pick(this.#types);
    this.budget--;
    switch (random.integer(16)) {
      case 0:
        return this.#branching(labels, loops);
      case 1:
        return this.#loop(labels, loops);
      case 2:
        return this.#branch(labels);
      case 3:
      case 4:
        return this.#store();
      case 5:
        return this.#call(loops);
      case 6: {
        const global = 1 + random.integer(this.globals.length - 1);
        this.value(this.globals[global]!);
        this.code.globalSet(global);
        return;
      }
      case 7:
        return this.#sized();
      case 8:
        return this.layout.references ? this.#table() : undefined;
      case 9:
        return this.#hazard();
      case 10:
        return random.chance(0.4) ? this.#leave(labels, loops) : undefined;
      case 11:
        return this.#blockOfValues(labels, loops);
      case 12:
        return this.#jumpTable(labels, loops);
      default:
        this.value(type);
        this.code.set(this.local(type));
    }
  }

  /** Perhaps an instruction that traps on some of its operands: a conversion, or a division of the least integer. */
  #hazard(): void {
    const random = this.random;
    if (random.chance(0.3)) {
      this.operate(random.pick(TRAPPING));
      this.code.op('drop');
    } else if (random.chance(0.1)) {
      const wide = random.chance(0.5);
      if (wide) this.code.i64(-(2n ** 63n));
      else this.code.i32(-(2 ** 31));
      if (random.chance(0.3)) this.value(wide ? I64 : I32);
      else if (wide) this.code.i64(-1);
      else this.code.i32(-1);
      this.code.op(random.pick(wide ? ['i64_div_s', 'i64_rem_s'] : ['i32_div_s', 'i32_rem_s']), 'drop');
    }
  }

  #store(): void {
    const random = this.random;
    if (random.chance(0.1)) {
      const [bytes, lanes] = random.pick(LANE_STORES);
      this.address();
      this.value(V128);
      this.code.raw(bytes).raw([random.integer(100), random.integer(lanes)]);
      return;
    }
    const telling = (type: number): boolean => type === F32 || type === F64;
    const [bytes, stored] = random.pick(STORES.filter(([, t]) => this.layout.nans === 'open' || !telling(t)));
    this.address();
    this.value(stored);
    this.code.raw(bytes).raw([random.integer(100)]);
  }

  /** Perhaps out of a block or the function, or round a loop again as long as its counter lasts. */
  #branch(labels: readonly Label[]): void {
    const code = this.code;
    const at = this.random.integer(labels.length + 1);
    const label = labels[at];
    if (label === undefined) {
      this.values(this.#signature.results);
      this.value(I32);
      code.brIf(at);
      for (let i = this.#signature.results.length; i > 0; i--) code.op('drop');
    } else if (label === 'block') {
      this.value(I32);
      code.brIf(at);
    } else if (label !== 'values') this.#again(label).brIf(at);
  }

  /** Takes one round off a counter and leaves whether there are more. */
  #again(counter: number): Code {
    return this.code.get(counter).i32(1).op('i32_sub').tee(counter).i32(0).op('i32_gt_s');
  }

  #branching(labels: readonly Label[], loops: number): void {
    const code = this.code;
    this.value(I32);
    if (this.random.chance(0.3)) {
      // A value out of either arm.
      const type = this.random.pick(this.#types);
      code.if(type);
      this.value(type);
      code.else();
      this.value(type);
      code.end().set(this.local(type));
      return;
    }
    code.if();
    this.#statements(['block', ...labels], loops);
    if (this.random.chance(0.5)) {
      code.else();
      this.#statements(['block', ...labels], loops);
    }
    code.end();
  }

  /** At most a few rounds, tested at the end or at the head; branches inside may leave it or go round once more. */
  #loop(labels: readonly Label[], loops: number): void {
    if (loops >= MAX_LOOPS) return;
    const code = this.code;
    const counter = this.params + FIRST_COUNTER + loops;
    const inner: Label[] = [counter, 'block', ...labels];
    code.i32(1 + this.random.integer(5)).set(counter);
    code.block().loop();
    if (this.random.chance(0.5)) {
      this.#statements(inner, loops + 1);
      if (this.random.chance(0.5)) this.#again(counter).brIf(0);
      this.#statements(inner, loops + 1);
      this.#again(counter).brIf(0);
    } else {
      this.#again(counter).op('i32_eqz').brIf(1);
      this.#statements(inner, loops + 1);
      code.br(0);
    }
    code.end().end();
  }

  /** Ends the function, or the program, or nothing at all; perhaps with code behind it that is never reached. */
  #leave(labels: readonly Label[], loops: number): void {
    const random = this.random;
    const code = this.code;
    this.value(I32);
    code.if();
    const how = random.integer(10);
    if (how < 3) code.op('unreachable');
    else if (how < 4) code.loop().br(0).end();
    else if (how < 7) {
      this.values(this.#signature.results);
      code.op('return');
    } else {
      const out = labels.indexOf('block');
      if (out < 0) code.op('nop');
      else code.br(1 + out);
    }
    if (random.chance(0.3)) this.#statements(['block', ...labels], loops);
    code.end();
  }

  /** A block or an `if` of several types, values that go in and come out, and one branch that carries them. */
  #blockOfValues(labels: readonly Label[], loops: number): void {
    const random = this.random;
    const code = this.code;
    const which = random.integer(this.layout.references ? BLOCKS.length : PLAIN_BLOCKS);
    const { params, results } = BLOCKS[which]!;
    if (loops < MAX_LOOPS && random.chance(0.25)) return this.#loopOfValues(which, labels, loops);
    const two = random.chance(0.3);
    const body = (): void => {
      for (const type of params.toReversed()) code.set(this.local(type));
      this.#statements(['values', ...labels], loops);
      this.values(results);
      if (random.chance(0.6)) {
        this.value(I32);
        code.brIf(0);
      } else if (random.chance(0.3)) code.br(0);
      else if (random.chance(0.3)) {
        this.value(I32);
        code.raw([0x0e, 1, 0, 0]);
      }
    };
    this.values(params);
    if (two) this.value(I32);
    code.raw([two ? 0x04 : 0x02]).raw(written(this.layout.blocks + which));
    body();
    if (two) {
      code.else();
      body();
    }
    code.end();
    for (const type of results.toReversed()) code.set(this.local(type));
  }

  /** A loop that takes values at its head, from before and from each round. */
  #loopOfValues(which: number, labels: readonly Label[], loops: number): void {
    const code = this.code;
    const { params, results } = BLOCKS[which]!;
    const counter = this.params + FIRST_COUNTER + loops;
    this.values(params);
    code.i32(1 + this.random.integer(4)).set(counter);
    code.raw([0x03]).raw(written(this.layout.blocks + which));
    for (const type of params.toReversed()) code.set(this.local(type));
    this.#statements(['values', ...labels], loops + 1);
    this.values(params);
    this.#again(counter).brIf(0);
    for (const type of params.toReversed()) code.set(this.local(type));
    this.values(results);
    code.end();
    for (const type of results.toReversed()) code.set(this.local(type));
  }

  #jumpTable(labels: readonly Label[], loops: number): void {
    const random = this.random;
    const open: Label[] = ['block', 'block', ...labels];
    const targets = open.flatMap((label, at) => (label === 'block' ? [at] : []));
    const count = random.integer(5);
    const code = this.code.block().block();
    this.value(I32);
    code.raw([0x0e, count, ...Array.from({ length: count + 1 }, () => random.pick(targets))]);
    if (random.chance(0.2)) this.#statements(open, loops);
    code.end();
    this.#statements(['block', ...labels], loops);
    code.end();
  }

  #call(loops: number): void {
    if (loops > MAX_LOOPS_OF_CALLS || this.#self < IN_TABLE) return;
    const code = this.code;
    const { signatures } = this.layout;
    const callee = this.random.integer(Math.min(this.#self, signatures.length - 1));
    const { params, results } = signatures[callee]!;
    this.values(params);
    if (this.layout.references && callee < IN_TABLE && this.random.chance(0.6)) {
      // Mostly the right element; else none, another type, or outside of the table.
      if (this.random.chance(0.8)) code.i32(callee);
      else this.value(I32);
      if (this.random.chance(0.9)) code.i32(7).op('i32_and');
      code.raw([0x11, ...written(typeIndex(signatures, callee)), this.random.chance(0.8) ? 0 : 2]);
    } else code.call(OWN + callee);
    for (const type of results.toReversed()) code.set(this.local(type));
  }

  #sized(): void {
    const random = this.random;
    const code = this.code;
    const how = random.integer(this.layout.references ? 8 : 5);
    if (how < 2) {
      if (random.chance(0.9)) code.i32(random.integer(3));
      else this.value(I32);
      code.memoryGrow().set(this.local(I32));
    } else if (how === 7) code.raw([0xfc, 9, this.#segment()]);
    else if (how > 4) {
      this.address();
      this.index(24);
      this.index(24);
      code.raw([0xfc, 8, this.#segment(), 0]);
    } else {
      this.address();
      this.address();
      if (random.chance(0.95)) code.i32(random.integer(500));
      else this.value(I32);
      if (how === 3) code.memoryCopy();
      else code.memoryFill();
    }
  }

  /** Mostly the passive data segment. */
  #segment(): number {
    return this.random.chance(0.8) ? PASSIVE : this.random.integer(PASSIVE);
  }

  #table(): void {
    const random = this.random;
    const code = this.code;
    const table = random.integer(TABLES.length);
    const { type, min } = TABLES[table]!;
    const alike = <T extends { type: number }>(all: readonly T[]): number =>
      random.pick(all.flatMap((one, at) => (one.type === type ? [at] : [])));
    switch (random.integer(6)) {
      case 0:
        this.index(min);
        this.value(type);
        code.raw([0x26, table]);
        return;
      case 1:
        this.value(type);
        this.index(3);
        code.raw([0xfc, 15, table]).set(this.local(I32));
        return;
      case 2:
        this.index(min);
        this.value(type);
        this.index(3);
        code.raw([0xfc, 17, table]);
        return;
      case 3:
        for (let i = 0; i < 3; i++) this.index(3);
        code.raw([0xfc, 14, table, alike(TABLES)]);
        return;
      case 4:
        for (let i = 0; i < 3; i++) this.index(3);
        code.raw([0xfc, 12, alike(ELEMENTS), table]);
        return;
      default:
        code.raw([0xfc, 13, random.integer(ELEMENTS.length)]);
    }
  }
}

/** Type indices stand in order of first use: `step`, `cabi_realloc`, then the functions here. */
export function typeIndex(signatures: readonly Signature[], of: number): number {
  const keys = signatures.map(({ params, results }) => `${params.join()}>${results.join()}`);
  return OWN + [...new Set(keys)].indexOf(keys[of]!);
}

/** An index below 128 as it is written. */
const written = (value: number): number[] => [value];
