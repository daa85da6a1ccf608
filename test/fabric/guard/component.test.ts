import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { coreModuleOf, isComponent } from '../../../src/fabric/guard/component.ts';
import { guardModule } from '../../../src/fabric/guard/guard.ts';
import { component, CORE, exports, imports, TYPES } from './components.ts';

describe('fabric/guard component', () => {
  it('takes the one core module out', () => {
    const bytes = component(
      [7, []],
      imports(TYPES, 5, 0),
      imports('event', 3, 0, 0),
      [6, []],
      [1, CORE],
      [2, []],
      [8, []],
      exports('step'),
      [0, [1, 120]],
    );
    assert.ok(isComponent(bytes) && !isComponent(CORE));
    assert.deepEqual(coreModuleOf(bytes), CORE);
  });

  const refusals: [what: string, rule: string, bytes: Uint8Array][] = [
    ['no core module', 'component', component(exports('step'))],
    ['two core modules', 'component', component([1, CORE], [1, CORE])],
    ['a component as its core module', 'component', component([1, component([1, CORE])])],
    ['a nested component', 'component', component([1, CORE], [4, component([1, CORE])])],
    ['an instance of a component', 'component', component([1, CORE], [5, []])],
    ['a start function', 'component', component([1, CORE], [9, []])],
    ['a section that nobody knows', 'component', component([1, CORE], [77, []])],
    ['an imported interface', 'import', component(imports('wasi:cli/environment@0.2.0', 5, 0), [1, CORE])],
    ['an imported function', 'import', component(imports(TYPES, 1, 0), [1, CORE])],
    ['an imported resource', 'import', component(imports('file', 3, 1), [1, CORE])],
    ['a name of another form', 'component', component([10, [1, 7, 1, 97, 5, 0]], [1, CORE])],
    ['a second export', 'limit', component([1, CORE], [11, [2, 0, 1, 97, 1, 0, 0]])],
    ['another export', 'export', component([1, CORE], exports('run'))],
    ['a section that does not end', 'malformed', component([1, CORE]).slice(0, -1)],
    ['a core module that the guard refuses', 'start', component([1, Uint8Array.of(...CORE.subarray(0, 8), 8, 1, 0)])],
  ];
  for (const [what, rule, bytes] of refusals) {
    it(`refuses ${what} as ${rule}`, () => {
      assert.throws(
        () => guardModule(bytes, { memoryPages: 16 }),
        (error) => isChimeraError(error, 'CHIMERA_AGENT_REFUSED') && error.details['rule'] === rule,
      );
    });
  }

  it('refuses or accepts any mutation, and never fails otherwise', () => {
    const original = component([7, []], imports(TYPES, 5, 0), [1, CORE], exports('step'));
    const edits = fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(edits, (changes) => {
        const bytes = original.slice();
        for (const [at, value] of changes) bytes[at] = value;
        try {
          guardModule(bytes, { memoryPages: 16 });
        } catch (error) {
          assert.ok(isChimeraError(error, 'CHIMERA_AGENT_REFUSED'), String(error));
        }
      }),
      { numRuns: 500, seed: 1 },
    );
  });
});
