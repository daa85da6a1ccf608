import type { Stream } from '../../../src/core/random/random.ts';
import { Code, EXTERNREF, F32, F64, FUNCREF, I32, I64, V128 } from '../../../src/core/wasm/code.ts';
import { OWN } from '../agents.ts';
import { IN_TABLE, NUMBERS, REFERENCES, TABLES, globalsOf } from './layout.ts';
import type { Layout } from './layout.ts';
import { LANE_LOADS, LOADS, OPERATORS } from './operators.ts';
import type { Operator } from './operators.ts';

const PER_TYPE = 2;
/** Types of values; the references only where the layout has them. */
export const LOCAL_TYPES = [...NUMBERS, ...REFERENCES];
/** Locals beyond the parameters: two of each type. */
export const VALUE_LOCALS = LOCAL_TYPES.flatMap((type) => Array.from({ length: PER_TYPE }, () => type));

const OPERATORS_OF = new Map(
  (['hidden', 'open'] as const).map((nans) => [
    nans,
    new Map(
      NUMBERS.map((type) => [
        type,
        OPERATORS.filter(({ tellsNans, result }) => result === type && (nans === 'open' || !tellsNans)),
      ]),
    ),
  ]),
);

/** Writes random expressions: instructions that leave a value of a type. */
export class Expressions {
  protected readonly code = new Code();
  protected readonly random: Stream;
  protected readonly layout: Layout;
  protected readonly globals: readonly number[];
  /** How many parameters the function has: its locals come after. */
  protected readonly params: number;
  /** Values that are still to be made: small functions are many, since compiling takes the most time. */
  protected budget: number;
  readonly #operators: ReadonlyMap<number, readonly Operator[]>;

  constructor(random: Stream, layout: Layout, params: number) {
    this.random = random;
    this.layout = layout;
    this.params = params;
    this.globals = globalsOf(layout.references);
    this.#operators = OPERATORS_OF.get(layout.nans)!;
    this.budget = random.pick([4, 8, 16, 32]);
  }

  /** Leaves a value of `type`. */
  protected value(type: number): void {
    const random = this.random;
    const choice = random.integer(14);
    this.budget--;
    if (choice < 4 || this.budget <= 0) this.code.get(this.local(type));
    else if (choice < 5) this.#constant(type);
    else if (choice === 5) this.#select(type);
    else if (choice === 6) {
      this.value(type);
      this.code.tee(this.local(type));
    } else if (choice === 7 && this.globals.includes(type)) {
      const known = this.globals.flatMap((global, index) => (global === type && index > 0 ? [index] : []));
      this.code.globalGet(random.pick(known));
    } else if (type === FUNCREF || type === EXTERNREF) this.#tableGet(type);
    else if (choice === 8) this.#load(type);
    else if (choice === 9 && type === I32) this.#size();
    else if (choice === 9 && type === V128) {
      this.values([V128, V128]);
      this.code.raw([0xfd, 13, ...Array.from({ length: 16 }, () => random.integer(32))]);
    } else this.operate(random.pick(this.#operators.get(type)!));
  }

  protected values(types: readonly number[]): void {
    for (const type of types) this.value(type);
  }

  protected local(type: number): number {
    return this.params + LOCAL_TYPES.indexOf(type) * PER_TYPE + this.random.integer(PER_TYPE);
  }

  protected address(): void {
    this.value(I32);
    this.code.i32(this.random.chance(0.97) ? 0x7fff : 0x3ffff).op('i32_and');
  }

  /** Mostly an index below `size`; else any value. */
  protected index(size: number): void {
    if (this.random.chance(0.9)) this.code.i32(this.random.integer(size));
    else this.value(I32);
  }

  protected operate({ bytes, params }: Operator): void {
    this.values(params);
    this.code.raw(bytes);
  }

  #constant(type: number): void {
    const random = this.random;
    const bits = (): number[] => Array.from({ length: 4 }, () => random.integer(256));
    const special = random.pick([0, 1, -1, 2 ** 31, -(2 ** 31), 2 ** 32, 0.5, 1e300, Number.NaN, Infinity, -0]);
    if (type === I32) this.code.i32(random.chance(0.7) ? random.integer(300) - 20 : random.u32());
    else if (type === I64) this.code.i64(BigInt(random.u32()) * (random.chance(0.5) ? 1n : 2n ** 31n + 7n));
    else if (type === F64) this.code.f64(random.chance(0.5) ? special : random.integer(1000) / 8 - 60);
    else if (type === F32) this.code.raw([0x43, ...bits()]);
    else if (type === V128) this.code.raw([0xfd, 12, ...bits(), ...bits(), ...bits(), ...bits()]);
    else if (type === FUNCREF && random.chance(0.7)) this.code.raw([0xd2, OWN + random.integer(IN_TABLE)]);
    else this.code.raw([0xd0, type]);
  }

  #select(type: number): void {
    this.values([type, type, I32]);
    const plain = type !== V128 && NUMBERS.includes(type) && this.random.chance(0.7);
    this.code.raw(plain ? [0x1b] : [0x1c, 1, type]);
  }

  /** An i32 that says how large or whether there is something. */
  #size(): void {
    const random = this.random;
    if (!this.layout.references || random.chance(0.3)) this.code.memorySize();
    else if (random.chance(0.5)) this.code.raw([0xfc, 16, random.integer(TABLES.length)]);
    else {
      this.value(random.pick(REFERENCES));
      this.code.raw([0xd1]);
    }
  }

  #load(type: number): void {
    this.address();
    if (type === V128 && this.random.chance(0.2)) {
      const [bytes, lanes] = this.random.pick(LANE_LOADS);
      this.value(V128);
      this.code.raw(bytes).raw([this.random.integer(100), this.random.integer(lanes)]);
      return;
    }
    const [bytes] = this.random.pick(LOADS.filter(([, loaded]) => loaded === type));
    this.code.raw(bytes).raw([this.random.integer(100)]);
  }

  #tableGet(type: number): void {
    const table = this.random.pick(TABLES.flatMap((one, index) => (one.type === type ? [index] : [])));
    this.index(TABLES[table]!.min);
    this.code.raw([0x25, table]);
  }
}
