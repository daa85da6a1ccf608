import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TaskView } from '../../src/client/index.ts';
import type { AgentManifest, JsonObject } from '../../src/contracts/records.ts';
import type { Genome } from '../../src/core/evolution/genome.ts';
import { CHAMPION, LABELS, PROJECT, startPlatform, type Platform } from '../gateway/fixture.ts';
import { testStack } from '../helpers/stack.ts';
import { run as runCli, type Ran } from './run.ts';

const sha = (text: string): string => createHash('sha256').update(text).digest('hex');
const manifest = (models: Record<string, string> = {}): AgentManifest => ({
  abi: 'chimera:agent@1',
  description: 'evolved',
  capabilities: ['infer'],
  models,
  limits: {},
  engine: 'any',
});

describe('cli: commands on a platform', function () {
  this.timeout(240_000);
  let platform: Platform;
  let folder: string;
  let env: Record<string, string>;
  const [parent, child, model, dataset] = ['parent', 'child', 'model', 'dataset'].map(sha) as [
    string,
    string,
    string,
    string,
  ];

  const run = async (...argv: string[]): Promise<Ran> => runCli(argv, env);
  const ok = async (...argv: string[]): Promise<string> => {
    const { code, out, err } = await run(...argv);
    assert.equal(code, 0, err);
    return out;
  };
  const okJson = async <T>(...argv: string[]): Promise<T> => JSON.parse(await ok(...argv, '--json')) as T;
  const file = (name: string, content: string): string => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };

  before(async () => {
    platform = await startPlatform();
    folder = mkdtempSync(join(tmpdir(), 'chimera-cli-'));
    const stack = await testStack();
    env = {
      CHIMERA_HOME: join(folder, 'home'),
      CHIMERA_DATABASE_URL: platform.databaseUrl,
      CHIMERA_ARTIFACTS_PATH: stack.artifactsDir,
      CHIMERA_TEMPORAL_ADDRESS: stack.temporalAddress,
      CHIMERA_API_KEY: platform.apiKey,
      CHIMERA_GATEWAY_PORT: new URL(platform.baseUrl).port,
    };
    await family();
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await platform?.close();
  });

  /** Two evolved versions with what they came from, and scores of both on three tasks. */
  async function family(): Promise<void> {
    const { stores } = platform;
    const module = await stores.artifacts.put(Buffer.from('a module'));
    const rows = await stores.artifacts.put(Buffer.from('{"ordinal":0}\n'));
    const genome = (threshold: number): JsonObject =>
      ({
        labels: ['a', 'b'],
        rules: [{ when: [{ feature: 0, op: '>', threshold }], then: { label: 'b' } }],
        otherwise: { label: 'a' },
        default: 'a',
      }) satisfies Genome as unknown as JsonObject;
    await stores.datasets.put(PROJECT, {
      id: dataset,
      taskType: 'labels',
      artifact: rows,
      counts: { train: 6, validation: 2, test: 2 },
      uptoOrdinal: 10,
      datasheet: {},
    });
    const price = { price: 1.5, spec: {}, report: {} };
    await stores.models.put(PROJECT, {
      id: model,
      name: 'word-lr',
      taskType: 'labels',
      artifact: rows,
      dataset,
      ...price,
    });
    await stores.experiments.put(PROJECT, {
      id: 'search-1',
      taskType: 'labels',
      document: { datasetId: dataset, modelIds: [model] },
    });
    const common = { agent: 'labels', module, experiment: 'search-1' };
    await stores.agents.putVersion(PROJECT, {
      ...common,
      id: parent,
      manifest: manifest(),
      genome: genome(3),
      parents: [CHAMPION],
    });
    await stores.agents.putVersion(PROJECT, {
      ...common,
      id: child,
      manifest: manifest({ 'word-lr': model }),
      genome: genome(5),
      parents: [parent],
    });
    const accepted = await stores.tasks.acceptMany(
      PROJECT,
      'labels',
      ['p', 'q', 'r'].map((text) => ({ payload: { text }, key: text })),
    );
    const right = { [parent]: [true, false, false], [child]: [false, true, false] };
    await stores.scores.putMany(
      PROJECT,
      'labels',
      Object.entries(right).flatMap(([agentVersion, verdicts]) =>
        verdicts.map((correct, i) => ({
          taskId: accepted[i]!.task.taskId,
          ordinal: accepted[i]!.task.ordinal,
          agentVersion,
          role: 'served' as const,
          score: Number(correct),
          correct,
          predicted: correct ? 'a' : 'b',
          expected: 'a',
        })),
      ),
    );
    const judgement = {
      split: 'test',
      expected: ['a', 'a', 'b', 'b'],
      versions: [
        { version: parent, predicted: ['a', null, 'a', 'b'] },
        { version: child, predicted: ['b', 'a', 'b', 'b'] },
      ],
    };
    const kept = await stores.artifacts.put(Buffer.from(JSON.stringify(judgement)));
    const document = kept as unknown as JsonObject;
    await stores.evaluations.putMany(PROJECT, 'judgement', [{ subject: 'judged', document }]);
    await stores.audit.append(PROJECT, { type: 'evaluation.judged', actor: 'test', subject: 'judged', details: {} });
  }

  it('submits a task, shows it, and takes feedback on it', async () => {
    const payload = file('payload.json', '{"text": "hello"}');
    const task = await okJson<TaskView>('submit', payload, '--task-type', 'labels', '--key', 'cli-1');
    assert.equal(task.state, 'accepted');
    assert.match(await ok('task', 'show', task.taskId), /state +accepted\n[\s\S]*routed to +aaaaaaaaaaaa in epoch 0/);
    assert.match(await ok('feedback', task.taskId, '--demonstration', '{"label":"b"}'), /taken/);
    assert.match(await ok('feedback', '--key', 'cli-1', '--wrong'), /taken/);
    const many = file('feedback.ndjson', '{"key": "cli-1", "feedback": {"kind": "number", "value": 3}}\n');
    assert.match(await ok('feedback', '--file', many), /1 taken/);
    assert.equal((await okJson<TaskView>('task', 'show', task.taskId)).feedback.length, 3);
  });

  it('makes text a field of the payload, in any encoding', async () => {
    const text = join(folder, 'mail.txt');
    writeFileSync(text, Buffer.from([0x63, 0x61, 0x66, 0xe9]));
    const task = await okJson<TaskView>('submit', text, '--task-type', 'labels', '--field', 'text');
    assert.deepEqual((await platform.stores.tasks.get(PROJECT, task.taskId))?.payload, { text: 'café' });
  });

  it('exits by what went wrong', async () => {
    const bad = file('bad.json', '{"text": 7}');
    const refused = await run('submit', bad, '--task-type', 'labels');
    assert.equal(refused.code, 2);
    assert.match(refused.err, /\/payload\/text: must be string\nCorrect every problem/);
    assert.equal((await run('task', 'show', 'nothing')).code, 4);
    assert.equal((await run('task', 'show', 'nothing', '--api-key', 'wrong')).code, 6);
    const other = file('other.json', '{"text": "other"}');
    assert.equal((await run('submit', other, '--task-type', 'labels', '--key', 'cli-1')).code, 5);
    assert.equal((await run('cycle', 'start', '--task-type', 'poems')).code, 4);
    assert.equal((await run('dead-letters', 'redrive')).code, 2);
  });

  it('submits a batch', async () => {
    const lines = file('batch.ndjson', '{"payload": {"text": "a"}}\n\n{"payload": {"text": "b"}, "key": "b-key"}\n');
    assert.match(await ok('batch', lines, '--task-type', 'labels'), /batch \w+: 2 tasks accepted/);
    const broken = file('broken.ndjson', '{"payload": {"text": "a"}}\n{"payload": \n');
    const { code, err } = await run('batch', broken, '--task-type', 'labels');
    assert.equal(code, 2);
    assert.match(err, /line 2/);
  });

  it('registers and shows task types', async () => {
    const definition = file('type.json', JSON.stringify({ ...LABELS, name: 'moods' }));
    assert.match(await ok('task-types', 'register', definition), /moods, version 1, is registered/);
    assert.match(await ok('task-types', 'list'), /NAME +VERSION +TITLE\nlabels +1 .*\nmoods +1 /);
    assert.equal((await okJson<{ name: string }>('task-types', 'show', 'moods')).name, 'moods');
  });

  it('explains an agent: program, changes, what it fixed and broke', async () => {
    const text = await ok('explain', child.slice(0, 8));
    assert.match(text, /1\. if feature 0 > 5 then b\notherwise a/);
    assert.match(text, /Changes to its parent \w+:\n {2}\S/);
    assert.match(text, /Both ran on 3 scored tasks: 1 fixed, 1 broken\./);
    assert.match(text, /fixed task 1 .*right is a, parent b, this a\n {6}q\n/);
    assert.match(text, /Both were judged on 4 held-out examples \(judged\): 2 fixed, 1 broken\./);
    assert.match(text, /broke task 0 .*right is a, parent a, this b/);
    const champion = await ok('explain', 'champion', '--task-type', 'labels');
    assert.match(champion, /no program to show[\s\S]*no parent/);
  });

  it('finds agents by name, ID and the beginning of one', async () => {
    assert.match(await ok('agent', 'list'), /constant +1 +aaaaaaaaaaaa\nlabels +2 /);
    assert.equal((await okJson<{ id: string }>('agent', 'show', 'labels')).id, child);
    assert.match(await ok('agent', 'show', parent), new RegExp(`version +${parent}`));
    const unknown = await run('agent', 'show', 'nobody');
    assert.equal(unknown.code, 4);
    assert.match(unknown.err, /constant: is a known agent/);
    assert.equal((await run('agent', 'show', '')).code, 2);
  });

  it('lists the versions of an agent, and which versions serve', async () => {
    const versions = await ok('agent', 'show', 'labels', '--versions');
    assert.match(versions, new RegExp(`${parent.slice(0, 12)} +\\d{4}-.*\n${child.slice(0, 12)} `));
    assert.match(await ok('deployments', 'list'), /labels +0 +aaaaaaaaaaaa +- +full/);
    assert.match(await ok('deployments', 'show', 'labels'), / 0 +0 +aaaaaaaaaaaa[^]*\n\nnone/);
    assert.match(await ok('deploy', 'champion', '--task-type', 'labels'), /serves +labels\nchampion +aaaa/);
    assert.equal((await run('deployments', 'show', 'nothing')).code, 4);
  });

  it('draws the lineage back to the data', async () => {
    const text = await ok('lineage', child);
    const order = [
      `agent ${child}`,
      'experiment search-1',
      `dataset ${dataset}`,
      'tasks labels 0…9',
      `model ${model}`,
      `agent ${parent}`,
      `agent ${CHAMPION}`,
    ];
    const places = order.map((part) => text.indexOf(part));
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    );
    assert.ok(places[0] === 0 && places.every((place) => place >= 0), text);
    assert.match(text, /as above/);
  });

  it('makes, lists and revokes keys', async () => {
    const { key } = await okJson<{ key: string }>('keys', 'create', 'robot');
    assert.equal((await run('task-types', 'list', '--api-key', key)).code, 0);
    assert.equal((await run('keys', 'create', 'robot')).code, 5);
    await ok('keys', 'revoke', 'robot');
    assert.equal((await run('task-types', 'list', '--api-key', key)).code, 6);
    assert.match(await ok('keys', 'list'), /robot +\S+Z +\S+Z/);
    const nobody = await run('keys', 'revoke', 'nobody');
    assert.equal(nobody.code, 4);
    assert.match(nobody.err, /no key named nobody\nCheck the name\.\n/, 'nothing is listed');
    const nameless = await run('keys', 'create', ' ');
    assert.equal(nameless.code, 2);
    assert.match(nameless.err, /name: must not be empty/);
  });

  it('lists and drives dead letters', async () => {
    const { task } = (await platform.stores.tasks.acceptMany(PROJECT, 'labels', [{ payload: { text: 'dead' } }]))[0]!;
    const { taskId, ordinal } = task;
    await platform.stores.deadLetters.put(PROJECT, {
      taskId,
      taskType: 'labels',
      ordinal,
      code: 'X',
      reason: 'no disk',
    });
    assert.match(await ok('dead-letters', 'list'), /no disk/);
    assert.match(await ok('dead-letters', 'redrive', '--all'), /1 tasks run again/);
    assert.match(await ok('dead-letters', 'list'), /none/);
  });

  it('says in one line what is wrong with a file that is named, and writes over nothing', async () => {
    const fails = async (says: string, ...argv: string[]): Promise<void> => {
      const { code, err } = await run(...argv);
      assert.equal(code, 2, err);
      assert.match(err, new RegExp(`^error: .*${says}`));
      assert.doesNotMatch(err, /E[A-Z]{4,}|--debug/);
    };
    const there = file('there.jsonl', 'mine');
    const gone = join(folder, 'gone', 'x.json');
    await fails(`${folder} is a folder, not a file\n$`, 'task-types', 'register', folder);
    await fails(`there is no folder ${join(folder, 'gone')} for ${gone}\n$`, 'task-types', 'register', gone);
    await fails(`${folder} is a folder, not a file\n$`, 'batch', folder, '--task-type', 'labels');
    await fails(`${folder} is a folder, not a file\n$`, 'feedback', '--file', folder);
    const to = (out: string): string[] => ['datasets', 'export', dataset, '--out', out];
    await fails(`--out is not valid:?\n {2}${there}: is there already\n`, ...to(there));
    await fails(`--out is not valid:?\n {2}${folder}: is there already\n`, ...to(folder));
    await fails(`${there} is there already, and is no folder\n$`, ...to(join(there, 'x.jsonl')));
    assert.equal(readFileSync(there, 'utf8'), 'mine');
    const made = join(folder, 'made', 'x.jsonl');
    await ok(...to(made));
    assert.equal(readFileSync(made, 'utf8'), '{"ordinal":0}\n');
  });

  it('shows models, datasets, the ledger and cycles', async () => {
    assert.match(await ok('models', 'list'), /word-lr/);
    assert.match(await ok('datasets', 'list', '--task-type', 'labels'), / +1 +10 +6 +2 +2/);
    const out = join(folder, 'out.jsonl');
    await ok('datasets', 'export', dataset, '--out', out);
    assert.equal(readFileSync(out, 'utf8'), '{"ordinal":0}\n');
    assert.equal(await ok('datasets', 'export', dataset), '{"ordinal":0}\n');
    assert.equal(await ok('datasets', 'export', dataset.slice(0, 12)), '{"ordinal":0}\n', 'as the list prints it');
    const unknown = await run('datasets', 'export', 'ffff');
    assert.equal(unknown.code, 4);
    assert.match(
      unknown.err,
      new RegExp(`\\n {2}${dataset.slice(0, 12)}: is known, of labels\\nCheck the name; the known`),
    );
    await platform.stores.ledger.put(PROJECT, {
      leaseId: 'l1',
      deviceClass: 'cpu',
      holder: 'training/default/labels/1',
      purpose: 'training',
      seconds: 12.5,
      cost: 0.0025,
    });
    assert.match(await ok('ledger'), /training +training\/default\/labels\/1 +12\.5 +0\.0025/);
    const { sums } = await okJson<{ sums: { leases: number }[] }>('ledger');
    assert.equal(sums[0]!.leases, 1);
    const call = { provider: 'vendor', model: 'talker', task: 'generation', caller: 'ci', estimated: true };
    const used = { promptTokens: 12, completionTokens: 3, cost: 0.5 };
    await platform.stores.usage.put(PROJECT, { usageId: 'r/1', ...call, ...used });
    const told = await ok('ledger');
    assert.match(told, /vendor +talker +ci +12 +3 +0\.5 +estimated\n/);
    assert.match(told, /vendor +talker +1 +12 +3 +0\.5\n\ncost of everything +0\.5025\n$/);
    const cycle = {
      id: 'c1',
      taskType: 'labels',
      status: 'completed' as const,
      log: 'told',
      document: { outcome: 'kept' },
    };
    await platform.stores.cycles.put(PROJECT, cycle);
    assert.match(await ok('cycle', 'list'), /c1 +labels +completed +kept/);
    assert.match(await ok('cycle', 'show', 'c1'), /state +completed[\s\S]*\ntold/);
    assert.match(await ok('cycle', 'watch', 'c1'), /state +completed/);
  });

  it('verifies and lists the audit log', async () => {
    assert.match(await ok('audit', 'verify'), /^\d+ entries hold, head [0-9a-f]{64}/);
    assert.match(await ok('audit', 'list', '--type', 'deployment.initial'), /deployment\.initial +test +labels/);
  });

  it('lists garbage without removing it', async () => {
    const loose = await platform.stores.artifacts.put(Buffer.from(`nobody knows me ${Math.random()}`));
    const dry = await ok('gc', '--dry-run', '--grace-days', '0');
    assert.match(dry, new RegExp(`would remove \\S*${loose.sha256} `));
    assert.ok(await platform.stores.artifacts.has(loose));
    assert.match(await ok('gc', '--dry-run'), /0 to remove/);
  });

  it('says who polls which queue and who waits', async () => {
    const { code, out } = await run('status');
    assert.equal(code, 0);
    assert.match(out, /TASK QUEUE[\s\S]*! no worker polls chimera-gpu-cpu/);
  });

  it('applies the manifest, and the second time changes nothing', async () => {
    await run('apply');
    const { out } = await run('apply');
    assert.doesNotMatch(out, /: (created|updated)/);
  });

  it('says that nothing is to be stopped, and what every setting is', async () => {
    assert.match(await ok('down'), /nothing runs here/);
    const { out } = await run('doctor', '--settings', '--json');
    const { settings, checks } = JSON.parse(out) as {
      settings: { key: string; value: string; source: string }[];
      checks: { name: string; detail: string }[];
    };
    for (const wall of ['no network', 'file access', 'wasmtime engine'])
      assert.ok(checks.some(({ name }) => name === `sandbox, ${wall}`));
    assert.equal(settings.find(({ key }) => key === 'apiKey')?.value, '********');
    assert.match(settings.find(({ key }) => key === 'databaseUrl')!.source, /CHIMERA_DATABASE_URL/);
  });
});
