import { strict as assert } from 'node:assert';
import type { BaseModelRecord, BaseModelsRepository } from '../../src/stores/index.ts';
import { openFixture, type Fixture } from './fixture.ts';

const NAME = 'tiny';
const model = (version: string, source = 'hub https://models.test/'): Omit<BaseModelRecord, 'project' | 'state'> => ({
  name: NAME,
  version,
  licence: 'MIT',
  config: { family: 'encoder', layers: 1 },
  files: [{ name: 'model.safetensors', bytes: 9_000_000_000, sha256: version }],
  source,
});

describe('stores: base models', () => {
  let fixture: Fixture;
  let baseModels: BaseModelsRepository;
  before(async () => {
    fixture = await openFixture();
    ({ baseModels } = fixture.stores);
  });
  after(() => fixture.close());

  const states = async (project: string): Promise<string[]> =>
    (await baseModels.list(project, NAME)).map(({ version, state }) => `${version} ${state}`);
  const audit = async (project: string): Promise<string[]> => {
    await fixture.stores.audit.seal(project);
    return (await fixture.stores.audit.list(project)).map(
      ({ type, actor, subject, details }) => `${actor} ${type} ${subject} ${JSON.stringify(details)}`,
    );
  };
  const put = (project: string, ...versions: string[]): Promise<unknown> =>
    versions.reduce<Promise<unknown>>(
      (before, version) => before.then(() => baseModels.put(project, model(version), 'test')),
      Promise.resolve(),
    );

  it('has exactly one active version: the first, until another is activated', async () => {
    const project = 'activate';
    const first = await baseModels.put(project, model('v1'), 'test');
    assert.deepEqual(first, { ...model('v1'), project, state: 'active' });
    await put(project, 'v2');
    assert.deepEqual(await states(project), ['v1 active', 'v2 available']);
    assert.equal((await baseModels.activate(project, NAME, 'v2', 'test')).state, 'active');
    assert.deepEqual(await states(project), ['v1 available', 'v2 active']);
    assert.deepEqual(await baseModels.get(project, NAME), { ...model('v2'), project, state: 'active' });
    assert.equal((await baseModels.get(project, NAME, 'v1'))?.state, 'available');
    assert.equal(await baseModels.get(project, NAME, 'v3'), undefined);
    assert.equal(await baseModels.get(project, 'other'), undefined);
    await assert.rejects(baseModels.activate(project, NAME, 'v3', 'test'), {
      code: 'CHIMERA_NOT_FOUND',
      message: /no version of base model tiny named v3:\n {2}v1: is a known version, available\n {2}v2: .*active/,
    });
  });

  it('enters every change in the audit log, and no change that is none', async () => {
    const project = 'audited';
    await put(project, 'v1', 'v1', 'v2');
    await baseModels.activate(project, NAME, 'v2', 'me');
    await baseModels.activate(project, NAME, 'v2', 'me');
    await baseModels.rollback(project, NAME, 'you');
    await baseModels.put(project, model('v1', 'wheel tiny 1.0'), 'test');
    await baseModels.keep(project, NAME, 0, 'test');
    const source = '"source":"hub https://models.test/"';
    assert.deepEqual(await audit(project), [
      `test base-model.registered tiny {${source},"version":"v1"}`,
      'test base-model.activated tiny {"version":"v1"}',
      `test base-model.registered tiny {${source},"version":"v2"}`,
      'me base-model.activated tiny {"version":"v2"}',
      'you base-model.rolled-back tiny {"from":"v2","to":"v1"}',
      'test base-model.registered tiny {"source":"wheel tiny 1.0","version":"v1"}',
      'test base-model.retired tiny {"version":"v2"}',
    ]);
    assert.equal((await baseModels.get(project, NAME, 'v1'))?.source, 'wheel tiny 1.0');
  });

  it('changes nothing where the audit event of a change cannot be entered', async () => {
    const project = 'failing';
    await put(project, 'v1');
    const before = await audit(project);
    // The audit event cannot be stored.
    await assert.rejects(baseModels.put(project, model('v2'), 'nobody\u0000'), { code: 'CHIMERA_INVALID_INPUT' });
    assert.deepEqual(await audit(project), before);
    assert.deepEqual(await states(project), ['v1 active']);
  });

  it('rolls back step by step, past retired versions, up to the first', async () => {
    const project = 'rollback';
    await assert.rejects(baseModels.rollback(project, NAME, 'test'), { code: 'CHIMERA_NOT_FOUND' });
    await put(project, 'v1', 'v2', 'v3');
    await assert.rejects(baseModels.rollback(project, NAME, 'test'), { code: 'CHIMERA_NOT_FOUND' });
    for (const version of ['v2', 'v3']) await baseModels.activate(project, NAME, version, 'test');
    const back = async (): Promise<string> => (await baseModels.rollback(project, NAME, 'test')).version;
    assert.equal(await back(), 'v2');
    assert.equal(await back(), 'v1');
    await assert.rejects(back(), { code: 'CHIMERA_NOT_FOUND' });
    assert.deepEqual(await states(project), ['v1 active', 'v2 available', 'v3 available']);

    for (const version of ['v2', 'v3']) await baseModels.activate(project, NAME, version, 'test');
    await put(project, 'v4');
    await baseModels.keep(project, NAME, 2, 'test');
    assert.deepEqual(await states(project), ['v1 retired', 'v2 retired', 'v3 active', 'v4 available']);
    await assert.rejects(back(), { code: 'CHIMERA_NOT_FOUND' });
    await put(project, 'v1');
    assert.equal(await back(), 'v1');
  });

  it('keeps the newest versions and the active one; a retired one comes back by pulling it', async () => {
    const project = 'keep';
    await put(project, 'v1', 'v2', 'v3', 'v4');
    const retired = await baseModels.keep(project, NAME, 2, 'test');
    assert.deepEqual(
      retired.map(({ version, state }) => [version, state]),
      [['v2', 'retired']],
    );
    assert.deepEqual(await states(project), ['v1 active', 'v2 retired', 'v3 available', 'v4 available']);
    assert.deepEqual(await baseModels.keep(project, NAME, 2, 'test'), []);
    await assert.rejects(baseModels.activate(project, NAME, 'v2', 'test'), {
      code: 'CHIMERA_INVALID_INPUT',
      message: /v2: is retired; pull it again/,
    });
    await put(project, 'v2');
    assert.deepEqual(await states(project), ['v1 active', 'v3 available', 'v4 available', 'v2 available']);
  });

  it('has one active version whoever changes it at the same time', async () => {
    const project = 'racing';
    const versions = ['v1', 'v2', 'v3', 'v4', 'v5'];
    await Promise.all(versions.map((version) => baseModels.put(project, model(version), 'test')));
    await Promise.all(versions.map((version) => baseModels.activate(project, NAME, version, 'test')));
    await Promise.all([1, 2].map(() => baseModels.rollback(project, NAME, 'test')));
    const found = await states(project);
    assert.equal(found.length, 5);
    assert.equal(found.filter((line) => line.endsWith(' active')).length, 1);
  });

  it('keeps projects and names apart', async () => {
    await put('one', 'v1');
    await baseModels.put('one', { ...model('v9'), name: 'another' }, 'test');
    await put('two', 'v2');
    assert.deepEqual(
      (await baseModels.list('one')).map(({ name, version, state }) => [name, version, state]),
      [
        ['another', 'v9', 'active'],
        ['tiny', 'v1', 'active'],
      ],
    );
    assert.equal((await baseModels.get('two', NAME))?.version, 'v2');
  });
});
