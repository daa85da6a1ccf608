import type { Stream } from '../../../src/core/random/random.ts';
import { ByteWriter } from '../../../src/core/wasm/bytes.ts';
import { Code, EXTERNREF, F32, F64, FUNCREF, I32, I64, V128 } from '../../../src/core/wasm/code.ts';
import type { FunctionSpec } from '../../../src/core/wasm/encoder.ts';
import { SECTION } from '../../../src/fabric/guard/module.ts';
import { OWN, P, agentModule } from '../agents.ts';
import { extendModule } from './extend.ts';
import type { Item } from './extend.ts';
import {
  BLOCKS,
  ELEMENTS,
  FUNCTIONS,
  IN_TABLE,
  NUMBERS,
  PLAIN_BLOCKS,
  RECURSIVE,
  TABLES,
  globalsOf,
} from './layout.ts';
import type { Layout, NanBits, Signature } from './layout.ts';
import { LOCALS, Program, typeIndex } from './program.ts';

/** Bytes of the memory that the agent answers with: where it puts what else it can see of itself. */
const ANSWER = 2048;
const ROUNDS = 2;
/** Where the answer has what; the record of the outcome lies where programs seldom write. */
const AT = { results: 128, globals: 256, tables: 384, outcome: 60_000 };
/** No state, done with the first bytes of the memory, no log: little-endian words. */
const OUTCOME = [0, 0, 0, 0, ANSWER, 0, 0].flatMap((word) => [word & 255, word >> 8, 0, 0]);
const RECURSION: Signature = { params: [I32, I64], results: [I32] };
const FIRST_LOCAL = 10;

/**
 * A random agent whose `step` calls a random function a few times and a recursive one, and answers with the first bytes of its
 * memory, where results, globals and what is in its tables are put. The same stream gives the same bytes.
 */
export function randomAgent(random: Stream, nans: NanBits): Uint8Array<ArrayBuffer> {
  const references = random.chance(0.75);
  const signatures = [
    ...Array.from({ length: FUNCTIONS }, (): Signature => ({
      params: Array.from({ length: random.integer(4) }, () => random.pick(NUMBERS)),
      results: Array.from({ length: 1 + random.integer(2) }, () => random.pick([I32, I64])),
    })),
    RECURSION,
  ];
  const blocks = 1 + Math.max(...signatures.map((_, of) => typeIndex(signatures, of)));
  const layout: Layout = { nans, signatures, references, blocks };
  const functions = signatures.map((signature, self): FunctionSpec => {
    const program = new Program(random, self, layout);
    return { ...signature, locals: LOCALS, code: self === RECURSIVE ? program.buildRecursive() : program.build() };
  });
  const globals = globalsOf(references);
  const module = agentModule({
    step: step(random, layout),
    realloc: new Code().i32(4096),
    locals: [I32, I64],
    functions,
    memory: { min: 1, max: 4 },
    globals: globals.slice(1).map((type) => ({ type, mutable: true, init: zero(type) })),
    data: [
      { offset: 300, bytes: Array.from({ length: 64 }, () => random.integer(256)) },
      { offset: AT.outcome, bytes: OUTCOME },
    ],
    ...(references && {
      table: {
        min: TABLES[0]!.min,
        max: TABLES[0]!.max,
        elements: Array.from({ length: IN_TABLE }, (_, i) => OWN + i),
      },
    }),
  });
  const types = BLOCKS.slice(0, references ? BLOCKS.length : PLAIN_BLOCKS).map(({ params, results }) =>
    new ByteWriter().byte(0x60).vector(params).vector(results).finish(),
  );
  return extendModule(module, new Map([[SECTION.type, types], ...(references ? tablesAndSegments(random) : [])]));
}

