import { Code, F32, I32, I64 } from '../../src/core/wasm/code.ts';
import { agentModule } from '../fabric/agents.ts';
import { exporting, forged, good, importing, instructions, name, refused, sections } from './hostile-modules.ts';
import type { HostileCase } from './hostile-modules.ts';

const FUNCTION = [0, 0];
const MEMORY = [2, 0, 1];
const GLOBAL = [3, 0x7e, 1];
const TABLE = [1, 0x70, 0, 1];

/** Ways to the outside that programs are built with: clocks, files, sockets, environment, the host of other runtimes. */
const OUTSIDE: readonly (readonly [module: string, field: string, description: number[]])[] = [
  ['wasi_snapshot_preview1', 'args_get', FUNCTION],
  ['wasi_snapshot_preview1', 'clock_time_get', FUNCTION],
  ['wasi_snapshot_preview1', 'environ_get', FUNCTION],
  ['wasi_snapshot_preview1', 'path_open', FUNCTION],
  ['wasi_snapshot_preview1', 'poll_oneoff', FUNCTION],
  ['wasi_snapshot_preview1', 'proc_exit', FUNCTION],
  ['wasi_snapshot_preview1', 'random_get', FUNCTION],
  ['wasi_snapshot_preview1', 'sock_accept', FUNCTION],
  ['wasi_unstable', 'fd_read', FUNCTION],
  ['wasi:cli/environment@0.2.0', 'get-environment', FUNCTION],
  ['wasi:clocks/monotonic-clock@0.2.0', 'now', FUNCTION],
  ['wasi:filesystem/preopens@0.2.0', 'get-directories', FUNCTION],
  ['wasi:http/outgoing-handler@0.2.0', 'handle', FUNCTION],
  ['wasi:sockets/tcp@0.2.0', 'start-connect', FUNCTION],
  ['wasi:thread', 'thread-spawn', FUNCTION],
  ['env', 'abort', FUNCTION],
  ['env', 'emscripten_run_script', FUNCTION],
  ['env', '__indirect_function_table', TABLE],
  ['wasm:js-string', 'concat', FUNCTION],
  ['lab:agent/host@0.1.0', 'log', FUNCTION],
  ['chimera', 'memory', MEMORY],
  ['chimera', 'chimera:fuel', GLOBAL],
  ['', '', FUNCTION],
];

/** Names that mean something to JavaScript, to the guard, or to whoever prints them. */
const NAMES = [
  'constructor',
  'toString',
  'then',
  'default',
  'chimera:depth',
  'chimera:global-0',
  '_start',
  '_initialize',
  '__wasm_call_ctors',
  'cabi_post_run',
  'step\0',
  'Step',
  ' step',
];

