import { ByteWriter } from '../../src/core/wasm/bytes.ts';
import { Code, F64, I32, I64 } from '../../src/core/wasm/code.ts';
import { encodeModule } from '../../src/core/wasm/encoder.ts';
import type { FunctionSpec } from '../../src/core/wasm/encoder.ts';
import { OWN, P, STEP_PARAMS, agentModule, answering, put, result, text } from '../fabric/agents.ts';

/** A hostile module and the wall that must stop it: a rule of the guard, or the reason of a failed execution. */
export interface HostileCase {
  readonly name: string;
  readonly module: () => Uint8Array;
  readonly refused?: string;
  readonly failed?: string;
}

export const refused = (name: string, rule: string, module: () => Uint8Array): HostileCase => ({
  name,
  module,
  refused: rule,
});
export const failed = (name: string, reason: string, module: () => Uint8Array): HostileCase => ({
  name,
  module,
  failed: reason,
});

export const agent = (step: Code, functions: FunctionSpec[] = []): Uint8Array => agentModule({ step, functions });
export const good = (): Uint8Array<ArrayBuffer> => answering('"ok"');

/** The sections of a module without imports, so that single ones can be forged. */
export function sections(bytes: Uint8Array): [id: number, body: Uint8Array][] {
  const found: [number, Uint8Array][] = [];
  for (let at = 8; at < bytes.length;) {
    const id = bytes[at++]!;
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      size += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    found.push([id, bytes.subarray(at, at + size)]);
    at += size;
  }
  return found;
}

/** A good agent with one section put in or replaced. */
export function forged(id: number, body: number[]): Uint8Array {
  const out = new ByteWriter().raw(good().subarray(0, 8));
  const order = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];
  const place = (section: number): number => (order.includes(section) ? order.indexOf(section) : 99);
  const kept = sections(good()).filter(([other]) => other !== id);
  const all: [number, ArrayLike<number>][] = [...kept, [id, body] as [number, number[]]];
  for (const [section, content] of all.sort((a, b) => place(a[0]) - place(b[0]))) out.byte(section).vector(content);
  return out.finish();
}

export const name = (word: string): number[] => [word.length, ...[...word].map((c) => c.charCodeAt(0))];
export const importing = (module: string, field: string, description: number[]): Uint8Array =>
  forged(2, [1, ...name(module), ...name(field), ...description]);
export const exporting = (word: string): Uint8Array => {
  const [count, ...rest] = sections(good()).find(([id]) => id === 7)![1];
  return forged(7, [count! + 1, ...rest, ...name(word), 0, 0]);
};
/** A good agent whose `step` begins with these instruction bytes. */
export const instructions = (...bytes: number[]): Uint8Array =>
  agentModule({ step: result(new Code().raw(bytes), 0, 1024, 4), data: [text(1024, '"ok"')] });

export const loop = (body: (code: Code) => Code): Code => body(new Code().loop()).br(0).end().op('unreachable');

