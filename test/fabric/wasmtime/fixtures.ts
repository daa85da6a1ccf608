import type { ExecutionLimits } from '../../../src/contracts/records.ts';
import { Code, F64, I32, I64 } from '../../../src/core/wasm/code.ts';
import { OWN, P, STEP_PARAMS, agentModule, answering, asking, bump, echo, put, result, text } from '../agents.ts';
import type { AgentSpec } from '../agents.ts';

/** An agent of the parity tests, and the limits that differ from the defaults. */
export interface Fixture {
  readonly module: Uint8Array;
  readonly limits?: Partial<ExecutionLimits>;
}

const V128 = 0x7b;
const RESULT = 64;
const OUTPUT = 1024;

/** Runs `code` for its effects, then answers with four bytes at 1024. */
const after = (code: Code, spec: Partial<AgentSpec> = {}): Fixture => ({
  module: agentModule({ ...spec, step: result(code, 0, OUTPUT, 4) }),
});
/** Answers with what `code` leaves, an i32. */
const giving = (code: Code, spec: Partial<AgentSpec> = {}): Fixture =>
  after(new Code().i32(OUTPUT).raw(code.finish()).memory('i32_store'), spec);
/** Answers with what `code` leaves, an i64. */
const giving64 = (code: Code): Fixture => ({
  module: agentModule({
    step: result(new Code().i32(OUTPUT).raw(code.finish()).memory('i64_store'), 0, OUTPUT, 8),
  }),
});
/** A result whose words from its begin on are `words`; what is not said is 0. */
function handing(words: readonly number[], limits?: Partial<ExecutionLimits>, at = RESULT): Fixture {
  const step = new Code();
  for (let i = 0; i < 7; i++) put(step, at + 4 * i, words[i] ?? 0);
  return {
    module: agentModule({ step: step.i32(at), data: [text(2048, '\u007f'.repeat(64))] }),
    ...(limits && { limits }),
  };
}

const callIndirect = (index: number): Code => new Code().i32(index).raw([0x11, 0, 0]);
/** A table of two: `step`'s own type is number 0, the function in it is of another. */
const TABLE = { min: 2, elements: [OWN] };
const NOTHING = { params: [], results: [], code: new Code() };

/** Ends in the engine's own traps, one way each. */
const TRAPPING: Readonly<Record<string, Fixture>> = {
  unreachable: after(new Code().op('unreachable')),
  'load out of bounds': giving(new Code().i32(-1).memory('i32_load')),
  'load at the end': giving(new Code().i32(65_533).memory('i32_load')),
  'store out of bounds': after(new Code().i32(65_529).i64(-1).memory('i64_store')),
  'offset past 4 GiB': giving(new Code().i32(-4).memory('i32_load', 0xffff_ffff)),
  'copy out of bounds': after(new Code().i32(0).i32(65_000).i32(1000).memoryCopy()),
  'fill out of bounds': after(new Code().i32(65_535).i32(7).i32(2).memoryFill()),
  'divide by zero': giving(new Code().i32(7).i32(0).op('i32_div_s')),
  'remainder by zero': giving(new Code().i64(7).i64(0).op('i64_rem_u', 'i32_wrap_i64')),
  'quotient too large': giving(
    new Code()
      .i32(-(2 ** 31))
      .i32(-1)
      .op('i32_div_s'),
  ),
  'wide quotient too large': giving(
    new Code()
      .i64(-(2n ** 63n))
      .i64(-1)
      .op('i64_div_s', 'i32_wrap_i64'),
  ),
  'remainder of the same': giving(
    new Code()
      .i32(-(2 ** 31))
      .i32(-1)
      .op('i32_rem_s'),
  ),
  'NaN to integer': giving(new Code().f64(NaN).op('i32_trunc_f64_s')),
  'infinity to integer': giving(new Code().f64(Infinity).op('i32_trunc_f64_u')),
  'large to integer': giving(new Code().f64(2 ** 31).op('i32_trunc_f64_s')),
  'negative to unsigned': giving(new Code().f64(-1).op('i32_trunc_f64_u')),
  'no such element': after(pushStep(callIndirect(2)).op('drop'), { table: TABLE, functions: [NOTHING] }),
  'null element': after(pushStep(callIndirect(1)).op('drop'), { table: TABLE, functions: [NOTHING] }),
  'element of another type': after(pushStep(callIndirect(0)).op('drop'), { table: TABLE, functions: [NOTHING] }),
  'element segment too long': after(new Code(), { table: { min: 0, elements: [OWN] }, functions: [NOTHING] }),
  'data segment too long': after(new Code(), { data: [text(65_530, 'too long')] }),
};

