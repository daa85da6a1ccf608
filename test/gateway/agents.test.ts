import assert from 'node:assert/strict';
import { ChimeraApiError, type AgentPublication, type PublishedView } from '../../src/client/index.ts';
import { sha256Hex } from '../../src/core/canonical/canonical.ts';
import { Code } from '../../src/core/wasm/code.ts';
import { agentModule, answering } from '../fabric/agents.ts';
import { component, exports, imports, TYPES } from '../fabric/guard/components.ts';
import { CHAMPION, LABELS, PROJECT, startPlatform, type Platform } from './fixture.ts';

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const MODULE = answering('{"label":"a"}');
const sample = (label: string): NonNullable<AgentPublication['samples']>[number] => ({
  name: 'one',
  input: { text: 'x' },
  expect: { output: { label } },
});
const publication = (more: Partial<AgentPublication> = {}): AgentPublication => ({
  manifest: { description: 'always a' },
  module: base64(MODULE),
  ...more,
});

describe('gateway: agents', function () {
  this.timeout(240_000);
  let platform: Platform;
  before(async () => {
    platform = await startPlatform();
  });
  after(() => platform?.close());

  const refused = async (body: unknown, agent = 'refused'): Promise<ChimeraApiError> => {
    const error = await platform.client.publishAgent(agent, body as AgentPublication).then(
      () => assert.fail('it was published'),
      (caught: unknown) => caught,
    );
    assert.ok(error instanceof ChimeraApiError, String(error));
    assert.equal(
      (await platform.client.agents()).some((known) => known.agent === agent),
      false,
      'nothing is stored',
    );
    return error;
  };
  const publish = (agent: string, body: AgentPublication): Promise<PublishedView> =>
    platform.client.publishAgent(agent, body);

  it('publishes a module with what it is made of, once', async () => {
    const origin = { language: 'assemblyscript', toolchain: 'asc 1', sources: { 'a.ts': 'a'.repeat(64) }, linked: [] };
    const body = publication({ taskType: LABELS.name, samples: [sample('a')], origin });
    const first = await publish('publisher', body);
    const again = await publish('publisher', body);
    assert.deepEqual([first.created, again.created], [true, false]);
    assert.deepEqual(again.version, first.version);
    const { version } = first;
    assert.equal(version.module.sha256, sha256Hex(MODULE));
    const { publication: kept } = version;
    assert.equal(kept!.by, 'test');
    assert.deepEqual(kept!.origin, origin);
    assert.deepEqual(kept!.module.imports, []);
    assert.equal(kept!.module.source.sha256, version.module.sha256);
    assert.deepEqual([kept!.smoke.input, kept!.smoke.ok], ['sample', true]);
    assert.equal(kept!.trial!.taskType, LABELS.name);
    assert.equal(kept!.trial!.samples[0]!.recordHash, first.samples[0]!.recordHash);
    assert.ok(Math.abs(Date.now() - Date.parse(version.publishedAt!)) < 240_000);
    await platform.stores.audit.seal(PROJECT);
    const events = await platform.stores.audit.list(PROJECT, { type: 'agent.published', subject: version.id });
    assert.equal(events.length, 1);
    const { actor, details } = events[0]!;
    assert.deepEqual([actor, details['guarded'], details['imports']], ['test', kept!.module.guarded.sha256, []]);
  });

  it('takes a component, and names its core module', async () => {
    const core = answering('{"label":"b"}');
    const bytes = component(imports(TYPES, 5, 0), [1, core], exports('step'));
    const { version } = await publish('wrapped', publication({ module: base64(bytes) }));
    const { source, core: inner, imports: named } = version.publication!.module;
    assert.deepEqual([source.kind, source.sha256, inner.sha256], ['component', sha256Hex(bytes), sha256Hex(core)]);
    assert.deepEqual(named, [TYPES]);
  });

  it('serves what it published', async () => {
    const { version } = await publish('served', publication({ manifest: { description: 'served' } }));
    await platform.client.registerTaskType({ ...LABELS, name: 'served-labels' });
    const { current } = await platform.client.deploy('served-labels', version.id);
    assert.equal(current.champion, version.id);
    assert.deepEqual(await platform.client.deployments().then((all) => all.map(({ taskType }) => taskType)), [
      LABELS.name,
      'served-labels',
    ]);
  });

  it('lists agents and their versions, and finds one by ID, its beginning or the name', async () => {
    const two = await publish('lister', publication({ manifest: { description: 'one' } }));
    const latest = await publish('lister', publication({ manifest: { description: 'two' } }));
    const listed = (await platform.client.agents()).find(({ agent }) => agent === 'lister');
    assert.deepEqual(listed, { agent: 'lister', versions: 2, latest: latest.version.id });
    const versions = await platform.client.agentVersions('lister');
    assert.deepEqual(versions, [two.version, latest.version]);
    const { id } = two.version;
    assert.deepEqual(await platform.client.agentVersion(id), two.version);
    assert.deepEqual(await platform.client.agentVersion(id.slice(0, 20)), two.version);
    assert.deepEqual(await platform.client.agentVersion('lister'), latest.version);
    const missing = { code: 'CHIMERA_NOT_FOUND' };
    await assert.rejects(platform.client.agentVersion('nobody'), missing);
    await assert.rejects(platform.client.agentVersions('nobody'), missing);
  });

  it('shows a version from before publications were kept', async () => {
    const { id, publication: none } = await platform.client.agentVersion('constant');
    assert.deepEqual([id, none], [CHAMPION, undefined]);
  });

  it('tells everything that is wrong at once, the module too', async () => {
    const error = await refused(
      {
        manifest: {
          description: 7,
          capabilities: ['infer', 'fly'],
          models: { m: 'x' },
          limits: { fuel: 0, speed: 1 },
          colour: 'red',
        },
        module: base64(new Uint8Array([1, 2, 3])),
        taskType: 'unknown',
        samples: [{ name: 'x', input: {}, expect: {} }],
        origin: { sources: { a: 'b' } },
        extra: true,
      },
      'Not-A-Name',
    );
    assert.equal(error.code, 'CHIMERA_INVALID_INPUT');
    const paths = error.problems.map(({ path }) => path);
    for (const path of [
      '/agent',
      '/manifest/description',
      '/manifest/capabilities/1',
      '/manifest/models/m',
      '/manifest/limits/fuel',
      '/manifest/limits',
      '/manifest',
      '/module',
      '/taskType',
      '/samples/0/expect',
      '/origin/sources/a',
      '/extra',
    ])
      assert.ok(paths.includes(path), `${path} is not in ${paths.join(' ')}`);
  });

  const wrong: [string, object, string, RegExp][] = [
    ['a module that is not base64', { module: 'AAA' }, '/module', /base64/],
    [
      'a model that the project does not have',
      { manifest: { description: '', models: { m: 'f'.repeat(64) } } },
      '/manifest/models/m',
      /no model/,
    ],
    [
      'a limit over the ceiling',
      { manifest: { description: '', limits: { depth: 5000 } } },
      '/manifest/limits/depth',
      /at most 4096/,
    ],
    ['samples for no task type', { samples: [sample('a')] }, '/taskType', /samples are tasks of a type/],
    ['a body that is no object', [], '/manifest', /./],
  ];
  for (const [what, more, path, message] of wrong)
    it(`refuses ${what}`, async () => {
      const { problems } = await refused(Array.isArray(more) ? more : { ...publication(), ...more });
      const found = problems.find((problem) => problem.path === path);
      assert.match(found?.message ?? '', message, JSON.stringify(problems));
    });

  it('refuses a limit over that of the task type, and a sample that fails, by name', async () => {
    await platform.client.registerTaskType({ ...LABELS, name: 'tight', limits: { ...LABELS.limits, fuel: 1000 } });
    const over = await refused(
      publication({ taskType: 'tight', manifest: { description: '', limits: { fuel: 2000 } } }),
    );
    assert.deepEqual(over.problems, [
      { path: '/manifest/limits/fuel', message: '2000 is more than the 1000 that task type tight allows' },
    ]);
    const failing = await refused(publication({ taskType: LABELS.name, samples: [sample('b')] }));
    assert.equal(failing.code, 'CHIMERA_AGENT_REFUSED');
    assert.match(failing.problems[0]!.path, /^\/samples\/one$/);
    assert.match(failing.problems[0]!.message, /expected output \{"label":"b"\}\n +got output \{"label":"a"\}/);
  });

  it('refuses a module of the guard, and one that traps on its sample, with the rule', async () => {
    const module = agentModule({ step: new Code().op('unreachable') });
    const trapping = await refused(
      publication({ module: base64(module), taskType: LABELS.name, samples: [sample('a')] }),
    );
    assert.equal(trapping.code, 'CHIMERA_AGENT_REFUSED');
    assert.match(trapping.message, /smoke: unreachable/);
    const large = await refused(publication({ module: base64(new Uint8Array(5 << 20)) }));
    assert.match(large.message, /too-large/);
  });

  it('keeps the first step of a module that nobody gave a sample for, a trap too', async () => {
    const module = agentModule({ step: new Code().op('unreachable') });
    const { version } = await publish('trapping', publication({ module: base64(module) }));
    const { input, ok, trap } = version.publication!.smoke;
    assert.deepEqual([input, ok, trap], ['empty', false, 'unreachable']);
  });

  it('refuses the version of another agent', async () => {
    await publish('owner', publication({ manifest: { description: 'mine' } }));
    const { problems } = await refused(publication({ manifest: { description: 'mine' } }), 'thief');
    assert.match(problems[0]!.message, /are version [0-9a-f]{64} of owner/);
  });

  it('proves a challenger where a version serves: one at a time, the same one again is the same rollout', async () => {
    const [one, two] = [
      await publish('challenger', publication({ manifest: { description: 'first' } })),
      await publish('challenger', publication({ manifest: { description: 'second' } })),
    ];
    const challenger = one.version.id;
    const started = await platform.client.startRollout(LABELS.name, { challenger, cap: 10 });
    assert.deepEqual([started.champion, started.challenger], [CHAMPION, challenger]);
    // What the first activity of the rollout does; there is no worker here.
    const { current } = await platform.client.deployment(LABELS.name);
    await platform.stores.deployments.advance(
      PROJECT,
      LABELS.name,
      current.epoch,
      { champion: CHAMPION, challenger, stage: 'shadow', share: 0, reason: 'rollout' },
      { decisionId: 'd', audit: { type: 'deployment.shadow', actor: 'test', subject: challenger, details: {} } },
    );
    const again = await platform.client.startRollout(LABELS.name, { challenger });
    assert.equal(again.workflowId, started.workflowId);
    const second = platform.client.startRollout(LABELS.name, { challenger: two.version.id });
    await assert.rejects(second, { code: 'CHIMERA_CONFLICT' });
    await platform.temporal.workflow.getHandle(started.workflowId).terminate();
    assert.deepEqual(await platform.client.rollouts(LABELS.name), []);
  });

  const challengers: [string, string, string, string][] = [
    ['the champion', LABELS.name, CHAMPION, 'CHIMERA_INVALID_INPUT'],
    ['a version that is not there', LABELS.name, 'f'.repeat(64), 'CHIMERA_NOT_FOUND'],
    ['a task type that is not there', 'unknown', CHAMPION, 'CHIMERA_UNKNOWN_TASK_TYPE'],
  ];
  for (const [what, taskType, challenger, code] of challengers)
    it(`proves nothing against ${what}`, async () => {
      await assert.rejects(platform.client.startRollout(taskType, { challenger }), { code });
    });

  it('wants a key, and a body within its size', async () => {
    const path = '/v1/agents/keyless/versions';
    assert.equal((await platform.call('POST', path, '{}', { authorization: '' })).status, 401);
    const large = JSON.stringify({ module: 'A'.repeat(13 << 20) });
    assert.equal((await platform.call('POST', path, large)).status, 413);
    const deep = `{"manifest":${'['.repeat(1000)}${']'.repeat(1000)}}`;
    assert.equal((await platform.call('POST', path, deep)).status, 413);
  });

  it('keeps projects apart', async () => {
    const { version } = await publish('private', publication({ manifest: { description: 'private' } }));
    await platform.stores.projects.ensure('other');
    const { key } = await platform.stores.apiKeys.create('other', 'test');
    const foreign = { authorization: `Bearer ${key}` };
    assert.equal((await platform.call('GET', `/v1/agent-versions/${version.id}`, null, foreign)).status, 404);
    const list = await platform.call('GET', '/v1/agents', null, foreign);
    assert.deepEqual(await list.json(), { agents: [] });
  });
});