const REFUSED: HostileCase[] = [
  refused('empty file', 'malformed', () => new Uint8Array(0)),
  refused('garbage', 'malformed', () => Uint8Array.from({ length: 5000 }, (_, i) => (i * 7919) & 255)),
  refused('a text in place of a module', 'malformed', () =>
    new TextEncoder().encode('(module (func (export "step")))'),
  ),
  refused('only the magic number', 'malformed', () => good().slice(0, 4)),
  refused('another version of the format', 'malformed', () => Uint8Array.of(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0)),
  refused('a component', 'component', () => Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0)),
  refused('cut off in the middle', 'malformed', () => good().slice(0, good().length >> 1)),
  refused('cut off by one byte', 'malformed', () => good().slice(0, -1)),
  refused('a section longer than the file', 'malformed', () =>
    Uint8Array.of(...good().subarray(0, 8), 1, 0xff, 0xff, 0x7f),
  ),
  refused('an integer without end', 'malformed', () =>
    Uint8Array.of(...good().subarray(0, 8), 1, 5, 128, 128, 128, 128, 128),
  ),
  refused('a vector of four billion types', 'limit', () => forged(1, [0xff, 0xff, 0xff, 0xff, 0x0f])),
  refused('a vector of a million exports', 'limit', () => forged(7, [0xc0, 0x84, 0x3d])),
  refused('a section twice', 'malformed', () => Uint8Array.of(...good(), 11, 1, 0)),
  refused('an unknown section', 'unknown-section', () => Uint8Array.of(...good(), 42, 0)),
  refused('a tag section', 'exceptions', () => forged(13, [1, 0, 0])),
  refused('a start section', 'start', () => forged(8, [0])),
  refused('an imported function', 'import', () => importing('env', 'system', [0, 0])),
  refused('a WASI import', 'import', () => importing('wasi_snapshot_preview1', 'fd_write', [0, 0])),
  refused('an imported memory', 'import', () => importing('env', 'memory', [2, 0, 1])),
  refused('an imported global', 'import', () => importing('env', 'base', [3, 0x7f, 0])),
  refused('an import with a name that is code', 'import', () => importing("');process.exit();//", '${x}', [0, 0])),
  refused('an export with a name that is code', 'export', () => exporting("x');process.exit();('")),
  refused('an export of a prototype member', 'export', () => exporting('__proto__')),
  refused('an export named as the fuel counter', 'export', () => exporting('chimera:fuel')),
  refused('an export name that is not UTF-8', 'malformed', () => forged(7, [1, 2, 0xff, 0xfe, 0, 0])),
  refused('no export at all', 'abi', () => forged(7, [0])),
  refused('step with another signature', 'abi', () =>
    encodeModule({
      functions: [{ params: [I32], results: [I32], code: new Code().i32(0), export: 'step' }],
      memory: { min: 1, export: 'memory' },
    }),
  ),
  refused('a memory exported as step', 'abi', () =>
    encodeModule({ functions: [], memory: { min: 1, export: 'step' } }),
  ),
  refused('a memory that starts above the cap', 'memory', () =>
    agentModule({ step: new Code().i32(0), memory: { min: 60_000 } }),
  ),
  refused('a table of ten million elements', 'table', () =>
    agentModule({ step: new Code().i32(0), table: { min: 10_000_000 } }),
  ),
  refused('tables that are large only together', 'table', () =>
    forged(4, [2, 0x70, 0, 0xa8, 0x46, 0x70, 0, 0xa8, 0x46]),
  ),
  refused('a 64-bit memory', 'memory64', () => forged(5, [1, 4, 1])),
  refused('a shared memory', 'threads', () => forged(5, [1, 3, 1, 2])),
  refused('two memories', 'multi-memory', () => forged(5, [2, 0, 1, 0, 1])),
  refused('an atomic instruction', 'threads', () => instructions(0xfe, 0x03, 0)),
  refused('a tail call', 'tail-calls', () => instructions(0x12, 0)),
  refused('a throw', 'exceptions', () => instructions(0x08, 0)),
  refused('a garbage-collected object', 'gc', () => instructions(0xfb, 0, 0)),
  refused('a typed function reference call', 'function-references', () => instructions(0x14, 0)),
  refused('relaxed SIMD', 'relaxed-simd', () => instructions(0xfd, 0x80, 0x02)),
  refused('an opcode that does not exist', 'unknown-opcode', () => instructions(0x27)),
  refused('a struct type', 'gc', () => forged(1, [1, 0x5f, 0])),
  refused('a call of the function behind the last', 'malformed', () => instructions(0x10, 2)),
  refused('a write to the global behind the last', 'invalid', () => instructions(0x42, 0x7f, 0x24, 1)),
  refused('a million locals', 'limit', () =>
    agentModule({ step: result(new Code(), 0, 0, 0), locals: Array.from({ length: 1_000_000 }, () => I64) }),
  ),
  refused('blocks nested 5,000 deep', 'limit', () => {
    const code = new Code();
    for (let i = 0; i < 5000; i++) code.block();
    for (let i = 0; i < 5000; i++) code.end();
    return agent(result(code, 0, 0, 0));
  }),
  refused('a function of two megabytes', 'limit', () =>
    agent(result(new Code().raw(new Uint8Array(2_000_000).fill(1)), 0, 0, 0)),
  ),
  refused('a module of five megabytes', 'too-large', () =>
    agentModule({ step: new Code().i32(0), data: [{ offset: 0, bytes: new Uint8Array(5_000_000) }] }),
  ),
  refused('a body that is not typed', 'invalid', () => agent(new Code().f64(1))),
];

