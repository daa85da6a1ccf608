import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isChimeraError } from '../../src/contracts/errors.ts';
import { fetchWasmtime, type FetchOptions } from '../../src/devstack/wasmtime-library.ts';
import { wasmtimeBuild, wasmtimePath, type WasmtimeBuild } from '../../src/fabric/wasmtime/release.ts';
import { zip } from '../machine/zip.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const LIBRARY = Buffer.from('a library, as far as its hash says. '.repeat(100));
const MEMBER = 'wasmtime/some-machine/_libwasmtime.so';
const WHEEL = zip({ 'wasmtime/__init__.py': Buffer.from('1'), [MEMBER]: LIBRARY });
const BUILD: WasmtimeBuild = {
  tag: 'some_machine',
  wheelSha256: sha256(WHEEL),
  member: MEMBER,
  librarySha256: sha256(LIBRARY),
};

describe('the wasmtime library', () => {
  let folder: string;
  let path: string;
  let options: FetchOptions;
  let bin: string;

  const pip = (script: string, name = 'pip3'): void => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  /** A pip whose index has `wheel`; it notes how it was called. */
  const serving = (wheel: Uint8Array): void => {
    writeFileSync(join(folder, 'wheel'), wheel);
    pip(`echo "$@" > ${folder}/called; for last; do :; done; /bin/cp ${folder}/wheel "$last/some.whl"`);
  };
  const refused = async (pattern: RegExp, more: Partial<FetchOptions> = {}): Promise<void> => {
    await assert.rejects(fetchWasmtime({ ...options, ...more }), (error) => {
      assert.ok(isChimeraError(error, 'CHIMERA_SETUP'));
      assert.match(error.message, pattern);
      return true;
    });
    assert.ok(!existsSync(path));
    if (existsSync(dirname(path))) assert.deepEqual(readdirSync(dirname(path)), []);
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'chimera-wasmtime-'));
    bin = join(folder, 'path');
    mkdirSync(bin);
    path = wasmtimePath(folder);
    options = { cacheDir: folder, env: { PATH: bin }, build: BUILD, onLine: () => {} };
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('comes out of the wheel of this machine, once', async () => {
    serving(WHEEL);
    assert.deepEqual(await fetchWasmtime(options), { path, source: 'downloaded' });
    assert.deepEqual(readFileSync(path), LIBRARY);
    assert.deepEqual(readdirSync(dirname(path)).length, 1);
    assert.match(readFileSync(join(folder, 'called'), 'utf8'), /wasmtime==\S+ --no-deps .*--platform some_machine/);
    pip('exit 1');
    assert.deepEqual(await fetchWasmtime(options), { path, source: 'cached' });
  });

  it('is refused where wheel or library are not the pinned ones', async () => {
    serving(Buffer.concat([WHEEL, Buffer.of(0)]));
    await refused(/some\.whl has SHA-256 .* pinned is/);
    serving(WHEEL);
    await refused(/_libwasmtime\.so has SHA-256/, { build: { ...BUILD, librarySha256: '0'.repeat(64) } });
  });

  it('is fetched anew where the cached one was changed', async () => {
    serving(WHEEL);
    mkdirSync(dirname(path));
    writeFileSync(path, 'something else');
    assert.equal((await fetchWasmtime(options)).source, 'downloaded');
    assert.deepEqual(readFileSync(path), LIBRARY);
  });

  it('says what is missing: no pip, no network', async () => {
    await refused(/none of pip3, pip, python3 -m pip is there/);
    pip('echo "Looking" >&2; echo "ERROR: No matching distribution found" >&2; exit 1');
    await refused(/pip cannot download it: ERROR: No matching distribution/);
  });

  it('is pinned for the machines that the platform runs on, and for no other', () => {
    for (const [platform, arch] of [
      ['linux', 'x64'],
      ['linux', 'arm64'],
      ['darwin', 'x64'],
      ['darwin', 'arm64'],
    ] as const) {
      const { wheelSha256, librarySha256 } = wasmtimeBuild(platform, arch)!;
      assert.match(wheelSha256 + librarySha256, /^[0-9a-f]{128}$/);
    }
    assert.equal(wasmtimeBuild('linux', 's390x'), undefined);
  });
});
