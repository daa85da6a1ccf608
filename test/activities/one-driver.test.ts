import assert from 'node:assert/strict';
import { sharedPlatform } from '../helpers/platform.ts';
import { compareDrivers } from '../proofs/one-driver.ts';

describe('one driver', function () {
  this.timeout(120_000);

  it('gives equal execution records for mails one by one and as a batch (npm run proof -- one-driver: 500)', async () => {
    const { compared, differences, modelCalls, failed } = await compareDrivers({
      count: 50,
      seed: 'chimera',
      log: () => undefined,
      platform: await sharedPlatform(),
    });
    assert.deepEqual(differences, []);
    assert.equal(compared, 50);
    assert.ok(modelCalls > 20, `${modelCalls} model calls: effects are among what is compared`);
    assert.equal(failed, 1, 'the mail that is none');
  });
});
