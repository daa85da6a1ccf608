import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isChimeraError } from '../../src/contracts/errors.ts';
import { goBuild } from '../../src/devstack/go-build.ts';
import { freePort } from '../../src/devstack/ports.ts';
import {
  cachedBinary,
  findTemporal,
  type FindOptions,
  type TemporalBinary,
} from '../../src/devstack/temporal-binary.ts';

describe('the choice of the Temporal binary', () => {
  let folder: string;
  let cacheDir: string;
  let bin: string;
  let lines: string[];
  let options: FindOptions;

  const program = (path: string, script: string): void => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
  };
  const temporal = (path: string, server = '1.29.1'): void =>
    program(path, `echo "temporal version 9 (Server ${server}, UI 2.42.1)"`);
  /** A Go that lists three packages and "builds" a script. */
  const go = (build: string): void =>
    program(
      join(bin, 'go'),
      `case "$1" in
        env) echo go1.26.0 ;;
        list) printf 'a\\nb\\nc\\n' ;;
        build) echo a >&2; echo b >&2; shift 3; out=$1; ${build} ;;
      esac`,
    );
  const sourceOf = async (more: Partial<FindOptions> = {}): Promise<TemporalBinary['source']> =>
    (await findTemporal({ ...options, ...more })).source;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'chimera-binary-'));
    cacheDir = join(folder, 'cache');
    bin = join(folder, 'bin');
    mkdirSync(bin);
    lines = [];
    options = {
      cacheDir,
      pathVariable: bin,
      onLine: (line) => lines.push(line),
      downloadHost: { host: '127.0.0.1', port: await freePort() },
    };
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('takes PATH first, then the cache', async () => {
    temporal(cachedBinary(cacheDir));
    assert.equal(await sourceOf(), 'cached');
    temporal(join(bin, 'temporal'));
    assert.equal(await sourceOf(), 'on PATH');
  });

  it('passes over one that is too old or does not run, and says so', async () => {
    temporal(join(bin, 'temporal'), '1.28.3');
    temporal(cachedBinary(cacheDir), '1.30.0');
    assert.equal(await sourceOf(), 'cached');
    assert.match(lines.join('\n'), /on PATH .*Server 1\.28\.3.*from 1\.29 on is needed/);
    program(join(bin, 'temporal'), 'exit 3');
    assert.equal(await sourceOf(), 'cached');
  });

  it('builds where nothing can be downloaded, and has it cached the next time', async () => {
    go(`printf '#!/bin/sh\\necho "temporal version 1.5.1 (Server 1.29.1, UI 2)"\\n' > "$out"; /bin/chmod +x "$out"`);
    assert.equal(await sourceOf(), 'built from source');
    assert.match(lines.join('\n'), /cannot be downloaded \(.*ECONNREFUSED/);
    assert.match(lines.join('\n'), /building github.com\/temporalio\/cli/);
    assert.equal(await sourceOf(), 'cached');
  });

  it('gives a download up when the start is given up', async () => {
    const host = createServer((socket) => socket.end());
    const port = await freePort();
    await new Promise<void>((resolve) => host.listen(port, '127.0.0.1', resolve));
    try {
      await assert.rejects(
        sourceOf({ downloadHost: { host: '127.0.0.1', port }, signal: AbortSignal.abort() }),
        /download: .*abort/,
      );
    } finally {
      host.close();
    }
  });

  it('fails with all that was tried, and with the words of the compiler', async () => {
    await assert.rejects(sourceOf(), (error) => {
      assert.ok(isChimeraError(error, 'CHIMERA_SETUP'));
      assert.match(error.message, /PATH: no temporal.*cache: empty.*download: .*build: no Go on PATH/s);
      return true;
    });
    go('echo "imported and not used" >&2; exit 1');
    await assert.rejects(sourceOf(), /go build ended with 1.*imported and not used/s);
  });

  it('looks only, where only looking is asked for', async () => {
    go('exit 1');
    await assert.rejects(sourceOf({ lookOnly: true }), /cache: empty/);
    assert.deepEqual(lines, []);
  });

  it('builds once for two who want it at the same time', async () => {
    const output = join(cacheDir, 'tool');
    const log = join(folder, 'builds');
    go(`echo x >> ${log}; /bin/sleep 0.3; echo > "$out"`);
    const build = { package: 'example.org/tool', output, onLine: () => {}, pathVariable: options.pathVariable! };
    await Promise.all([goBuild(build), goBuild({ ...build, onLine: (line) => lines.push(line) })]);
    assert.ok(existsSync(output));
    assert.equal(readFileSync(log, 'utf8'), 'x\n');
    assert.match(lines.join('\n'), new RegExp(`process ${process.pid} is building it already`));
  });
});
