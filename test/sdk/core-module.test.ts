import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isChimeraError } from '../../src/contracts/errors.ts';
import { ByteWriter } from '../../src/core/wasm/bytes.ts';
import { F64, I32 } from '../../src/core/wasm/code.ts';
import {
  coreModules,
  embeddedModules,
  exportMemory,
  exportsOf,
  importsOf,
  keepExports,
  renameImports,
  trapModule,
} from '../../src/sdk/languages/core-module.ts';
import { answering } from '../fabric/agents.ts';

const header = [0, 0x61, 0x73, 0x6d];
const name = (text: string): number[] => [text.length, ...Buffer.from(text)];
const section = (id: number, body: readonly number[]): number[] => [id, body.length, ...body];

/** Imports a function (f64) -> i32, a table, a memory with a maximum and a mutable global. */
const importing = new Uint8Array([
  ...header,
  ...[1, 0, 0, 0],
  ...section(1, [1, 0x60, 1, F64, 1, I32]),
  ...section(2, [
    4,
    ...[...name('sys'), ...name('call'), 0, 0],
    ...[...name('env'), ...name('table'), 1, 0x70, 0, 3],
    ...[...name('env'), ...name('memory'), 2, 1, 1, 2],
    ...[...name('env'), ...name('stack'), 3, I32, 1],
  ]),
]);

/** A component that holds core modules, some of them within another component. */
function component(modules: readonly Uint8Array[], inner?: Uint8Array): Uint8Array {
  const out = new ByteWriter(1024).raw([...header, 0x0d, 0, 1, 0]);
  for (const module of modules) out.byte(1).vector(module);
  if (inner !== undefined) out.byte(4).vector(inner);
  return out.finish();
}

describe('sdk: core modules of components', () => {
  const agent = answering('1');

  it('finds them, those of inner components too', () => {
    const modules = coreModules(component([agent], component([importing])));
    assert.deepEqual(
      modules.map((module) => [...module]),
      [[...agent], [...importing]],
    );
  });

  it('lists imports and exports', () => {
    assert.deepEqual(
      importsOf(importing).map(({ module, name }) => `${module}.${name}`),
      ['sys.call', 'env.table', 'env.memory', 'env.stack'],
    );
    assert.deepEqual([importsOf(agent), exportsOf(agent)], [[], ['step', 'cabi_realloc', 'memory']]);
  });

  it('renames imports, and serves those that nobody has with a trap or with nothing', () => {
    const { module, opened } = renameImports(importing, 'system', ({ module: from, name }) =>
      from === 'env' ? { module: 'main', name } : undefined,
    );
    assert.deepEqual(opened, [{ module: 'system', name: 'sys/call', params: [F64], results: [I32] }]);
    assert.deepEqual(importsOf(module)[3], { module: 'main', name: 'stack' });
    assert.ok(WebAssembly.validate(module));
    const noted = { ...opened[0]!, name: 'noted', results: [] };
    const made = new WebAssembly.Module(trapModule([...opened, ...opened, noted], (n) => n === 'noted'));
    const instance = new WebAssembly.Instance(made, {});
    const { 'sys/call': call, noted: harmless } = instance.exports as Record<string, (x: number) => void>;
    assert.throws(() => call!(1), WebAssembly.RuntimeError);
    harmless!(1);
  });

  it('keeps the exports that are named', () => {
    const kept = keepExports(agent, ['memory', 'step']);
    assert.deepEqual(exportsOf(kept), ['step', 'memory']);
    assert.ok(WebAssembly.validate(kept));
  });

  it('exports the memory under one more name', () => {
    const exporting = exportMemory(agent, 'shared');
    assert.deepEqual(exportsOf(exporting), [...exportsOf(agent), 'shared']);
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(exporting), {});
    assert.equal(exports['shared'], exports['memory']);
  });

  it('finds modules in a file of another kind: between other bytes, side by side, and not what only looks like one', () => {
    const other = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 99);
    const broken = agent.with(8, 99);
    const file = Buffer.concat([other, agent, importing, other, broken, other, Uint8Array.from(header), other]);
    const found = [...embeddedModules(file)].map((module) => module.length);
    assert.deepEqual(found.slice(0, 2), [agent.length, importing.length]);
    assert.ok(found.slice(2).every((length) => length < agent.length));
    assert.deepEqual([...embeddedModules(new Uint8Array())], []);
  });

  it('refuses broken bytes, and nothing else happens', () => {
    const whole = component([agent, importing], component([agent]));
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, value, length) => {
        const bytes = whole.slice(0, length);
        if (at < length) bytes[at] = value;
        try {
          for (const module of coreModules(bytes)) keepExports(renameImports(module, 's', () => undefined).module, []);
        } catch (error) {
          assert.ok(isChimeraError(error, 'CHIMERA_AGENT_REFUSED'), String(error));
        }
      }),
      { numRuns: 500, seed: 4 },
    );
  });
});
