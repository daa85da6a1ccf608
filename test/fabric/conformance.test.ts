import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ScriptRunner, newTally } from '../../scripts/conformance/script.ts';
import type { Tally } from '../../scripts/conformance/script.ts';
import { V8 } from '../../scripts/conformance/subject.ts';
import type { Engine } from '../../scripts/conformance/subject.ts';
import type { Constant } from '../../scripts/conformance/values.ts';
import { WasmtimeEngine } from '../../scripts/conformance/wasmtime.ts';
import { Code, EXTERNREF, F32, F64, FUNCREF, I32, I64, V128 } from '../../src/core/wasm/code.ts';
import { encodeModule } from '../../src/core/wasm/encoder.ts';
import type { FunctionSpec } from '../../src/core/wasm/encoder.ts';
import { libraryOrSkip } from './wasmtime/library.ts';

const same = (name: string, ...types: number[]): FunctionSpec => {
  const code = new Code();
  types.forEach((_, local) => code.get(local));
  return { params: types, results: types, code, export: name };
};

/** Functions that give back what they are given, end in every way, and a global. */
const MODULE = encodeModule({
  functions: [
    same('numbers', I32, I64, F32, F64, V128),
    same('reference', EXTERNREF),
    { params: [], results: [FUNCREF], code: new Code().raw([0xd2, 0]), export: 'function' },
    { params: [], results: [F64], code: new Code().f64(0).f64(0).op('f64_div'), export: 'nan' },
    { params: [], results: [], code: new Code().op('unreachable'), export: 'trap' },
    { params: [I32], results: [I32], code: new Code().get(0).call(5).get(0).op('i32_add'), export: 'endless' },
  ],
  table: { min: 1, elements: [0] },
  memory: { min: 1, export: 'memory' },
  globals: [{ type: I64, mutable: false, init: new Code().i64(-7), export: 'global' }],
});

const V: Constant = { type: 'v128', lane_type: 'i32', value: ['1', '-2', '3', '4294967295'] };
const NUMBERS: Constant[] = [
  { type: 'i32', value: '-5' },
  { type: 'i64', value: '9223372036854775809' },
  // NaNs with payloads of their own.
  { type: 'f32', value: String(0x7fa12345) },
  { type: 'f64', value: String(0xfff4000000000001n) },
  V,
];
const HOST: Constant = { type: 'externref', value: '7' };

interface Assertion {
  readonly type: string;
  readonly field: string;
  readonly args?: readonly Constant[];
  readonly expected?: readonly Constant[];
  readonly get?: boolean;
}

const ASSERTIONS: readonly Assertion[] = [
  { type: 'assert_return', field: 'numbers', args: NUMBERS, expected: NUMBERS },
  { type: 'assert_return', field: 'reference', args: [HOST], expected: [HOST] },
  {
    type: 'assert_return',
    field: 'reference',
    args: [{ type: 'externref', value: 'null' }],
    expected: [{ type: 'externref', value: 'null' }],
  },
  { type: 'assert_return', field: 'function', expected: [{ type: 'funcref' }] },
  { type: 'assert_return', field: 'nan', expected: [{ type: 'f64', value: 'nan:canonical' }] },
  { type: 'assert_trap', field: 'trap' },
  { type: 'assert_exhaustion', field: 'endless', args: [{ type: 'i32', value: '1' }] },
  { type: 'assert_return', field: 'global', get: true, expected: [{ type: 'i64', value: '-7' }] },
];

describe('the runner of the WebAssembly spec tests', function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'chimera-conformance-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  const run = (engines: readonly Engine[], assertions: readonly Assertion[]): Tally => {
    const commands = assertions.map(({ type, field, args = [], expected, get = false }, line) => ({
      type,
      line,
      action: { type: get ? 'get' : 'invoke', field, args },
      expected,
    }));
    const module = { type: 'module', line: 0, filename: 'module.wasm' };
    const invalid = { type: 'assert_invalid', line: 0, filename: 'invalid.wasm' };
    const script = { source_filename: 'test.wast', commands: [module, ...commands, invalid] };
    writeFileSync(join(folder, 'module.wasm'), MODULE);
    // A function without the result that it says it has.
    const wrong = [{ params: [], results: [I32], code: new Code() }];
    writeFileSync(join(folder, 'invalid.wasm'), encodeModule({ functions: wrong }));
    writeFileSync(join(folder, 'commands.json'), JSON.stringify(script));
    const tally = newTally();
    new ScriptRunner(folder, engines, tally).run();
    return tally;
  };

  it('takes values of every type through both engines, plain and guarded', async function () {
    const library = await libraryOrSkip(this);
    const tally = run([V8, new WasmtimeEngine(library)], ASSERTIONS);
    assert.deepEqual(tally.differing, []);
    // The module's instantiation, its assertions, and the one that is not valid.
    assert.deepEqual([tally.modules, tally.run, tally.held], [1, ASSERTIONS.length + 2, ASSERTIONS.length + 2]);
    assert.deepEqual([...tally.runs.keys()].filter((form) => form.includes(' ')).length, 4);
  });

  it('counts what does not hold, and says where forms differ', () => {
    const wrong: Assertion = {
      type: 'assert_return',
      field: 'global',
      get: true,
      expected: [{ type: 'i64', value: '8' }],
    };
    assert.equal(run([V8], [wrong]).held, 2);
    const broken: Engine = { ...V8, name: 'broken', instantiate: () => ({ trap: 'broken' }) };
    const { differing } = run([V8, broken], []);
    assert.equal(differing.length, 1);
    assert.match(differing[0]!, /instantiation: V8 plain an instance, .*broken guarded broken/);
  });
});