const lying = (step: (code: Code) => Code): Uint8Array =>
  agentModule({ step: step(result(new Code(), 0, 1024, 4).op('drop')).i32(64), data: [text(1024, '"ok"')] });

const FAILED: HostileCase[] = [
  failed('an endless loop', 'out-of-fuel', () => agent(loop((c) => c))),
  failed('an endless loop that looks busy', 'out-of-fuel', () =>
    agent(loop((c) => c.get(P.turn).i32(1).op('i32_add').set(P.turn))),
  ),
  failed('two nested endless loops', 'out-of-fuel', () =>
    agent(new Code().loop().loop().br(1).end().end().op('unreachable')),
  ),
  failed('an endless loop in the allocator', 'out-of-fuel', () =>
    agentModule({ step: new Code().i32(0), realloc: loop((c) => c) }),
  ),
  failed('mutual recursion without end', 'stack-depth', () =>
    agent(new Code().call(OWN).i32(0), [
      { params: [], results: [], code: new Code().call(OWN + 1) },
      { params: [], results: [], code: new Code().call(OWN) },
    ]),
  ),
  failed('recursion with huge frames', 'stack-depth', () =>
    agent(new Code().call(OWN).i32(0), [
      { params: [], results: [], locals: Array.from({ length: 4000 }, () => F64), code: new Code().call(OWN) },
    ]),
  ),
  failed('recursion with a huge operand stack', 'stack-depth', () => {
    const code = new Code();
    for (let i = 0; i < 20_000; i++) code.get(0);
    code.call(OWN);
    for (let i = 1; i < 20_000; i++) code.op('f64_add');
    return agent(new Code().f64(1).call(OWN).op('drop').i32(0), [{ params: [F64], results: [F64], code }]);
  }),
  failed('recursion by table', 'stack-depth', () =>
    agentModule({
      step: new Code().call(OWN).i32(0),
      functions: [{ params: [], results: [], code: new Code().i32(0).raw([0x11, 2, 0]) }],
      table: { min: 1, elements: [OWN] },
    }),
  ),
  failed('a branching recursion that is exponential', 'out-of-fuel', () =>
    agent(new Code().i32(200).call(OWN).i32(0), [
      {
        params: [I32],
        results: [],
        code: new Code().get(0).if().get(0).i32(1).op('i32_sub').call(OWN).get(0).i32(1).op('i32_sub').call(OWN).end(),
      },
    ]),
  ),
  failed('memory grown for ever', 'out-of-fuel', () => agent(loop((c) => c.i32(1).memoryGrow().op('drop')))),
  failed('one huge memory.grow', 'out-of-fuel', () => agent(new Code().i32(-1).memoryGrow())),
  failed('memory grown to the cap, then one page more', 'unreachable', () =>
    agent(
      new Code()
        .i32(255)
        .memoryGrow()
        .op('drop')
        .i32(1)
        .memoryGrow()
        .i32(-1)
        .op('i32_eq')
        .if()
        .op('unreachable')
        .end()
        .i32(0),
    ),
  ),
  failed('memory.fill for ever', 'out-of-fuel', () => agent(loop((c) => c.i32(0).i32(1).i32(65_536).memoryFill()))),
  failed('memory.copy for ever', 'out-of-fuel', () => agent(loop((c) => c.i32(0).i32(8).i32(65_000).memoryCopy()))),
  failed('table.grow for ever', 'out-of-fuel', () =>
    agentModule({ step: loop((c) => c.raw([0xd0, 0x70]).i32(1).raw([0xfc, 15, 0]).op('drop')), table: { min: 1 } }),
  ),
  failed('one huge table.grow', 'out-of-fuel', () =>
    agentModule({ step: new Code().raw([0xd0, 0x70]).i32(-1).raw([0xfc, 15, 0]), table: { min: 1 } }),
  ),
  failed('a load outside of memory', 'memory-out-of-bounds', () => agent(new Code().i32(-8).memory('i32_load'))),
  failed('a store with a huge offset', 'memory-out-of-bounds', () =>
    agent(new Code().i32(-1).i32(1).memory('i32_store', 0xffffffff).i32(0)),
  ),
  failed('data that do not fit into memory', 'memory-out-of-bounds', () =>
    agentModule({ step: new Code().i32(0), data: [text(65_533, 'long')] }),
  ),
  failed('a division by zero', 'integer-divide-by-zero', () => agent(new Code().i32(1).i32(0).op('i32_div_u'))),
  failed('an integer overflow', 'integer-overflow', () => agent(new Code().i32(-0x80000000).i32(-1).op('i32_div_s'))),
  failed('a conversion of NaN', 'invalid-conversion', () => agent(new Code().f64(NaN).op('i32_trunc_f64_s'))),
  failed('a call of an empty table slot', 'indirect-call', () =>
    agentModule({
      step: new Code().i32(0).raw([0x11, 2, 0]).i32(0),
      functions: [{ params: [], results: [], code: new Code() }],
      table: { min: 1 },
    }),
  ),
  failed('a call behind the table', 'table-out-of-bounds', () =>
    agentModule({
      step: new Code().i32(9).raw([0x11, 2, 0]).i32(0),
      functions: [{ params: [], results: [], code: new Code() }],
      table: { min: 1 },
    }),
  ),
  failed('a plain trap', 'unreachable', () => agent(new Code().op('unreachable'))),
  failed('a result pointer outside of memory', 'bad-outcome', () => agent(new Code().i32(-4))),
  failed('a result that ends one byte behind memory', 'bad-outcome', () => agent(new Code().i32(65_512))),
  failed('a result pointer that is not aligned', 'bad-outcome', () => agent(new Code().i32(66))),
  failed('an outcome that does not exist', 'bad-outcome', () => agent(result(new Code(), 3, 0, 0))),
  failed('an output that lies outside of memory', 'bad-outcome', () => agent(result(new Code(), 0, 65_535, 2))),
  failed('an output length of four gigabytes', 'bad-outcome', () => agent(result(new Code(), 0, 1024, -1))),
  failed('an output pointer that wraps around', 'bad-outcome', () => agent(result(new Code(), 0, -2, 16))),
  failed('an output flood', 'output-too-large', () => {
    const code = new Code().i32(16).memoryGrow().op('drop');
    return agent(result(code, 0, 0, 1_000_000));
  }),
  failed('a state of more than 64 KiB', 'state-too-large', () => {
    const code = new Code().i32(2).memoryGrow().op('drop');
    return agent(put(result(code, 0, 1024, 4).op('drop'), 68, 65_537).i32(64));
  }),
  failed('a state that lies outside of memory', 'bad-outcome', () => lying((c) => put(put(c, 64, 65_000), 68, 60_000))),
  failed('a log flood in one line', 'log-too-large', () =>
    lying((c) => put(put(put(put(c, 84, 200), 88, 1), 200, 0), 204, 40_000)),
  ),
  failed('a log flood in many lines', 'log-too-large', () => {
    const code = new Code().i32(10).memoryGrow().op('drop');
    return agent(put(put(result(code, 0, 1024, 4).op('drop'), 84, 0), 88, 60_000).i32(64));
  }),
  failed('a log list of four billion lines', 'bad-outcome', () => lying((c) => put(c, 88, -1))),
  failed('a log that is not UTF-8', 'bad-outcome', () => {
    const code = result(new Code(), 0, 1024, 4).op('drop');
    put(put(put(put(put(code, 84, 200), 88, 1), 200, 300), 204, 2), 300, 0xffff);
    return agent(code.i32(64));
  }),
  failed('a reason that is half a surrogate', 'bad-outcome', () =>
    agent(put(result(new Code(), 1, 300, 3).op('drop'), 300, 0x80a0ed).i32(64)),
  ),
  failed('an output that is not UTF-8', 'bad-output', () =>
    agent(put(result(new Code(), 0, 300, 4).op('drop'), 300, -1).i32(64)),
  ),
  failed('an output that is not JSON', 'bad-output', () => answering('{"label":')),
  failed('an output that nests as deep as it is long', 'bad-output', () =>
    answering('['.repeat(1000) + ']'.repeat(1000)),
  ),
  failed('an output with a number that no double holds', 'bad-output', () => answering('{"a":[-1e999]}')),
  failed('an output that the schema refuses', 'bad-output', () => answering('"forbidden"')),
  failed('an effect kind that does not exist', 'bad-outcome', () =>
    agent(put(result(new Code(), 2, 128, 1).op('drop'), 128, 8).i32(64)),
  ),
  failed('ten thousand effects in a turn', 'too-many-effects', () =>
    agent(result(new Code().i32(4).memoryGrow().op('drop'), 2, 0, 10_000)),
  ),
  failed('an effect list outside of memory', 'bad-outcome', () => agent(result(new Code(), 2, 65_500, 10))),
  failed('a request that is not JSON', 'bad-outcome', () =>
    agent(put(put(result(new Code(), 2, 128, 1).op('drop'), 132, 64), 136, 4).i32(64)),
  ),
  failed('effects for ever', 'too-many-turns', () => {
    const code = put(put(result(new Code(), 2, 128, 1).op('drop'), 132, 1024), 136, 2).i32(64);
    return agentModule({ step: code, data: [text(1024, '{}')] });
  }),
  failed('an allocator that points outside of memory', 'bad-outcome', () =>
    agentModule({ step: new Code().i32(0), realloc: new Code().i32(-8) }),
  ),
  failed('an allocator that is not aligned', 'bad-outcome', () =>
    agentModule({ step: new Code().i32(0), realloc: new Code().i32(1001) }),
  ),
  failed('an allocator that gives everything the same place', 'bad-outcome', () =>
    agentModule({ step: new Code().i32(0x7ffffff0), realloc: new Code().i32(2048) }),
  ),
  failed('an allocator that calls step', 'stack-depth', () => {
    const flat = (code: Code): Code => STEP_PARAMS.reduce((c, type) => (type === I64 ? c.i64(0) : c.i32(0)), code);
    return agentModule({
      step: new Code().i32(0).i32(0).i32(1).i32(8).call(1),
      realloc: flat(new Code()).call(0),
    });
  }),
];

/** The first hundred; the others are in the files beside this one. */
export const HOSTILE: readonly HostileCase[] = [...REFUSED, ...FAILED];

/** Counts its own runs in every place that could survive: a global, memory, a table, the size of memory. */
export const counting = (): Uint8Array => {
  const step = new Code().i32(3000).i32(3000).memory('i32_load').i32(1).op('i32_add').memory('i32_store');
  step.globalGet(1).i32(1).op('i32_add').globalSet(1).i32(1).memoryGrow().op('drop');
  step.i32(3000).memory('i32_load').globalGet(1).op('i32_add').memorySize().op('i32_add').set(10);
  step.i32(1024).get(10).i32(48).op('i32_add').memory('i32_store8');
  return agentModule({
    step: result(step, 0, 1024, 1),
    globals: [{ type: I32, mutable: true, init: new Code().i32(0) }],
  });
};
