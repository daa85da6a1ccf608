import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { createProject, LANGUAGES, type Language } from '../../src/sdk/index.ts';
import { packageFile } from '../../src/sdk/languages/toolchain.ts';
import { run } from '../cli/run.ts';
import { agentFolder } from './folders.ts';

describe('sdk: folders that are not as they should be', function () {
  this.timeout(120_000);
  const folder = agentFolder();
  after(folder.remove);
  let made = 0;
  const agent = async (language: Language = 'assemblyscript'): Promise<string> => {
    const dir = folder.path(`agent-${++made}`);
    await createProject(dir, language);
    return dir;
  };

  it('are not made over something else', async () => {
    const dir = folder.path('taken');
    mkdirSync(dir);
    writeFileSync(join(dir, 'mine'), 'text');
    const { code, err } = await run(['agent', 'new', dir]);
    assert.equal(code, EXIT.conflict);
    assert.match(err, /taken/);
    assert.equal(existsSync(join(dir, 'agent.json')), false);
  });

  it('are made for names and languages that there are', async () => {
    const named = await run(['agent', 'new', folder.path('My Agent')]);
    assert.equal(named.code, EXIT.usage);
    assert.match(named.err, /kebab-case/);
    const { code, err } = await run(['agent', 'new', folder.path('x'), '--lang', 'cobol']);
    assert.equal(code, EXIT.usage);
    for (const language of LANGUAGES) assert.ok(err.includes(language), err);
  });

  it('say every problem of every file at once', async () => {
    const dir = await agent();
    writeFileSync(join(dir, 'agent.json'), '{"name": "A", "language": "c", "colour": 1}');
    writeFileSync(join(dir, 'task-type.json'), '{');
    writeFileSync(join(dir, 'samples/empty.json'), '{"input": [], "expect": {}}');
    const { code, err } = await run(['agent', 'build', dir]);
    assert.equal(code, EXIT.usage);
    for (const path of ['name', 'language', 'description'].map((member) => `agent.json/${member}`))
      assert.ok(err.includes(path), err);
    assert.match(err, /agent\.json.*colour/);
    assert.match(err, /task-type\.json: cannot be read/);
    assert.match(err, /samples\/empty\.json\/input/);
    assert.match(err, /samples\/empty\.json\/expect: must be \{"output"/);
  });

  it('are no agent without a manifest', async () => {
    const { code, err } = await run(['agent', 'test', folder.path('nowhere')]);
    assert.equal(code, EXIT.usage);
    assert.match(err, /agent\.json: is missing; `chimera agent new NAME`/);
  });

  it('are refused for what a manifest may not ask for', async () => {
    const dir = await agent();
    writeFileSync(
      join(dir, 'agent.json'),
      JSON.stringify({ name: 'x', language: 'rust', description: '', capabilities: ['root'] }),
    );
    const { code, err } = await run(['agent', 'test', dir]);
    assert.equal(code, EXIT.usage);
    assert.match(err, /agent\.json\/capabilities\/0/);
  });

  it('do not compile without their source, with the messages of the compiler, and leave no old module', async () => {
    const dir = await agent();
    mkdirSync(join(dir, 'build'));
    writeFileSync(join(dir, 'build/agent.wasm'), 'old');
    rmSync(join(dir, 'agent/agent.ts'));
    const { code, err } = await run(['agent', 'build', dir]);
    assert.equal(code, EXIT.usage);
    assert.match(err, /does not compile[\s\S]*File 'agent\/agent\.ts' not found/);
    assert.equal(existsSync(join(dir, 'build/agent.wasm')), false);
  });

  it('take a compiler of their own before that of Chimera, and say what to type where there is none', async () => {
    const dir = await agent();
    const own = join(dir, 'node_modules/assemblyscript');
    mkdirSync(own, { recursive: true });
    assert.doesNotMatch(packageFile(dir, 'assemblyscript', 'bin/asc.js'), /agent-/);
    writeFileSync(join(own, 'package.json'), '{"name": "assemblyscript"}');
    assert.equal(packageFile(dir, 'assemblyscript', 'bin/asc.js'), join(realpathSync(own), 'bin/asc.js'));
    assert.throws(() => packageFile(dir, 'no-such-compiler', 'x'), /type: npm install --prefix .* no-such-compiler$/);
  });

  describe('with a compiler that lacks a part', () => {
    const path = process.env['PATH'];
    afterEach(() => {
      process.env['PATH'] = path;
    });
    /** Programs that only say `text` and fail. */
    const pretend = (names: readonly string[], text: string, status: number): void => {
      const bin = folder.path(`bin-${++made}`);
      mkdirSync(bin);
      for (const name of names) {
        writeFileSync(join(bin, name), `#!/bin/sh\necho '${text}' >&2\nexit ${status}\n`);
        chmodSync(join(bin, name), 0o755);
      }
      process.env['PATH'] = names.length === 0 ? bin : `${bin}${delimiter}${path}`;
    };

    it('say what to type for the target of Rust', async () => {
      pretend(
        ['cargo', 'rustc'],
        'note: the `wasm32-unknown-unknown` target may not be installed'.replaceAll('`', ''),
        101,
      );
      const { code, err } = await run(['agent', 'build', await agent('rust')]);
      assert.equal(code, EXIT.failed);
      assert.match(err, /type: rustup target add wasm32-unknown-unknown/);
    });

    it('say where Rust comes from', async () => {
      pretend([], '', 0);
      const { code, err } = await run(['agent', 'build', await agent('rust')]);
      assert.equal(code, EXIT.failed);
      assert.match(err, /Rust cannot be set up: https:\/\/rustup\.rs/);
    });
  });
});