/** Instructions of proposals that agents may not use, and encodings that do not exist. */
const INSTRUCTIONS: readonly (readonly [name: string, rule: string, bytes: readonly number[]])[] = [
  ['memory.atomic.wait32', 'threads', [0xfe, 0x01, 2, 0]],
  ['memory.atomic.notify', 'threads', [0xfe, 0x00, 2, 0]],
  ['i32.atomic.rmw.add', 'threads', [0xfe, 0x1e, 2, 0]],
  ['return_call_indirect', 'tail-calls', [0x13, 0, 0]],
  ['return_call_ref', 'function-references', [0x15, 0]],
  ['ref.as_non_null', 'function-references', [0xd4]],
  ['br_on_null', 'function-references', [0xd5, 0]],
  ['ref.eq', 'gc', [0xd3]],
  ['array.new', 'gc', [0xfb, 6, 0]],
  ['ref.i31', 'gc', [0xfb, 28]],
  ['try', 'exceptions', [0x06, 0x40]],
  ['try_table', 'exceptions', [0x1f, 0x40, 0]],
  ['throw_ref', 'exceptions', [0x0a]],
  ['rethrow', 'exceptions', [0x09, 0]],
  ['i8x16.relaxed_swizzle', 'relaxed-simd', [0xfd, 0x80, 0x02]],
  ['f32x4.relaxed_madd', 'relaxed-simd', [0xfd, 0x85, 0x02]],
  ['i32x4.relaxed_dot', 'relaxed-simd', [0xfd, 0x93, 0x02]],
  ['a hole in the SIMD opcodes', 'unknown-opcode', [0xfd, 154, 1]],
  ['a 0xfc opcode behind the last', 'unknown-opcode', [0xfc, 18]],
  ['the prefix of nothing', 'unknown-opcode', [0xff, 0]],
  ['an access of a second memory', 'multi-memory', [0x41, 0, 0x28, 0x42, 1, 0, 0x1a]],
  ['memory.size of a second memory', 'multi-memory', [0x3f, 1, 0x1a]],
  ['a branch to a label that is not there', 'malformed', [0x0c, 9]],
  ['an else without an if', 'invalid', [0x05]],
  ['an end too many', 'malformed', [0x0b, 0x0b]],
  ['a local behind the last', 'invalid', [0x20, 0xff, 0xff, 3, 0x1a]],
  ['a block type that does not exist', 'malformed', [0x02, 0xff, 0, 0x0b]],
  ['an alignment above the natural', 'invalid', [0x41, 0, 0x28, 7, 0, 0x1a]],
  ['ref.func of a function behind the last', 'invalid', [0xd2, 99, 0x1a]],
  ['data.drop without segments', 'invalid', [0xfc, 9, 0]],
  ['table.get without a table', 'invalid', [0x41, 0, 0x25, 0, 0x1a]],
];

const repeated = (count: number, ...bytes: number[]): number[] => Array.from({ length: count }, () => bytes).flat();
const leb = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)]);

