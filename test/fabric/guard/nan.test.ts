import assert from 'node:assert/strict';
import { Code, F64, I32, I64, V128 } from '../../../src/core/wasm/code.ts';
import { encodeModule } from '../../../src/core/wasm/encoder.ts';
import type { FunctionSpec } from '../../../src/core/wasm/encoder.ts';
import { DEPTH_EXPORT, FUEL_EXPORT, guardModule } from '../../../src/fabric/guard/guard.ts';
import { createMemories } from '../../../src/fabric/v8/memory.ts';

const CANONICAL = 0x7ff8000000000000n;
const CANONICAL32 = 0x7fc00000;
/** Quiet and signalling, of both signs, with payloads; and no NaN at all. */
const INPUTS = [
  0x7ff8000000000000n,
  0xfff8000000000000n,
  0x7ff0000000000123n,
  0xfffc0000deadbeefn,
  0x3ff8000000000000n,
];
const INPUTS32 = [0x7fc00000, 0xffc00000, 0x7f800123, 0xfff0beef, 0x3fc00000];
const F64_ABS = 0x99;
const F64_NEG = 0x9a;
const F64_ADD = 0xa0;
const F64_DIV = 0xa3;
const F64_COPYSIGN = 0xa6;
const TO_F64 = 0xbf;
const FROM_F64 = 0xbd;
const SELECT = 0x1b;

const isNan = (bits: bigint): boolean => (bits & 0x7fffffffffffffffn) > 0x7ff0000000000000n;
const isNan32 = (bits: number): boolean => (bits & 0x7fffffff) > 0x7f800000;
const code = (...bytes: number[]): Code => new Code().raw(bytes);
/** The first parameter, an i64, as an f64. */
const input = [0x20, 0, TO_F64];
/** 0 / 0 times the parameter plus 0 / 0: an f64 that is a NaN of arithmetic whatever the parameter is. */
const computed = (): Code =>
  new Code()
    .f64(0)
    .f64(0)
    .raw([F64_DIV])
    .raw([...input, F64_ADD]);

function guarded(functions: readonly FunctionSpec[]): { run: (...args: never[]) => unknown; canonicals: number } {
  const original = encodeModule({
    functions,
    memory: { min: 1, export: 'memory' },
    globals: [{ type: F64, mutable: true, init: new Code().f64(0) }],
  });
  const module = guardModule(original, { memoryPages: 1, abi: 'any' });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.bytes), createMemories(module)());
  const exports = instance.exports as Record<string, WebAssembly.Global> & Record<string, CallableFunction>;
  exports[FUEL_EXPORT]!.value = 1_000_000n;
  exports[DEPTH_EXPORT]!.value = 100n;
  const constant = Buffer.from([0x44, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f]);
  let canonicals = 0;
  for (let at = -1; (at = Buffer.from(module.bytes).indexOf(constant, at + 1)) >= 0;) canonicals++;
  return { run: (...args) => exports['f']!(...args) as unknown, canonicals };
}

/** Runs code of (i64) -> i64 with the locals f64 (1), f64 (2), i32 (3), v128 (4). */
const locals = [F64, F64, I32, V128];
const bitsOf = (body: Code, more: readonly FunctionSpec[] = []): ((bits: bigint) => bigint) => {
  const { run } = guarded([{ params: [I64], results: [I64], locals, code: body, export: 'f' }, ...more]);
  return (bits) => BigInt.asUintN(64, run(bits as never) as bigint);
};
const canonicalsIn = (body: Code): number =>
  guarded([{ params: [I64], results: [I64], locals, code: body, export: 'f' }]).canonicals;