function pushStep(code: Code): Code {
  const all = new Code();
  STEP_PARAMS.forEach((_, index) => all.get(index));
  return all.raw(code.finish());
}

/** Hands out what the ABI forbids, or more than the limits allow. */
const ABUSING: Readonly<Record<string, Fixture>> = {
  'result outside': { module: agentModule({ step: new Code().i32(-28) }) },
  'result not aligned': { module: agentModule({ step: new Code().i32(66) }) },
  'result at the end': handing([], {}, 65_536 - 28),
  'result past the end': { module: agentModule({ step: new Code().i32(65_536 - 24) }) },
  'outcome that does not exist': handing([0, 0, 3]),
  'outcome with junk above it': handing([0, 0, 0xabcd_ef00, 2048, 4]),
  'output outside': handing([0, 0, 0, 65_535, 2]),
  'output of lying length': handing([0, 0, 0, 2048, -1]),
  'output too large': handing([0, 0, 0, 2048, 9], { outputBytes: 8 }),
  'state too large': handing([2048, 9, 0, 2048, 1], { stateBytes: 8 }),
  'state of nothing': handing([-1, 0, 0, 2048, 1]),
  'log too large': handing([0, 0, 0, 2048, 1, 2048, 3], { logBytes: 2 }),
  'log lines overlapping themselves': handing([0, 0, 0, 2048, 1, 64, 3]),
  'too many effects': handing([0, 0, 2, 2048, 3], { effectsPerTurn: 2 }),
  'effect that does not exist': handing([0, 0, 2, 2048, 1]),
  'effects not aligned': handing([0, 0, 2, 2049, 1]),
  'reason that is not UTF-8': (() => {
    const step = new Code().i32(1024).i32(0xff).memory('i32_store8');
    return { module: agentModule({ step: result(step, 1, 1024, 1) }) };
  })(),
  'allocation outside': { module: agentModule({ step: new Code().i32(64), realloc: new Code().i32(-8) }) },
  'allocation not aligned': { module: agentModule({ step: new Code().i32(64), realloc: new Code().i32(4097) }) },
  'allocation that traps': { module: agentModule({ step: new Code().i32(64), realloc: new Code().op('unreachable') }) },
  'allocation that never ends': {
    module: agentModule({ step: new Code().i32(64), realloc: new Code().loop().br(0).end().op('unreachable') }),
    limits: { fuel: 20_000 },
  },
};

/** Grows its memory by a page until it is refused, and answers with the pages that it got. */
const growing: Code = new Code().loop().i32(1).memoryGrow().i32(-1).op('i32_ne').brIf(0).end().memorySize();
const recurse = new Code().get(0).op('i32_eqz').if().i32(0).op('return').end().get(0).i32(1).op('i32_sub').call(OWN);
/** Calls itself for ever, with as many live vectors in a frame as weigh one call. */
const WIDE = 28;
const wideFrames = new Code();
for (let i = 1; i <= WIDE; i++)
  wideFrames.get(0).raw([0xfd, 17]).get(0).i32(i).op('i32_add').raw([0xfd, 17, 0xfd, 174, 1]).set(i);
wideFrames.get(0).i32(1).op('i32_add').call(OWN);
for (let i = 1; i <= WIDE; i++) wideFrames.get(i).raw([0xfd, 27, 0]).op('i32_add');
const WIDE_FRAMES = {
  functions: [{ params: [I32], results: [I32], locals: Array.from({ length: WIDE }, () => V128), code: wideFrames }],
};
const ENDLESS = {
  functions: [{ params: [I32], results: [I32], code: new Code().get(0).call(OWN).i32(1).op('i32_add') }],
};
const RECURSING = { functions: [{ params: [I32], results: [I32], code: recurse }] };
const tableGrow = (elements: number): Code => new Code().raw([0xd0, 0x70]).i32(elements).raw([0xfc, 15, 0]);