/** Sections that contradict themselves, each other, or the ceilings. */
const SECTIONS: readonly HostileCase[] = [
  refused('two imports announced, one there', 'import', () => forged(2, [2, ...name('env'), ...name('f'), 0, 0])),
  refused('types behind the ceiling', 'limit', () => forged(1, [...leb(20_001), ...repeated(20_001, 0x60, 0, 0)])),
  refused('a function of 300 parameters', 'limit', () => forged(1, [1, 0x60, ...leb(300), ...repeated(300, I32), 0])),
  refused('a function of 100 results', 'limit', () => forged(1, [1, 0x60, 0, 100, ...repeated(100, I32)])),
  refused('a parameter of a type that does not exist', 'malformed', () => forged(1, [1, 0x60, 1, 0x01, 0])),
  refused('a parameter that is a typed reference', 'gc', () => forged(1, [1, 0x60, 1, 0x64, 0x70, 0])),
  refused('a parameter that is an exception', 'exceptions', () => forged(1, [1, 0x60, 1, 0x69, 0])),
  refused('a recursive type group', 'gc', () => forged(1, [1, 0x4e, 1, 0x60, 0, 0])),
  refused('more functions than bodies', 'malformed', () => forged(3, [3, 0, 1, 0])),
  refused('a function of a type behind the last', 'abi', () => forged(3, [2, 9, 9])),
  refused('nine tables', 'limit', () => forged(4, [9, ...repeated(9, 0x70, 0, 1)])),
  refused('a table of a type that does not exist', 'gc', () => forged(4, [1, 0x6e, 0, 1])),
  refused('a table that is smaller at most than at least', 'invalid', () => forged(4, [1, 0x70, 1, 9, 3])),
  refused('a 64-bit table', 'memory64', () => forged(4, [1, 0x70, 4, 1])),
  refused('a memory that is smaller at most than at least', 'invalid', () => forged(5, [1, 1, 9, 3])),
  refused('a memory with a page size of its own', 'malformed', () => forged(5, [1, 8, 1, 0])),
  refused('five thousand globals', 'limit', () => forged(6, [...leb(5000), ...repeated(5000, I32, 0, 0x41, 0, 0x0b)])),
  refused('a global that is computed', 'extended-const', () => forged(6, [1, I32, 1, 0x41, 1, 0x41, 1, 0x6a, 0x0b])),
  refused('a shared global', 'threads', () => forged(6, [1, I32, 2, 0x41, 0, 0x0b])),
  refused('a global of another type than its value', 'invalid', () => forged(6, [1, F32, 1, 0x41, 0, 0x0b])),
  refused('an export announced that is not there', 'malformed', () => forged(7, [9, ...name('step'), 0, 0])),
  refused('step exported twice', 'invalid', () => exporting('step')),
  refused('a kind of export that does not exist', 'abi', () => forged(7, [1, ...name('memory'), 9, 0])),
  refused('a function exported as memory', 'abi', () => forged(7, [1, ...name('memory'), 0, 0])),
  refused('a name that is longer than its section', 'malformed', () => forged(7, [1, 120, 65, 65])),
  refused('an overlong UTF-8 form in a name', 'malformed', () => forged(7, [1, 2, 0xc0, 0xaf, 0, 0])),
  refused('element segments behind the ceiling', 'limit', () => forged(9, [...leb(10_001)])),
  refused('an element segment of a kind that does not exist', 'malformed', () => forged(9, [1, 8, 0x41, 0, 0x0b, 0])),
  refused('element segments without a table', 'invalid', () => forged(9, [1, 0, 0x41, 0, 0x0b, 1, 0])),
  refused('a passive segment of a million elements', 'limit', () => forged(9, [1, 1, 0, ...leb(1_000_000)])),
  refused('a data count that is a lie', 'invalid', () => forged(12, [7])),
  refused('a data segment of another memory', 'multi-memory', () => forged(11, [1, 2, 5, 0x41, 0, 0x0b, 1, 65])),
  refused('a data segment longer than the module', 'malformed', () => forged(11, [1, 0, 0x41, 0, 0x0b, 0xff, 0x7f, 1])),
  refused('a body longer than the code section', 'malformed', () => forged(10, [2, 0xff, 0x7f, 0])),
  refused('locals that add up to four billion', 'limit', () =>
    forged(10, [2, 8, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, I64, 0x0b, 2, 0, 0x0b]),
  ),
  refused('bytes behind the last section', 'malformed', () => Uint8Array.of(...good(), 0, 0xff)),
  refused('sections in another order', 'invalid', () => {
    const reversed = sections(good()).reverse();
    const bytes = reversed.flatMap(([id, body]) => [id, ...leb(body.length), ...body]);
    return Uint8Array.of(...good().subarray(0, 8), ...bytes);
  }),
  refused('a component that holds two modules', 'component', () => {
    const core = good();
    const one = [1, ...leb(core.length), ...core];
    return Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0, ...one, ...one);
  }),
  refused('a component inside of a component', 'component', () => {
    const inner = [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0];
    return Uint8Array.of(...inner, 4, inner.length, ...inner);
  }),
  refused('a component around garbage', 'malformed', () =>
    Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0, 1, 4, 1, 2, 3, 4),
  ),
  refused('a branch table of a million labels', 'limit', () => {
    const table = [0x41, 0, 0x0e, ...leb(1_000_000), ...new Uint8Array(1_000_001)];
    return agentModule({ step: new Code().raw(table).i32(0) });
  }),
  refused('a memory that may grow above the cap at once', 'memory', () =>
    agentModule({ step: new Code().i32(0), memory: { min: 257 } }),
  ),
];

/** Modules that are refused before one instruction runs: by how they are written, by what they ask for, by their names. */
export const ENCODINGS: readonly HostileCase[] = [
  ...OUTSIDE.map(([from, field, description]) =>
    refused(`an import of ${from}.${field}`, 'import', () => importing(from, field, description)),
  ),
  ...NAMES.map((word) => refused(`an export named ${JSON.stringify(word)}`, 'export', () => exporting(word))),
  ...INSTRUCTIONS.map(([what, rule, bytes]) => refused(what, rule, () => instructions(...bytes))),
  ...SECTIONS,
];
