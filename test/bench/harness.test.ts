import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { catalogue } from '../../bench/harness/catalogue.ts';
import { alternate, medianInterval, quantile, spread } from '../../bench/harness/measure.ts';
import { exitCode, figure, machine, table } from '../../bench/harness/present.ts';
import { criterion } from '../../bench/harness/types.ts';

const ROOT = join(import.meta.dirname, '../..');

describe('benchmark harness', () => {
  it('runs both sides in turns, swaps who goes first, and leaves the warm-up out', async () => {
    const order: string[] = [];
    const side = (name: string, figures: number[]) => (): Promise<number> => {
      order.push(name);
      return Promise.resolve(figures.shift()!);
    };
    const result = await alternate(side('a', [99, 2, 4, 6]), side('b', [1, 1, 2, 3]), 3);
    assert.equal(order.join(''), 'baabbaab');
    assert.deepEqual(result.a, { median: 4, low: 3, high: 5, rounds: 3 });
    assert.equal(result.ratio.median, 2);
    assert.deepEqual([result.ratio.low, result.ratio.high], [2, 2]);
  });

  it('refuses too few rounds', async () => {
    const one = (): Promise<number> => Promise.resolve(1);
    await assert.rejects(alternate(one, one, 2), { code: 'CHIMERA_INVALID_INPUT' });
  });

  it('gives the quantiles of type 7 and the sign-test interval of the median', () => {
    assert.equal(quantile([4, 1, 3, 2], 0.25), 1.75);
    assert.ok(Number.isNaN(quantile([], 0.5)));
    assert.equal(spread([5]).median, 5);
    // Ten values: the 2nd and 9th cover with 0.979 (Conover, Practical Nonparametric Statistics, table A3).
    const ten = medianInterval([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert.deepEqual([ten.low, ten.high], [2, 9]);
    assert.ok(Math.abs(ten.coverage - 0.978515625) < 1e-12);
    const five = medianInterval([5, 1, 4, 2, 3]);
    assert.deepEqual([five.low, five.high, five.coverage], [1, 5, 0.9375]);
  });

  it('always puts the median inside its interval', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 2, maxLength: 60 }),
        (values) => {
          const { median, low, high, coverage } = medianInterval(values);
          assert.ok(low <= median && median <= high);
          assert.ok(values.length < 6 || coverage >= 0.95);
        },
      ),
    );
  });

  it('passes a criterion by its relation only, never on NaN', () => {
    assert.ok(criterion('p95', 2, '<=', 2).pass);
    assert.ok(!criterion('p95', 2.01, '<=', 2).pass);
    assert.ok(criterion('rate', 3, '>=', 2).pass);
    assert.ok(criterion('lost', 0, '=', 0).pass);
    for (const relation of ['<=', '>=', '='] as const) assert.ok(!criterion('x', Number.NaN, relation, 0).pass);
  });

  it('exits 0 only where there are criteria and all pass, and shows which does not', () => {
    const report = (values: number[]): Parameters<typeof table>[0] => ({
      name: 'demo',
      machine: machine(),
      figures: { rate: 12345.6, ratio: { median: 1.5, low: 1.25, high: 2, coverage: 0.95 } },
      criteria: values.map((value) => criterion(`c${value}`, value, '<=', 1, 's')),
    });
    assert.equal(exitCode(report([0, 1])), 0);
    assert.equal(exitCode(report([0, 2])), 1);
    assert.equal(exitCode(report([])), 1);
    assert.match(table(report([0, 2])), /FAIL {2}c2 {2}2 s {2}<= 1/);
    assert.match(table(report([0])), /rate {3}12,346\n {2}ratio {2}1\.5 {2}\[1\.25, 2\]/);
    assert.equal(figure(0.012345), '0.01235');
  });

  it('finds programs by file name, and names the known ones for an unknown', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'catalogue-'));
    try {
      writeFileSync(join(folder, 'one.ts'), `export const proof = { name: 'one', title: 'The first' };`);
      writeFileSync(join(folder, 'broken.ts'), `export const other = 1;`);
      const proofs = catalogue(folder, 'proof', 'proof', ['run']);
      assert.deepEqual(proofs.names(), ['broken', 'one']);
      assert.equal((await proofs.load('one')).title, 'The first');
      await assert.rejects(proofs.load('two'), /no proof named two[^]*broken, one/);
      await assert.rejects(proofs.load('broken'), { code: 'CHIMERA_SETUP' });
      assert.deepEqual(catalogue(join(folder, 'none'), 'proof', 'proof').names(), []);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('says in one line what is wrong with a command, and exits 2', () => {
    for (const [script, ...args] of [
      ['bench/run.ts', 'nope'],
      ['bench/run.ts', '--bogus'],
      ['scripts/proof.ts', 'nope'],
      ['scripts/proof.ts', 'kills', '--count', '0'],
    ]) {
      const { status, stderr, stdout } = spawnSync(process.execPath, [join(ROOT, script!), ...args], {
        encoding: 'utf8',
      });
      assert.equal(status, 2, stderr);
      assert.equal(stdout, '');
      assert.doesNotMatch(stderr, /\n\s+at /);
    }
  });
});
