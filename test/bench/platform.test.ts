import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { retold } from '../../bench/platform/bulk.ts';
import { cpuBetween, cpuSeconds } from '../../bench/platform/cpu.ts';
import type { ExampleItem } from '../../src/cli/demo/example.ts';

const item = (raw: string): ExampleItem => ({
  id: '1',
  payload: { raw },
  expected: { label: 'ham' },
  part: 'judge',
});

describe('what benchmarks measure with', () => {
  it('retells a mail so that its subject differs and the rest stays', () => {
    const raw = 'From: a@b.example\nSUBJECT:  Hello\nX: y\n\nSubject: not this one\n';
    const [told] = retold([item(raw)], 'again');
    assert.equal(told!.payload['raw'], raw.replace('  Hello', '  again Hello'));
    assert.deepEqual({ ...told!, payload: {} }, { ...item(raw), payload: {} });
    const [without] = retold([item('From: a@b.example\n\nbody')], 'again');
    assert.equal(without!.payload['raw'], 'Subject: again\nFrom: a@b.example\n\nbody');
  });

  it('counts the processor time of this process and of children that are gone', function () {
    if (!existsSync('/proc/self/stat')) this.skip();
    const before = cpuSeconds();
    const busy = 'const end = process.cpuUsage().user + 3e5; while (process.cpuUsage().user < end);';
    assert.equal(spawnSync(process.execPath, ['--eval', busy]).status, 0);
    const used = Object.values(cpuBetween(before, cpuSeconds())).reduce((sum, seconds) => sum + seconds, 0);
    assert.ok(used >= 0.25, `${used} s`);
  });
});
