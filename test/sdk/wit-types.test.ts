import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { WIT_TYPE_FILES, witTypes } from '../../scripts/wit-types.ts';
import { EFFECT_KINDS, type EffectKind } from '../../src/contracts/records.ts';
import type { EffectResult, Outcome, StepEvent } from '../../src/core/execution/types.ts';
import type * as wit from '../../wit/agent.d.ts';

/** The host's own shapes against the generated ones: where one of them changes alone, this does not type-check. */
const toWit = ({ turn, seed, time, body }: StepEvent): wit.Event => ({
  turn,
  seed,
  time: BigInt(time),
  body:
    body.kind === 'start'
      ? { tag: 'start', val: { payload: body.payload, features: body.features } satisfies Required<wit.TaskInput> }
      : {
          tag: 'results',
          val: body.results.map((result): Required<wit.EffectResult> => result satisfies EffectResult),
        },
});
const fromWit = (outcome: wit.Outcome): Outcome => {
  switch (outcome.tag) {
    case 'done':
      return { kind: 'done', output: outcome.val };
    case 'fail':
      return { kind: 'fail', reason: outcome.val };
    case 'effects':
      return { kind: 'effects', effects: outcome.val satisfies { kind: EffectKind; request: Uint8Array }[] };
  }
};

describe('wit/agent.wit', () => {
  it('has the types that are generated from it, for the host and for agents in TypeScript', async () => {
    const types = await witTypes();
    assert.match(types, /export interface StepResult/);
    for (const file of WIT_TYPE_FILES)
      assert.equal(await readFile(file, 'utf8'), types, `${file}: run node scripts/wit-types.ts`);
  });

  it('says what the host says, in the same order', async () => {
    const source = await readFile(new URL('../../wit/agent.wit', import.meta.url), 'utf8');
    const kinds = /enum effect-kind \{([^}]*)\}/
      .exec(source)![1]!
      .split(',')
      .map((kind) => kind.trim());
    assert.deepEqual(kinds, EFFECT_KINDS);
    EFFECT_KINDS satisfies readonly wit.EffectKind[];
    const body = { kind: 'results' as const, results: [] };
    assert.deepEqual(toWit({ turn: 1, seed: 2n, time: 3, body }).body, { tag: 'results', val: [] });
    assert.deepEqual(fromWit({ tag: 'fail', val: 'why' }), { kind: 'fail', reason: 'why' });
  });
});
