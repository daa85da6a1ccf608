import assert from 'node:assert/strict';
import fc from 'fast-check';
import { deploymentAt, deploymentProblems, route, routingOf } from '../../../src/core/rollout/routing.ts';
import type { Deployment } from '../../../src/core/rollout/routing.ts';

const canary: Deployment = { epoch: 3, fromOrdinal: 10, champion: 'a', challenger: 'b', stage: 'canary', share: 0.3 };

describe('rollout/routing', () => {
  it('gives the challenger its share of a canary, and both run every task', () => {
    let served = 0;
    for (let i = 0; i < 4000; i++) {
      const { serve, version, shadow, epoch } = route(canary, 10 + i, `task-${i}`);
      assert.equal(version, serve === 'challenger' ? 'b' : 'a');
      assert.ok(shadow && epoch === 3);
      if (serve === 'challenger') served++;
    }
    assert.ok(Math.abs(served / 4000 - 0.3) < 0.03, String(served));
  });

  it('is stable: a greater share keeps every task of a smaller one, and the ordinal does not matter', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.string(), share, share, fc.nat(), (hash, one, other, ordinal) => {
        const [small, large] = one < other ? [one, other] : [other, one];
        const at = (s: number): string => route({ ...canary, share: s }, 10 + ordinal, hash).serve;
        assert.ok(at(small) === 'champion' || at(large) === 'challenger');
        assert.equal(at(one), route({ ...canary, share: one }, 10, hash).serve);
      }),
    );
  });

  it('serves by the champion alone in shadow and when full', () => {
    assert.deepEqual(route({ ...canary, stage: 'shadow' }, 10, 'x'), {
      epoch: 3,
      serve: 'champion',
      version: 'a',
      shadow: true,
    });
    assert.deepEqual(route({ epoch: 4, fromOrdinal: 0, champion: 'a', stage: 'full', share: 0 }, 0, 'x'), {
      epoch: 4,
      serve: 'champion',
      version: 'a',
      shadow: false,
    });
  });

  it('names both versions in what is stored at admission', () => {
    assert.deepEqual(routingOf({ ...canary, share: 1 }, 10, 'x'), { epoch: 3, served: 'b', shadow: 'a' });
    assert.deepEqual(routingOf({ ...canary, stage: 'shadow' }, 10, 'x'), { epoch: 3, served: 'a', shadow: 'b' });
    assert.deepEqual(routingOf({ ...canary, stage: 'full' }, 10, 'x'), { epoch: 3, served: 'a' });
  });

  it('finds the deployment of an ordinal', () => {
    const history = [
      { ...canary, epoch: 2, fromOrdinal: 100 },
      { ...canary, epoch: 0, fromOrdinal: 0 },
      { ...canary, epoch: 1, fromOrdinal: 50 },
      { ...canary, epoch: 3, fromOrdinal: 100 },
    ];
    assert.deepEqual(
      [0, 49, 50, 99, 100].map((o) => deploymentAt(history, o)?.epoch),
      [0, 0, 1, 1, 3],
    );
    assert.equal(deploymentAt([canary], 9), undefined);
  });

  it('refuses a deployment that is not valid or does not hold yet', () => {
    const bad = { epoch: -1, fromOrdinal: 0.5, champion: '', challenger: '', stage: 'canary', share: 2 } as const;
    assert.deepEqual(
      deploymentProblems(bad).map((p) => p.path),
      ['/epoch', '/fromOrdinal', '/champion', '/share', '/challenger', '/challenger'],
    );
    assert.throws(() => route(canary, 9, 'x'), { code: 'CHIMERA_INVALID_INPUT' });
    assert.deepEqual(deploymentProblems(canary), []);
  });
});
