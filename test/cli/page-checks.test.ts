import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pageChecks } from '../../src/cli/page-checks.ts';

describe('the look at large pages', () => {
  let directory: string;
  beforeEach(async () => (directory = await mkdtemp(join(tmpdir(), 'chimera-pages-'))));
  afterEach(() => rm(directory, { recursive: true }));

  const said = async (text: string): Promise<string[]> => {
    const path = join(directory, 'enabled');
    await writeFile(path, text);
    return (await pageChecks(path)).map(({ ok, detail }) => `${ok} ${detail}`);
  };

  it('says who gets them', async () => {
    assert.deepEqual(await said('always [madvise] never\n'), ['true for who asks, as processes of models do']);
    assert.deepEqual(await said('[always] madvise never\n'), ['true for everybody']);
  });

  it('says what to do where nobody does, which stops nothing', async () => {
    const [line] = await said('always madvise [never]\n');
    assert.match(line!, /^true never handed out: .* echo madvise > .*enabled$/);
  });

  it('says nothing where there are none', async () => {
    assert.deepEqual(await pageChecks(join(directory, 'none')), []);
    assert.deepEqual(await said('nonsense'), []);
  });
});
