import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type {
  AgentPublication,
  AgentVersionView,
  ChimeraApiError,
  PublishedView,
  RolloutStarted,
  TaskTypeView,
} from '../../src/client/index.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { sha256Hex } from '../../src/core/canonical/canonical.ts';
import { LANGUAGES, publicationOf, readProject } from '../../src/sdk/index.ts';
import { run as runCli, type Ran } from '../cli/run.ts';
import { PROJECT, startPlatform, type Platform } from '../gateway/fixture.ts';
import { testStack } from '../helpers/stack.ts';
import { agentFolder, rustMissing } from './folders.ts';

/** Bytes that a template's module may have: it is code that is kept and sent around. */
const LARGEST = { assemblyscript: 11 * 1024, rust: 48 * 1024, typescript: 2 << 20 };

describe('sdk: the templates, as a user has them', function () {
  this.timeout(240_000);
  const folder = agentFolder();
  let platform: Platform;
  let env: Record<string, string>;
  const run = (...argv: string[]): Promise<Ran> => runCli(argv, env);
  const okJson = async <T>(...argv: string[]): Promise<T> => {
    const { code, out, err } = await run(...argv, '--json');
    assert.equal(code, EXIT.ok, err + out);
    return JSON.parse(out) as T;
  };
  /** What the command sends of an agent that it has built before. */
  const bodyOf = async (name: string): Promise<AgentPublication> => {
    const dir = folder.path(name);
    const file = join(dir, 'build/agent.wasm');
    const module = new Uint8Array(readFileSync(file));
    const build = { module, file, sha256: sha256Hex(module), toolchain: '', sources: {}, linked: [] };
    return publicationOf(await readProject(dir), build);
  };
  const results: Record<string, unknown> = {};
  const published: Record<string, PublishedView> = {};

  before(async () => {
    platform = await startPlatform();
    const { artifactsDir } = await testStack();
    env = {
      CHIMERA_DATABASE_URL: platform.databaseUrl,
      CHIMERA_ARTIFACTS_PATH: artifactsDir,
      CHIMERA_API_KEY: platform.apiKey,
      CHIMERA_GATEWAY_PORT: new URL(platform.baseUrl).port,
    };
  });
  after(async () => {
    folder.remove();
    await platform?.close();
  });

  it('needs a task type that is registered', async () => {
    await okJson('agent', 'new', folder.path('unregistered'));
    const { code, err } = await run('agent', 'publish', folder.path('unregistered'));
    assert.equal(code, EXIT.notFound);
    assert.match(err, /unknown task type ticket-routing[\s\S]*register it first/);
    await okJson('task-types', 'register', join(folder.path('unregistered'), 'task-type.json'));
  });

  for (const language of LANGUAGES)
    it(`${language}: is made, built, tested and published`, async function () {
      const missing = language === 'rust' ? rustMissing() : undefined;
      if (missing !== undefined) {
        console.log(`      skipped: ${missing}`);
        this.skip();
      }
      const dir = folder.path(`my-${language}`);
      const { files } = await okJson<{ files: string[] }>('agent', 'new', dir, '--lang', language);
      for (const file of files) assert.doesNotMatch(readFileSync(join(dir, file), 'utf8'), /\{\{/, file);
      const { version, created, samples } = await okJson<PublishedView>(
        'agent',
        'publish',
        dir,
        ...(language === LANGUAGES[0] ? ['--deploy'] : []),
      );
      assert.deepEqual([version.agent, created], [`my-${language}`, true]);
      assert.ok(version.module.bytes <= LARGEST[language], `${version.module.bytes} bytes`);
      const shown = await okJson<AgentVersionView>('agent', 'show', `my-${language}`);
      assert.deepEqual(shown, version);
      assert.deepEqual(shown.manifest.capabilities, ['infer']);
      const { module, origin, trial } = shown.publication!;
      assert.deepEqual([module.imports, module.source.sha256], [[], shown.module.sha256]);
      assert.equal(trial!.samples.length, samples.length);
      const sources = Object.keys(origin!.sources!);
      assert.ok(
        sources.length > 0 && sources.every((path) => files.includes(path) || path === 'Cargo.lock'),
        `${sources}`,
      );
      published[language] = { version, created, samples };
      results[language] = samples.map(({ sample, output, failure, turns }) => ({ sample, output, failure, turns }));
    });

  it('are the same bytes when TypeScript is built again', async function () {
    const { sha256 } = await okJson<{ sha256: string }>('agent', 'build', folder.path('my-typescript'));
    assert.equal(sha256, published['typescript']!.version.module.sha256);
  });

  it('cost what the documentation says', () => {
    const docs = readFileSync(new URL('../../docs/agents.md', import.meta.url), 'utf8');
    const row = (name: string): Record<string, string> => {
      const cells = docs
        .split('\n')
        .find((line) => line.startsWith(`| ${name} |`))!
        .split(' | ')
        .slice(1);
      return Object.fromEntries(['assemblyscript', 'typescript', 'rust'].map((language, i) => [language, cells[i]!]));
    };
    const near = (told: number, actual: number, what: string): void =>
      assert.ok(Math.abs(told - actual) <= 0.05 * actual, `${what}: ${told} is not ${actual}`);
    const fuel = row('fuel of `samples/invoice.json`');
    const sizes = row('module of the template');
    for (const [language, { version, samples }] of Object.entries(published)) {
      const invoice = samples.find(({ sample }) => sample === 'invoice')!;
      near(Number.parseInt(fuel[language]!.replaceAll(',', '')), invoice.fuel, `fuel in ${language}`);
      const [size, unit] = sizes[language]!.split(' ') as [string, 'KB' | 'MB'];
      near(
        Number(size) * { KB: 1e3, MB: 1e6 }[unit.slice(0, 2) as 'KB' | 'MB'],
        version.module.bytes,
        `size in ${language}`,
      );
    }
    for (const { sample, turns, fuel: used } of published['assemblyscript']!.samples)
      assert.match(docs, new RegExp(`^ +${sample} +ok +${turns} +${used} `, 'm'));
    assert.match(docs, new RegExp(`^ +fuel +${published['assemblyscript']!.samples[1]!.fuel}$`, 'm'));
  });

  it('serve where they are deployed', async () => {
    const { current } = await platform.client.deployment('ticket-routing');
    assert.equal(current.champion, (await platform.stores.agents.versionsOf(PROJECT, `my-${LANGUAGES[0]}`))[0]!.id);
  });

  it('prove themselves where another one serves', async () => {
    const { code, err } = await run('deploy', 'another', '--task-type', 'ticket-routing');
    assert.equal(code, EXIT.notFound, err);
    const body = await bodyOf('my-assemblyscript');
    await platform.client.publishAgent('another', { ...body, manifest: { ...body.manifest, description: 'another' } });
    const started = await okJson<RolloutStarted>('deploy', 'another', '--task-type', 'ticket-routing');
    const [version] = await platform.stores.agents.versionsOf(PROJECT, 'another');
    assert.equal(started.challenger, version!.id);
    const again = await okJson<RolloutStarted>('deploy', 'another', '--task-type', 'ticket-routing');
    assert.equal(again.workflowId, started.workflowId);
    await platform.temporal.workflow.getHandle(started.workflowId).terminate();
  });

  it('do the same in every language', () => {
    for (const result of Object.values(results)) assert.deepEqual(result, results['assemblyscript']);
  });

  it('tells a sample that is not as it should be', async () => {
    const file = join(folder.path('my-assemblyscript'), 'samples/invoice.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"billing"', '"technical"'));
    const { code, out } = await run('agent', 'test', folder.path('my-assemblyscript'));
    assert.equal(code, EXIT.failed);
    assert.match(out, /invoice +FAILED/);
    assert.match(out, /expected output \{"queue":"technical".*\n +got output \{"queue":"billing"/);
  });

  it('publishes nothing that fails with the task type as it is registered', async () => {
    const dir = folder.path('my-assemblyscript');
    const file = join(dir, 'samples/invoice.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"technical"', '"billing"'));
    const stricter = JSON.parse(readFileSync(join(dir, 'task-type.json'), 'utf8')) as TaskTypeView;
    const output = stricter.output as { properties: { why: { maxLength: number } } };
    output.properties.why.maxLength = 5;
    await platform.client.registerTaskType({ ...stricter, version: 2 });
    const refused = platform.client.publishAgent('my-assemblyscript', await bodyOf('my-assemblyscript'));
    await assert.rejects(refused, ({ code, problems }: ChimeraApiError) => {
      assert.equal(code, 'CHIMERA_AGENT_REFUSED');
      const [first] = problems;
      assert.equal(first!.path, '/samples/invoice');
      assert.match(first!.message, /expected output .*\n +got failure bad-output/);
      return true;
    });
    assert.equal((await platform.stores.agents.versionsOf(PROJECT, 'my-assemblyscript')).length, 1);
  });
});
