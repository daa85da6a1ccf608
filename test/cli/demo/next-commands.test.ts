import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Platform } from '../../../src/cli/platform.ts';
import { nextCommands } from '../../../src/cli/demo/next-commands.ts';
import type { TaskType } from '../../../src/core/validation/task-type.ts';

const KEY = 'chk_very-secret';
const example = { taskType: { name: 'mail-triage' } as TaskType, sample: { raw: "Subject: it's $HOME" } };

const platform = (home: string, apiKey?: string): Platform =>
  ({
    gatewayUrl: 'http://127.0.0.1:8787',
    apiKey: KEY,
    config: { home, project: 'default', ...(apiKey === undefined ? {} : { apiKey }) },
    stack: { temporal: { uiUrl: 'http://127.0.0.1:8233', namespace: 'default' } },
  }) as unknown as Platform;

describe('cli: commands in the report of the demo', () => {
  let home: string;
  before(() => {
    home = mkdtempSync(join(tmpdir(), "chimera-demo's-"));
    writeFileSync(join(home, 'api-key'), `${KEY}\n`, { mode: 0o600 });
  });
  after(() => rmSync(home, { recursive: true, force: true }));

  it('never hold the key, wherever it comes from', () => {
    for (const made of [platform(home), platform(home, KEY)])
      assert.ok(!JSON.stringify(nextCommands(made, example)).includes(KEY));
  });

  it('send the task with the key of the file, pasted into a shell one after the other', () => {
    const [key, send] = nextCommands(platform(home), example);
    const script = `curl() { printf '%s\\n' "$@"; }\n${key!.command}\n${send!.command}`;
    const words = execFileSync('sh', ['-c', script], { encoding: 'utf8', env: { PATH: process.env['PATH'] } });
    assert.ok(words.includes(`\nAuthorization: Bearer ${KEY}\n`), words);
    assert.deepEqual(JSON.parse(words.trim().split('\n').at(-1)!), {
      taskType: 'mail-triage',
      payload: example.sample,
    });
  });

  it('say that the key is that of the configuration where it is', () => {
    const [key] = nextCommands(platform(home, KEY), example);
    assert.match(key!.title, /the key of your configuration/);
  });
});
