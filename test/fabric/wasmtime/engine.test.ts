import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compileGenome } from '../../../src/core/evolution/compile.ts';
import { DEFAULT_LIMITS } from '../../../src/core/execution/limits.ts';
import { TRAP_KINDS } from '../../../src/core/execution/types.ts';
import type { EffectResult, StepEvent, StepResult } from '../../../src/core/execution/types.ts';
import { createStepEngine } from '../../../src/fabric/abi/step.ts';
import type { SyncStepEngine } from '../../../src/fabric/abi/step.ts';
import { guardModule } from '../../../src/fabric/guard/guard.ts';
import { compileForV8 } from '../../../src/fabric/v8/engine.ts';
import type { CompileForWasmtime } from '../../../src/fabric/wasmtime/engine.ts';
import { FEATURES as FEATURES_READ, genome, input } from '../../core/evolution/arbitraries.ts';
import { FIXTURES } from './fixtures.ts';
import type { Fixture } from './fixtures.ts';
import { wasmtimeOrSkip } from './library.ts';

const utf8 = new TextEncoder();
/** A NaN with a payload of its own, and a number. */
const FEATURES = new Float64Array(BigUint64Array.of(0x7ff8_dead_beef_0001n, 0x4004_0000_0000_0000n).buffer);
const start = (payload: string, features = FEATURES): StepEvent => ({
  turn: 0,
  seed: 2n ** 64n - 3n,
  time: 2 ** 40,
  body: { kind: 'start', payload: utf8.encode(payload), features },
});
const answers = (results: readonly EffectResult[]): StepEvent => ({
  turn: 0xffff_ffff,
  seed: 1n,
  time: 0,
  body: { kind: 'results', results },
});
const EVENTS: readonly StepEvent[] = [
  start('{"text":"grüße 🌍"}'),
  start('', new Float64Array(0)),
  answers([]),
  answers([
    { ok: true, body: utf8.encode('"yes"'), scores: FEATURES },
    { ok: false, body: new Uint8Array(0), scores: new Float64Array(0) },
  ]),
];

interface Both {
  readonly v8: SyncStepEngine;
  readonly wasmtime: SyncStepEngine;
  readonly fuel: number;
  readonly instanceFuel: number;
}

describe('fabric/wasmtime engine', function () {
  let compile: CompileForWasmtime;
  before(async function () {
    this.timeout(200_000);
    compile = await wasmtimeOrSkip(this);
  });

  const both = ({ module, limits = {} }: Fixture): Both => {
    const all = { ...DEFAULT_LIMITS, fuel: 1_000_000, ...limits };
    const guarded = guardModule(module, all);
    return {
      v8: createStepEngine(compileForV8(guarded), guarded, all),
      wasmtime: createStepEngine(compile(guarded), guarded, all),
      fuel: all.fuel,
      instanceFuel: guarded.instanceFuel,
    };
  };
  /** One step on each engine: the result that they share. */
  const step = ({ v8, wasmtime, ...rest }: Both, event: StepEvent, what: string, fuel = rest.fuel): StepResult => {
    const state = Uint8Array.of(1, 2, 3);
    const expected = v8.step(state, event, fuel);
    assert.deepEqual(wasmtime.step(state, event, fuel), expected, `${what}, ${fuel} fuel`);
    return expected;
  };

  it('gives the answers of V8, for every kind of trap too', () => {
    const seen = new Set<string>();
    for (const [name, fixture] of Object.entries(FIXTURES)) {
      const engines = both(fixture);
      for (const event of EVENTS) {
        const result = step(engines, event, name);
        if (!result.ok) seen.add(result.trap);
      }
    }
    assert.deepEqual(
      TRAP_KINDS.filter((kind) => !seen.has(kind)),
      [],
    );
  });

  it('runs out of fuel where V8 does, whatever the limit', () => {
    for (const name of ['echo', 'asking', '7 calls deep', 'reason that is not UTF-8', 'memory to 2 pages']) {
      const engines = both(FIXTURES[name]!);
      const event = EVENTS[name === 'asking' ? 3 : 0]!;
      const { fuel } = step(engines, event, name, 1_000_000);
      assert.ok(fuel < 10_000, `${name} costs ${fuel}`);
      for (let limit = engines.instanceFuel - 1; limit <= fuel + 1; limit++) step(engines, event, name, limit);
    }
  });

  it('runs evolved programs as V8 does', () => {
    fc.assert(
      fc.property(
        genome,
        fc.array(fc.array(input, { minLength: FEATURES_READ, maxLength: FEATURES_READ }), {
          minLength: 1,
          maxLength: 4,
        }),
        (program, inputs) => {
          const engines = both({ module: compileGenome(program) });
          for (const features of inputs) {
            const first = step(engines, start('{"text":"x"}', Float64Array.from(features)), 'a genome');
            if (!first.ok || first.outcome.kind !== 'effects') continue;
            const result = { ok: true, body: utf8.encode('{}'), scores: Float64Array.of(0.25, 0.75) };
            step(engines, answers(first.outcome.effects.map(() => result)), 'a genome');
          }
        },
      ),
      { numRuns: 60, seed: 1 },
    );
  });

  it('gives every step an instance without a trace of the one before, after a trap too', () => {
    const { wasmtime } = both(FIXTURES['memory up to its end']!);
    const first = wasmtime.step(new Uint8Array(0), EVENTS[0]!, 1e9);
    for (const name of ['unreachable', 'endless loop', 'memory to 16 pages', 'data segment too long']) {
      const other = both(FIXTURES[name]!);
      other.wasmtime.step(new Uint8Array(0), EVENTS[0]!, other.fuel);
      assert.deepEqual(wasmtime.step(new Uint8Array(0), EVENTS[0]!, 1e9), first);
    }
  });
});
