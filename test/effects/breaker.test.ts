import assert from 'node:assert/strict';
import { Breakers, type Outcome } from '../../src/effects/breaker.ts';

const outcome = (health: Outcome<string>['health']) => (): Promise<Outcome<string>> =>
  Promise.resolve({ value: health, health });
const refused = (): string => 'refused';

describe('circuit breakers', () => {
  const realNow = Date.now;
  let now = 0;
  beforeEach(() => {
    now = 1_000_000;
    Date.now = () => now;
  });
  afterEach(() => {
    Date.now = realNow;
  });

  const broken = async (options = {}): Promise<Breakers> => {
    const breakers = new Breakers(options);
    for (let i = 0; i < 5; i++) assert.equal(await breakers.run('a', outcome('ill'), refused), 'ill');
    return breakers;
  };

  it('open after 5 failures in a row and answer at once for 60 seconds', async () => {
    const breakers = await broken();
    assert.deepEqual(breakers.states(), { a: 'open' });
    now += 59_999;
    assert.equal(await breakers.run('a', () => assert.fail('was called'), refused), 'refused');
    assert.equal(await breakers.run('b', outcome('well'), refused), 'well', 'another key is not touched');
    now += 1;
    assert.equal(await breakers.run('a', outcome('well'), refused), 'well');
    assert.deepEqual(breakers.states(), { a: 'closed', b: 'closed' });
  });

  it('take numbers of their own', async () => {
    const breakers = new Breakers({ failures: 1, openMs: 10 });
    await breakers.run('a', outcome('ill'), refused);
    assert.equal(await breakers.run('a', outcome('well'), refused), 'refused');
    now += 10;
    assert.equal(await breakers.run('a', outcome('well'), refused), 'well');
  });

  it('stay closed where a success lies between the failures', async () => {
    const breakers = new Breakers();
    for (let i = 0; i < 20; i++) await breakers.run('a', outcome(i % 5 === 4 ? 'well' : 'ill'), refused);
    assert.deepEqual(breakers.states(), { a: 'closed' });
  });

  it('open again when the one that tries fails, is thrown out, or says nothing', async () => {
    const breakers = await broken();
    now += 60_000;
    assert.equal(await breakers.run('a', outcome('ill'), refused), 'ill');
    assert.deepEqual(breakers.states(), { a: 'open' });
    now += 60_000;
    assert.equal(await breakers.run('a', outcome('unknown'), refused), 'unknown');
    assert.deepEqual(breakers.states(), { a: 'open' });
    now += 60_000;
    await assert.rejects(
      breakers.run('a', () => Promise.reject(new Error('cancelled')), refused),
      /cancelled/,
    );
    assert.deepEqual(breakers.states(), { a: 'open' });
  });

  it('let one call try at a time and turn the others away at once', async () => {
    const breakers = await broken();
    now += 60_000;
    const trial = Promise.withResolvers<Outcome<string>>();
    const trying = breakers.run('a', () => trial.promise, refused);
    assert.deepEqual(breakers.states(), { a: 'half-open' });
    assert.equal(await breakers.run('a', outcome('well'), refused), 'refused');
    trial.resolve({ value: 'tried', health: 'well' });
    assert.equal(await trying, 'tried');
    assert.equal(await breakers.run('a', outcome('well'), refused), 'well');
  });

  it('count nothing that says nothing, so that a caller can neither open nor mend a circuit', async () => {
    const breakers = new Breakers();
    for (let i = 0; i < 20; i++) {
      await breakers.run('a', outcome('unknown'), refused);
      await assert.rejects(breakers.run('a', () => Promise.reject(new Error('no')), refused));
    }
    assert.deepEqual(breakers.states(), { a: 'closed' });
    for (let i = 0; i < 5; i++) {
      await breakers.run('a', outcome('ill'), refused);
      await breakers.run('a', outcome('unknown'), refused);
    }
    assert.deepEqual(breakers.states(), { a: 'open' });
  });

  it('forget closed circuits first when there are too many', async () => {
    const breakers = await broken({ circuits: 3 });
    for (const key of ['b', 'c', 'd']) await breakers.run(key, outcome('well'), refused);
    assert.deepEqual(breakers.states(), { a: 'open', c: 'closed', d: 'closed' });
    assert.equal(await breakers.run('a', outcome('well'), refused), 'refused');
  });
});
