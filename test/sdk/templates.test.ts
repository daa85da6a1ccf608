import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TaskTypeView } from '../../src/client/index.ts';
import type { AgentVersion } from '../../src/contracts/records.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { sha256Hex } from '../../src/core/canonical/canonical.ts';
import { createFabric } from '../../src/fabric/index.ts';
import { LANGUAGES, publishAgent, readProject, registeredTaskType, tryAgent } from '../../src/sdk/index.ts';
import type { SampleReport } from '../../src/sdk/index.ts';
import { run as runCli, type Ran } from '../cli/run.ts';
import { PROJECT, startPlatform, type Platform } from '../gateway/fixture.ts';
import { testStack } from '../helpers/stack.ts';
import { agentFolder, rustMissing } from './folders.ts';

interface Published extends AgentVersion {
  readonly samples: readonly SampleReport[];
}

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
  const results: Record<string, unknown> = {};

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
      const published = await okJson<Published>(
        'agent',
        'publish',
        dir,
        ...(language === LANGUAGES[0] ? ['--deploy'] : []),
      );
      assert.equal(published.agent, `my-${language}`);
      assert.ok(published.module.bytes <= LARGEST[language], `${published.module.bytes} bytes`);
      const shown = await okJson<AgentVersion>('agents', 'show', `my-${language}`);
      assert.deepEqual([shown.id, shown.manifest.capabilities], [published.id, ['infer']]);
      await platform.stores.audit.seal(PROJECT);
      const audit = await platform.stores.audit.list(PROJECT, { type: 'agent.published' });
      const { details } = audit.find(({ subject }) => subject === published.id)!;
      assert.deepEqual(details['imports'], []);
      const sources = Object.keys(details['sources'] as object);
      assert.ok(
        sources.length > 0 && sources.every((path) => files.includes(path) || path === 'Cargo.lock'),
        `${sources}`,
      );
      results[language] = published.samples.map(({ sample, output, failure, turns, effects, problems }) => {
        assert.deepEqual(problems, []);
        return { sample, output, failure, turns, effects };
      });
    });

  it('serve where they are deployed', async () => {
    const { current } = await platform.client.deployment('ticket-routing');
    assert.equal(current.champion, (await platform.stores.agents.versionsOf(PROJECT, `my-${LANGUAGES[0]}`))[0]!.id);
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
    const stricter = JSON.parse(readFileSync(join(dir, 'task-type.json'), 'utf8')) as TaskTypeView;
    const output = stricter.output as { properties: { why: { maxLength: number } } };
    output.properties.why.maxLength = 5;
    await platform.client.registerTaskType({ ...stricter, version: 2 });
    const project = await readProject(dir);
    const taskType = await registeredTaskType(platform.stores, PROJECT, project);
    const module = new Uint8Array(readFileSync(join(dir, 'build/agent.wasm')));
    const build = { module, file: '', sha256: sha256Hex(module), toolchain: '', sources: {} };
    const fabric = createFabric({ poolSize: 1, resolve: () => Promise.resolve(module) });
    try {
      const report = await tryAgent(fabric, project, build, taskType);
      assert.match(report.samples[1]!.problems.join(), /got failure bad-output/);
      await assert.rejects(publishAgent(platform.stores, PROJECT, project, build, report), /a sample failed/);
    } finally {
      fabric.close();
    }
    assert.equal((await platform.stores.agents.versionsOf(PROJECT, 'my-assemblyscript')).length, 1);
  });
});