/** The other tables, and the segments; a few active ones lie outside of what they are for. */
function tablesAndSegments(random: Stream): [section: number, items: readonly Item[]][] {
  const offset = random.chance(0.03) ? 100 : 0;
  const active = new ByteWriter()
    .raw([2, 2, 0x41])
    .signed(offset)
    .raw([0x0b, 0, 1, OWN + 1]);
  const passive = new ByteWriter().byte(1).vector(Array.from({ length: 24 }, () => random.integer(256)));
  const far = new ByteWriter()
    .raw([0, 0x41])
    .signed(65_530)
    .byte(0x0b)
    .vector(random.chance(0.02) ? new Array(9).fill(7) : [7]);
  return [
    [SECTION.table, TABLES.slice(1).map(({ type, min, max }) => [type, 1, min, max])],
    [SECTION.element, [...ELEMENTS.slice(1).map(({ item }) => item), active.finish()]],
    [SECTION.data, [passive.finish(), far.finish()]],
  ];
}

function zero(type: number): Code {
  if (type === I32) return new Code().i32(0);
  if (type === I64) return new Code().i64(0);
  if (type === F64) return new Code().f64(0);
  if (type === F32) return new Code().raw([0x43, 0, 0, 0, 0]);
  return new Code().raw(type === V128 ? [0xfd, 12, ...new Array<number>(16).fill(0)] : [0xd0, type]);
}

function step(random: Stream, { signatures, references, nans }: Layout): Code {
  const main = FUNCTIONS - 1;
  const code = new Code();
  const keep = (at: number): void => {
    code
      .i32(at)
      .get(FIRST_LOCAL)
      .memory('i32_store')
      .i32(at)
      .get(FIRST_LOCAL + 1)
      .memory('i64_store', 8);
  };
  for (let round = 0; round < ROUNDS; round++) {
    for (const type of signatures[main]!.params) argument(code, type, round);
    code.call(OWN + main);
    for (const type of signatures[main]!.results.toReversed()) code.set(FIRST_LOCAL + (type === I32 ? 0 : 1));
    keep(AT.results + 16 * round);
  }
  code
    .i32(random.integer(random.pick([3, 3, 30, 300])))
    .get(P.seed)
    .call(OWN + RECURSIVE)
    .set(FIRST_LOCAL);
  keep(AT.results + 16 * ROUNDS);
  globalsOf(references).forEach((type, index) => {
    const at = AT.globals + 16 * index;
    if (type === FUNCREF || type === EXTERNREF) code.i32(at).globalGet(index).raw([0xd1]).memory('i32_store');
    else if (nans === 'open' || (type !== F32 && type !== F64))
      code
        .i32(at)
        .globalGet(index)
        .raw([...STORE.get(type)!, 0]);
  });
  if (references) tables(code);
  return code.i32(AT.outcome);
}

/** Stores of a whole value: what comes before their offset. */
const STORE = new Map([
  [I32, [0x36, 0]],
  [I64, [0x37, 0]],
  [F32, [0x38, 0]],
  [F64, [0x39, 0]],
  [V128, [0xfd, 11, 0]],
]);

/** Of each table its size, and whether its first and its last element were null or are. */
function tables(code: Code): void {
  TABLES.forEach(({ min }, table) => {
    const at = AT.tables + 64 * table;
    code.i32(at).raw([0xfc, 16, table]).memory('i32_store');
    for (const element of [0, min - 1]) {
      code
        .i32(at)
        .i32(element)
        .raw([0x25, table, 0xd1])
        .memory('i32_store', 4 + 4 * element);
    }
  });
}

/** An argument of the random function, made from the seed of the event. */
function argument(code: Code, type: number, round: number): void {
  if (type === V128) code.get(P.seed).raw([0xfd, 18]);
  else if (type === I64) code.get(P.seed).i64(round).op('i64_add');
  else if (type === F64) code.get(P.seed).raw([0xbf]);
  else if (type === F32) code.get(P.seed).op('i32_wrap_i64').raw([0xbe]);
  else code.get(P.seed).op('i32_wrap_i64').i32(round).op('i32_add');
}