describe('fabric/guard NaN', () => {
  it('makes what f64 arithmetic gives canonical, whatever payloads go in', () => {
    for (let opcode = 0x9b; opcode <= 0xa5; opcode++) {
      const binary = opcode >= F64_ADD;
      const body = code(...input);
      if (binary) body.f64(1);
      const run = bitsOf(body.raw([opcode, FROM_F64]));
      for (const bits of INPUTS) {
        const result = run(bits);
        if (isNan(bits)) assert.equal(result, CANONICAL, `opcode ${opcode} of ${bits.toString(16)}`);
        else assert.ok(!isNan(result), `opcode ${opcode}`);
      }
    }
  });

  it('makes what f32 arithmetic and conversions between the two give canonical', () => {
    const narrow = (...bytes: number[]): ((bits: number) => number) => {
      const { run } = guarded([
        { params: [I32], results: [I32], code: code(0x20, 0, 0xbe, ...bytes, 0xbc), export: 'f' },
      ]);
      return (bits) => (run(bits as never) as number) >>> 0;
    };
    for (let opcode = 0x8d; opcode <= 0x97; opcode++) {
      const one = opcode >= 0x92 ? [0x43, 0, 0, 0x80, 0x3f] : [];
      const run = narrow(...one, opcode);
      for (const bits of INPUTS32) {
        if (isNan32(bits)) assert.equal(run(bits), CANONICAL32, `opcode ${opcode} of ${bits.toString(16)}`);
        else assert.ok(!isNan32(run(bits)), `opcode ${opcode}`);
      }
    }
    const there = narrow(0xbb, 0xb6);
    for (const bits of INPUTS32) assert.equal(there(bits), isNan32(bits) ? CANONICAL32 : bits);
    const promote = guarded([
      { params: [I32], results: [I64], code: code(0x20, 0, 0xbe, 0xbb, FROM_F64), export: 'f' },
    ]);
    for (const bits of INPUTS32.filter(isNan32)) assert.equal(promote.run(bits as never), CANONICAL);
  });

  it('keeps the bits of copies, sign operations, constants and loads', () => {
    const sign = 1n << 63n;
    const cases: [name: string, body: Code, expected: (bits: bigint) => bigint][] = [
      ['a copy', code(...input, FROM_F64), (bits) => bits],
      ['through locals', code(...input, 0x22, 1, 0x21, 2, 0x20, 2, FROM_F64), (bits) => bits],
      ['abs', code(...input, F64_ABS, FROM_F64), (bits) => bits & ~sign],
      ['neg', code(...input, F64_NEG, FROM_F64), (bits) => bits ^ sign],
      [
        'copysign',
        code(...input)
          .f64(-1)
          .raw([F64_COPYSIGN, FROM_F64]),
        (bits) => bits | sign,
      ],
      [
        'select',
        code(...input)
          .f64(1)
          .i32(1)
          .raw([SELECT, FROM_F64]),
        (bits) => bits,
      ],
      ['a global', code(...input, 0x24, 0, 0x23, 0, FROM_F64), (bits) => bits],
      ['memory', new Code().i32(0).raw(input).memory('f64_store').i32(0).memory('i64_load'), (bits) => bits],
      [
        'memory, read as a float',
        new Code().i32(0).get(0).memory('i64_store').i32(0).memory('f64_load').raw([FROM_F64]),
        (bits) => bits,
      ],
      ['a block', code(0x02, F64, ...input, 0x0b, FROM_F64), (bits) => bits],
      ['lanes', code(...input, 0xfd, 20, 0xfd, 236, 1, 0xfd, 29, 1), (bits) => bits & ~sign],
    ];
    for (const [name, body, expected] of cases) {
      const run = bitsOf(body);
      for (const bits of INPUTS) assert.equal(run(bits), expected(bits), `${name} of ${bits.toString(16)}`);
    }
    const constant = code(0x44, 0x23, 1, 0, 0, 0, 0, 0xf0, 0xff, 0x21, 1, 0x20, 1, FROM_F64);
    assert.equal(bitsOf(constant)(0n), 0xfff0000000000123n);
  });

  it('makes a NaN of arithmetic canonical on every way out of where nobody can tell', () => {
    const sign = 1n << 63n;
    const identity: FunctionSpec = { params: [F64], results: [I64], code: code(0x20, 0, FROM_F64) };
    const giving: FunctionSpec = { params: [I64], results: [F64], code: computed() };
    const cases: [name: string, body: Code, expected?: bigint][] = [
      ['reinterpreted', computed().raw([FROM_F64])],
      ['stored', new Code().i32(0).raw(computed().finish()).memory('f64_store').i32(0).memory('i64_load')],
      ['in a global', computed().raw([0x24, 0, 0x23, 0, FROM_F64])],
      ['an argument', computed().call(1)],
      ['returned', new Code().get(0).call(2).raw([FROM_F64])],
      ['through a local', computed().raw([0x21, 1, 0x20, 1, FROM_F64])],
      ['through two locals', computed().raw([0x22, 1, 0x1a, 0x20, 1, 0x21, 2, 0x20, 2, FROM_F64])],
      ['out of a block', new Code().block(F64).raw(computed().finish()).end().raw([FROM_F64])],
      ['by a branch', new Code().block(F64).raw(computed().finish()).i32(1).brIf(0).end().raw([FROM_F64])],
      ['by a return', new Code().raw(computed().finish()).raw([FROM_F64]).op('return').op('unreachable')],
      ['selected', computed().f64(1).i32(1).raw([SELECT, FROM_F64])],
      ['negated', computed().raw([F64_NEG, FROM_F64]), CANONICAL | sign],
      ['made positive', computed().raw([F64_ABS, FROM_F64])],
      ['as a sign', new Code().f64(1).raw(computed().finish()).raw([F64_COPYSIGN, FROM_F64]), 0x3ff0000000000000n],
      ['in a lane', computed().raw([0xfd, 20, 0xfd, 29, 1])],
    ];
    for (const [name, body, expected = CANONICAL] of cases) {
      const run = bitsOf(body, [identity, giving]);
      for (const bits of INPUTS) assert.equal(run(bits), expected, name);
    }
    // A sum in a local of a loop, read after it: before the first round the local holds no NaN.
    const sum = new Code().i32(3).set(3).loop().get(1).raw(input).raw([F64_ADD]).set(1);
    sum.get(3).i32(1).op('i32_sub').tee(3).brIf(0).end().get(1).raw([FROM_F64]);
    for (const bits of INPUTS.filter(isNan)) assert.equal(bitsOf(sum)(bits), CANONICAL);
  });

  it('makes what vector arithmetic gives canonical, lane by lane', () => {
    const splat = code(...input, 0xfd, 20);
    const out = [0xfd, 29, 1];
    for (const sub of [116, 117, 122, 148, 239, 240, 241, 242, 243, 244, 245]) {
      const op = [0xfd, ...(sub < 128 ? [sub] : [(sub & 127) | 128, 1])];
      const body = code(...splat.finish());
      if (sub >= 240) body.raw(splat.finish());
      const run = bitsOf(body.raw([...op, ...out]));
      for (const bits of INPUTS.filter(isNan)) assert.equal(run(bits), CANONICAL, `0xfd ${sub}`);
    }
    for (const sub of [103, 104, 105, 106, 227, 228, 229, 230, 231, 232, 233]) {
      const op = [0xfd, ...(sub < 128 ? [sub] : [(sub & 127) | 128, 1])];
      const lanes = code(0x20, 0, 0xfd, 18);
      const body = code(...lanes.finish());
      if (sub >= 228) body.raw(lanes.finish());
      assert.equal(bitsOf(body.raw([...op, ...out]))(0xffc00123_7fc00000n), 0x7fc000007fc00000n, `0xfd ${sub}`);
    }
    assert.equal(bitsOf(splat.raw([0xfd, 94, 0xfd, 29, 0]))(0xfff8000000000001n), 0x7fc000007fc00000n);
  });

  it('makes vectors canonical where another lane type would see their bits', () => {
    // Two NaNs of f32, side by side, are a finite f64.
    const nans = code(0x20, 0, 0xfd, 18, 0x20, 0, 0xfd, 18, 0xfd, 231, 1);
    const zero = new Code().f64(0).raw([0xfd, 20]);
    const mixed = nans.raw(zero.finish()).raw([0xfd, 240, 1, 0xfd, 29, 0]);
    assert.equal(bitsOf(mixed)(0n), 0x7fc000007fc00000n);
    const local = code(0x20, 0, 0xfd, 18, 0x20, 0, 0xfd, 18, 0xfd, 231, 1, 0x21, 4, 0x20, 4);
    assert.equal(bitsOf(local.raw(zero.finish()).raw([0xfd, 240, 1, 0xfd, 29, 0]))(0n), 0x7fc000007fc00000n);
  });

  it('makes vectors canonical where another lane type decides by their bits which of two it passes on', () => {
    const zeros = new Code().f64(0).raw([0xfd, 20]);
    // 0 / 0 in lanes of f32 is a large f64, positive if canonical and negative on some processors: the smaller one is 0 or that.
    const smaller = code(0x20, 0, 0xfd, 18, 0x20, 0, 0xfd, 18, 0xfd, 231, 1).raw(zeros.finish()).raw([0xfd, 246, 1]);
    const differs = smaller.raw([...zeros.finish(), 0xfd, 66, 0xfd, 29, 0]);
    assert.equal(bitsOf(differs)(0n), 0n);
    // The payload of a NaN of f64 is a number in a lane of f32: canonical it is 0.
    const constant = [0xfd, 12, 0, 0, 0, 0x3f, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0x3f, 0, 0, 0xf0, 0x3f];
    const payload = code(...constant, ...input, 0xfd, 20, ...zeros.finish(), 0xfd, 240, 1, 0xfd, 234, 1);
    const one = new Code().f64(1).raw([0xfd, 20]);
    const same = payload.raw([...one.finish(), 0xfd, 71, 0xfd, 29, 0]);
    assert.equal(bitsOf(same)(0x7ff800003f800000n), 0xffffffffffffffffn);
  });

  it('makes canonical what gives a number its sign', () => {
    const F64_SQRT = 0x9f;
    const root = new Code().f64(4).raw([...computed().finish(), F64_COPYSIGN, F64_SQRT, FROM_F64]);
    // The root of 4, where that of -4 would be a NaN.
    assert.equal(bitsOf(root)(0n), 0x4000000000000000n);
    const narrow = code(0x43, 0, 0, 0x80, 0x40, 0x43, 0, 0, 0, 0, 0x43, 0, 0, 0, 0, 0x95, 0x98, 0x91, 0xbb, FROM_F64);
    assert.equal(bitsOf(narrow)(0n), 0x4000000000000000n);
  });

  it('puts nothing in where nobody can tell, and one test for a chain', () => {
    const chain = code(...input, ...input, F64_ADD, ...input, 0xa2, 0x22, 1, 0x20, 1, F64_ADD);
    assert.equal(canonicalsIn(code(...chain.finish(), FROM_F64)), 1);
    assert.equal(
      canonicalsIn(
        code(...chain.finish())
          .f64(1)
          .raw([0x63, 0xad]),
      ),
      0,
    );
    assert.equal(canonicalsIn(code(...chain.finish(), 0xfc, 6)), 0);
    assert.equal(canonicalsIn(code(...input, FROM_F64)), 0);
  });

  it('charges nothing for it', () => {
    const fuelOf = (opcode: number): number => {
      const original = encodeModule({
        functions: [{ params: [F64], results: [F64], code: code(0x20, 0, opcode), export: 'f' }],
      });
      const module = guardModule(original, { memoryPages: 1, abi: 'any' });
      const exports = new WebAssembly.Instance(new WebAssembly.Module(module.bytes)).exports as never as {
        f: (x: number) => number;
        [FUEL_EXPORT]: WebAssembly.Global;
      };
      exports[FUEL_EXPORT].value = 1000n;
      exports.f(Number.NaN);
      return 1000 - Number(exports[FUEL_EXPORT].value as bigint);
    };
    assert.equal(fuelOf(0x9b), fuelOf(F64_NEG));
  });
});
