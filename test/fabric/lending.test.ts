import assert from 'node:assert/strict';
import { sha256Hex } from '../../src/core/canonical/canonical.ts';
import { compileGenome } from '../../src/core/evolution/compile.ts';
import { createLendingFabric } from '../../src/fabric/lending.ts';
import { ChimeraError } from '../../src/contracts/errors.ts';

describe('fabric: modules that are lent', function () {
  this.timeout(30_000);

  it('run until the last who lent them takes them back', async () => {
    const { fabric, lendBlobs } = createLendingFabric({
      poolSize: 1,
      resolve: (sha256) => Promise.reject(new ChimeraError('CHIMERA_NOT_FOUND', { what: 'artifact', name: sha256 })),
    });
    const agent = (label: string) => {
      const module = compileGenome({ labels: ['a', 'b'], rules: [], otherwise: { label }, default: label });
      return { module, sha256: sha256Hex(module) };
    };
    const answer = async (sha256: string): Promise<unknown> => {
      const [columns] = await fabric.evaluate({
        agents: [
          {
            sha256,
            manifest: {
              ...{ abi: 'chimera:agent@1', description: '', engine: 'any' },
              ...{ capabilities: [], models: {}, limits: {} },
            },
          },
        ],
        taskType: { output: { type: 'object' } },
        items: [{ key: 'k', seed: 1n, prepared: { payload: {}, features: new Float64Array() } }],
      });
      return (columns?.output[0] as { label?: unknown } | null)?.label;
    };
    try {
      const [first, second] = [agent('a'), agent('b')];
      const one = lendBlobs([first, second]);
      const two = lendBlobs([second]);
      assert.equal(await answer(first.sha256), 'a');
      one.release();
      one.release();
      assert.equal(await answer(second.sha256), 'b');
      two.release();
      await assert.rejects(answer(agent('a').sha256.replace(/^./, '0')), { code: 'CHIMERA_NOT_FOUND' });
    } finally {
      fabric.close();
    }
  });
});
