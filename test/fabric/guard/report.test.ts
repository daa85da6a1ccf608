import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { AGENT_WORLD, type ModuleReport } from '../../../src/contracts/agents.ts';
import { sha256Hex } from '../../../src/core/canonical/canonical.ts';
import { ByteWriter } from '../../../src/core/wasm/bytes.ts';
import { DEFAULT_TABLE_ELEMENTS, guardModule } from '../../../src/fabric/guard/guard.ts';
import { PRICE_VERSION } from '../../../src/fabric/guard/prices.ts';
import { reportModule } from '../../../src/fabric/guard/report.ts';
import { component, CORE, exports, imports, TYPES } from './components.ts';

const CAPS = { memoryPages: 16, tableElements: DEFAULT_TABLE_ELEMENTS };

const report = (bytes: Uint8Array): ModuleReport => reportModule(bytes, guardModule(bytes, CAPS), CAPS);

/** The module with custom sections behind it. */
function withCustom(
  ...sections: readonly (readonly [name: string, body: readonly number[] | Uint8Array])[]
): Uint8Array {
  const out = new ByteWriter().raw(CORE);
  for (const [name, body] of sections)
    out.byte(0).vector(new ByteWriter().vector(new TextEncoder().encode(name)).raw(body).finish());
  return out.finish();
}

const PRODUCERS = new ByteWriter()
  .raw([2])
  .name('language')
  .raw([1])
  .name('Rust')
  .name('2021')
  .name('processed-by')
  .raw([1])
  .name('rustc')
  .name('1.95.0 (59807616e)')
  .finish();

describe('fabric/guard report', () => {
  it('says what a module is made of and what of it runs', () => {
    const bytes = withCustom(['producers', PRODUCERS]);
    const found = report(bytes);
    const guarded = guardModule(bytes, CAPS);
    assert.deepEqual(found.source, { kind: 'module', sha256: sha256Hex(bytes), bytes: bytes.length });
    assert.deepEqual(found.core, { sha256: sha256Hex(bytes), bytes: bytes.length });
    assert.deepEqual(found.guarded, {
      sha256: sha256Hex(guarded.bytes),
      bytes: guarded.bytes.length,
      memoryPages: CAPS.memoryPages,
    });
    assert.deepEqual(found.producers, [
      { field: 'language', name: 'Rust', version: '2021' },
      { field: 'processed-by', name: 'rustc', version: '1.95.0 (59807616e)' },
    ]);
    assert.deepEqual([found.imports, found.exports], [[], guarded.exports]);
    assert.deepEqual([found.instanceFuel, found.priceVersion], [guarded.instanceFuel, PRICE_VERSION]);
    assert.deepEqual(found.memory, guarded.memory);
    assert.ok(found.memory!.maximum <= CAPS.memoryPages);
    assert.deepEqual(found.sections.at(-1), { name: 'custom producers', bytes: PRODUCERS.length + 10 });
    assert.ok(
      ['type', 'function', 'memory', 'export', 'code'].every((name) => found.sections.some((s) => s.name === name)),
    );
  });

  it('names the types that a component imports, and the one core module in it', () => {
    const bytes = component(imports(TYPES, 5, 0), imports('event', 3, 0, 0), [1, CORE], exports('step'));
    const found = report(bytes);
    assert.deepEqual(found.imports, [TYPES, 'event']);
    assert.deepEqual(found.source, { kind: 'component', sha256: sha256Hex(bytes), bytes: bytes.length });
    assert.deepEqual(found.core, { sha256: sha256Hex(CORE), bytes: CORE.length });
    assert.equal(found.guarded.sha256, report(CORE).guarded.sha256);
  });

  it('is the world of wit/agent.wit', () => {
    const wit = readFileSync(new URL('../../../wit/agent.wit', import.meta.url), 'utf8');
    assert.equal(/^package (\S+);$/m.exec(wit)![1], AGENT_WORLD);
    assert.equal(report(CORE).world, AGENT_WORLD);
  });

  it('stays small and plain whatever a module calls its sections', () => {
    const many = Array.from({ length: 5000 }, (_, i) => [`s${i}`, []] as const);
    const crowded = report(withCustom(...many));
    assert.ok(crowded.sections.length <= 65);
    assert.match(crowded.sections.at(-1)!.name, /^49\d\d more$/);
    const shouting = report(withCustom(['\u001b[2J\u202e\0' + 'x'.repeat(10_000), []]));
    const { name } = shouting.sections.at(-1)!;
    assert.ok(name.length < 200);
    assert.doesNotMatch(name, /\p{C}/u);
  });

  const broken: [string, Uint8Array][] = [
    ['a name that does not end', Uint8Array.of(1, 200)],
    ['no end of fields', Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f)],
    ['a name that is not UTF-8', Uint8Array.of(1, 1, 0xff, 0)],
  ];
  for (const [what, body] of broken)
    it(`takes producers with ${what} for none: they are never run`, () => {
      assert.deepEqual(report(withCustom(['producers', body])).producers, []);
    });
});