/** Comes to what the caps allow. */
const GREEDY: Readonly<Record<string, Fixture>> = {
  ...Object.fromEntries(
    [1, 2, 5, 16].map((memoryPages) => [
      `memory to ${memoryPages} pages`,
      { ...giving(growing), limits: { memoryPages } },
    ]),
  ),
  'memory of its own limit': giving(growing, { memory: { min: 1, max: 3 } }),
  'memory of no pages': { module: agentModule({ step: new Code().i32(0), memory: { min: 0, max: 0 } }) },
  'memory all at once': giving(new Code().i32(300).memoryGrow()),
  'memory up to its end': giving(
    new Code()
      .i32(255)
      .memoryGrow()
      .op('drop')
      .i32(256 * 65_536 - 4)
      .memory('i32_load'),
  ),
  'table to its end': giving(tableGrow(9_999), { table: { min: 1 } }),
  'table past its end': giving(tableGrow(10_000), { table: { min: 1 } }),
  'wide frames': { ...giving(new Code().i32(0).call(OWN), WIDE_FRAMES), limits: { depth: 100 } },
  'endless recursion': { ...giving(new Code().i32(0).call(OWN), ENDLESS), limits: { depth: 100 } },
  'endless loop': { ...after(new Code().loop().br(0).end().op('unreachable')), limits: { fuel: 100_000 } },
  ...Object.fromEntries(
    [7, 8, 9, 10, 11, 500].map((times) => [
      `${times} calls deep`,
      { ...giving(new Code().i32(times).call(OWN), RECURSING), limits: { depth: 10 } },
    ]),
  ),
};

/** Bits of floats, where engines could differ. */
const FLOATING: Readonly<Record<string, Fixture>> = {
  'zero by zero': giving64(new Code().f64(0).f64(0).op('f64_div', 'i64_reinterpret_f64')),
  'infinity less infinity': giving64(new Code().f64(Infinity).f64(Infinity).op('f64_sub', 'i64_reinterpret_f64')),
  'root of less than nothing': giving64(new Code().f64(-1).op('f64_sqrt', 'i64_reinterpret_f64')),
  'feature plus one': giving64(new Code().get(P.b).memory('f64_load', 8).f64(1).op('f64_add', 'i64_reinterpret_f64')),
  'smaller of feature and one': giving64(
    new Code().get(P.b).memory('f64_load', 8).f64(1).op('f64_min', 'i64_reinterpret_f64'),
  ),
  'feature as it is': giving64(new Code().get(P.b).memory('i64_load', 8)),
};

/** Says what every parameter of a step is. */
const reporting = (): Fixture => {
  const step = new Code().i32(OUTPUT).get(P.turn).memory('i32_store');
  step.i32(OUTPUT).get(P.seed).memory('i64_store', 8).i32(OUTPUT).get(P.time).memory('i64_store', 16);
  step.i32(OUTPUT).get(P.stateLength).memory('i32_store', 24).i32(OUTPUT).get(P.aLength).memory('i32_store', 28);
  step.i32(OUTPUT).get(P.bLength).memory('i32_store', 32).i32(OUTPUT).get(P.body).memory('i32_store', 36);
  return { module: agentModule({ step: result(step, 0, OUTPUT, 40) }) };
};

const WELL_BEHAVED: Readonly<Record<string, Fixture>> = {
  answering: { module: answering('{"label":"ham"}') },
  echo: { module: echo() },
  asking: { module: asking(0, '{"model":"m","input":"/text"}', 3) },
  reporting: reporting(),
  'state and log': handing([2048, 5, 1, 2048, 3, 3000, 0]),
  'globals of its own': giving(
    new Code().globalGet(1).op('i32_wrap_i64').globalGet(2).op('i32_trunc_f64_s', 'i32_add'),
    {
      globals: [
        { type: I64, mutable: true, init: new Code().i64(40) },
        { type: F64, mutable: true, init: new Code().f64(2.5) },
      ],
    },
  ),
  'allocating a lot': { module: agentModule({ step: new Code().i32(64), realloc: bump(), memory: { min: 1 } }) },
};

export const FIXTURES: Readonly<Record<string, Fixture>> = {
  ...WELL_BEHAVED,
  ...TRAPPING,
  ...ABUSING,
  ...GREEDY,
  ...FLOATING,
};
