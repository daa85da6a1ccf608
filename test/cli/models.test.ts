import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linearModules, linearShape } from '../../src/learning/architecture/base.ts';
import type { EncoderConfig } from '../../src/learning/architecture/config.ts';
import { encodeSafetensors } from '../../src/learning/weights/safetensors.ts';
import { openFixture, PROJECT, type Fixture } from '../stores/fixture.ts';
import { run as runCli, type Ran } from './run.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const SHAPES: EncoderConfig = {
  ...{
    family: 'encoder',
    layers: 1,
    hidden: 4,
    heads: 2,
    intermediate: 8,
    vocabulary: 10,
    positions: 6,
    tokenTypes: 2,
  },
  epsilon: 1e-12,
};
const HUB_CONFIG = Buffer.from(
  JSON.stringify({
    ...{ model_type: 'bert', num_hidden_layers: 1, hidden_size: 4, num_attention_heads: 2, intermediate_size: 8 },
    ...{ vocab_size: 10, max_position_embeddings: 6, type_vocab_size: 2, layer_norm_eps: 1e-12 },
  }),
);

/** Weights of {@link SHAPES}, all of one value. */
function weightsOf(value: number, vocabulary = SHAPES.vocabulary): Uint8Array {
  const { hidden, positions, tokenTypes } = SHAPES;
  const norms = ['embeddings', 'encoder.layer.0.attention.output', 'encoder.layer.0.output'];
  const shapes: [string, number[]][] = [
    ['embeddings.word_embeddings.weight', [vocabulary, hidden]],
    ['embeddings.position_embeddings.weight', [positions, hidden]],
    ['embeddings.token_type_embeddings.weight', [tokenTypes, hidden]],
    ...norms.flatMap((norm): [string, number[]][] => [
      [`${norm}.LayerNorm.weight`, [hidden]],
      [`${norm}.LayerNorm.bias`, [hidden]],
    ]),
    ...linearModules(SHAPES).flatMap((module): [string, number[]][] => {
      const { outputs, inputs } = linearShape(SHAPES, module);
      return [
        [`${module}.weight`, [outputs, inputs]],
        [`${module}.bias`, [outputs]],
      ];
    }),
  ];
  const size = (shape: number[]): number => shape.reduce((product, side) => product * side, 1);
  return encodeSafetensors(
    new Map(shapes.map(([name, shape]) => [name, { shape, data: new Float32Array(size(shape)).fill(value) }])),
  );
}

describe('cli: base models', () => {
  let fixture: Fixture;
  let folder: string;
  let env: Record<string, string>;

  const run = (...argv: string[]): Promise<Ran> => runCli(['models', ...argv], env);
  const ok = async (...argv: string[]): Promise<string> => {
    const { code, out, err } = await run(...argv);
    assert.equal(code, 0, err);
    return out;
  };
  const okJson = async <T>(...argv: string[]): Promise<T> => JSON.parse(await ok(...argv, '--json')) as T;
  const fails = async (code: number, says: RegExp, ...argv: string[]): Promise<void> => {
    const ran = await run(...argv);
    assert.equal(ran.code, code, ran.err);
    assert.match(ran.err + ran.out, says);
  };
  /** What the manifest offers as `tiny`; returns its version. */
  const offer = (weights: Uint8Array, pinned = sha256(weights)): string => {
    mkdirSync(join(folder, 'source'), { recursive: true });
    writeFileSync(join(folder, 'source', 'model.safetensors'), weights);
    writeFileSync(join(folder, 'source', 'config.json'), HUB_CONFIG);
    const files = [
      { name: 'model.safetensors', bytes: weights.length, sha256: pinned },
      { name: 'config.json', bytes: HUB_CONFIG.length, sha256: sha256(HUB_CONFIG) },
    ];
    const about = { name: 'tiny', description: 'for tests', licence: 'MIT', home: 'https://models.test/tiny' };
    const models = [{ ...about, files, sources: [{ kind: 'file', path: 'source' }] }];
    writeFileSync(join(folder, 'models.json'), JSON.stringify({ models }));
    return pinned;
  };

  before(async () => {
    fixture = await openFixture();
    folder = mkdtempSync(join(tmpdir(), 'chimera-cli-models-'));
    env = {
      CHIMERA_CACHE: join(folder, 'cache'),
      CHIMERA_DATABASE_URL: fixture.url,
      CHIMERA_ARTIFACTS_PATH: join(folder, 'artifacts'),
      CHIMERA_MODELS_MANIFEST: join(folder, 'models.json'),
    };
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await fixture.close();
  });

  it('lists what can be had, pulls it, and shows what came', async () => {
    const version = offer(weightsOf(1));
    const short = version.slice(0, 12);
    assert.match(await ok('list'), /all-MiniLM-L6-v2 +53aa51172d14 +absent +Apache-2\.0 +91335235\n/);
    assert.match(await ok('list'), new RegExp(`tiny +${short} +absent +MIT`));
    await fails(1, /✗ tiny .*\n {2}model\.safetensors: is missing\n {2}config\.json: is missing/, 'verify', 'tiny');

    const pulled = await ok('pull', 'tiny');
    assert.match(pulled, /· fetching tiny from file .*source\n[\s\S]*· tiny 100% {2}0\.0 of 0\.0 MB\n/);
    assert.match(pulled, new RegExp(`state +active\\nlicence +MIT\\nfrom +file ${join(folder, 'source')}\\n`));
    assert.match(await ok('list'), new RegExp(`tiny +${short} +active +MIT`));

    const shown = await ok('show', 'tiny');
    assert.match(shown, /family +encoder\n[\s\S]* {2}hidden +4\n/);
    assert.match(shown, new RegExp(`model\\.safetensors +\\d+ +${version}`));
    const { directory, source } = await okJson<{ directory: string; source: string }>('pull', 'tiny');
    assert.equal(source, `file ${join(folder, 'source')}`, 'the cache is not where it came from');
    assert.deepEqual(readFileSync(join(directory, 'config.json')), HUB_CONFIG);
  });

  it('verifies what is here: hashes, and whether the weights are those of the architecture', async () => {
    offer(weightsOf(1));
    const { directory } = await okJson<{ directory: string }>('pull', 'tiny');
    assert.match(await ok('verify'), /^✓ tiny \w{12}\n$/);
    const path = join(directory, 'model.safetensors');
    const changed = readFileSync(path);
    changed[changed.length - 1]! ^= 1;
    writeFileSync(path, changed);
    await fails(1, /✗ tiny .*\n {2}model\.safetensors: has SHA-256 /, 'verify');
    await ok('pull', 'tiny');
    assert.deepEqual(
      (await okJson<{ ok: boolean }[]>('verify', 'tiny')).map((check) => check.ok),
      [true],
    );
  });

  it('registers nothing that is not the pinned file, or no model', async () => {
    const before = await fixture.stores.baseModels.list(PROJECT);
    offer(weightsOf(2), 'f'.repeat(64));
    await fails(
      3,
      /cannot be had[\s\S]*model\.safetensors has SHA-256 \w+, pinned is f+; it was removed/,
      'pull',
      'tiny',
    );
    offer(weightsOf(2, 11));
    await fails(2, /embeddings\.word_embeddings\.weight: its shape is \[11, 4\], not \[10, 4\]/, 'pull', 'tiny');
    offer(Buffer.from('no weights at all'));
    await fails(2, /model\.safetensors/, 'pull', 'tiny');
    assert.deepEqual(await fixture.stores.baseModels.list(PROJECT), before);
  });

  it('activates another version by its beginning, rolls back, and retires old ones', async () => {
    const versions = [offer(weightsOf(1))];
    await ok('pull', 'tiny');
    for (const value of [3, 4]) {
      versions.push(offer(weightsOf(value)));
      await ok('pull', 'tiny');
    }
    const [first, second, third] = versions as [string, string, string];
    const states = async (): Promise<string[]> =>
      (await okJson<{ base: { name: string; state: string }[] }>('list')).base
        .filter(({ name }) => name === 'tiny')
        .map(({ state }) => state);
    assert.deepEqual(await states(), ['active', 'downloaded', 'downloaded']);
    assert.match(await ok('activate', 'tiny', second.slice(0, 12)), /tiny: version \w{12} is active/);
    assert.deepEqual(await states(), ['downloaded', 'active', 'downloaded']);
    await ok('rollback', 'tiny');
    assert.deepEqual(await states(), ['active', 'downloaded', 'downloaded']);
    await fails(4, /there is no earlier version of a base model named tiny/, 'rollback', 'tiny');
    await fails(4, new RegExp(`${third}: is a known version`), 'activate', 'tiny', 'nothing');
    await fails(2, /3 versions begin so; give more digits/, 'activate', 'tiny', '');
    const { retired } = await okJson<{ retired: string[] }>('pull', 'tiny', '--keep', '1');
    assert.deepEqual(retired, [second]);
    assert.ok(existsSync(join(folder, 'cache', 'models', 'tiny', first)));
  });

  it('shows the adapters of a base model, and calls them so in the list', async () => {
    offer(weightsOf(1));
    const artifact = await fixture.stores.artifacts.put(Buffer.from('an adapter'));
    const common = { taskType: 'labels', artifact, price: 1, dataset: 'd'.repeat(64), report: {} };
    const spec = { kind: 'adapter', base: 'tiny', task: 'classification', name: 'triage-lora' };
    await fixture.stores.models.put(PROJECT, { ...common, id: 'b'.repeat(64), name: 'triage-lora', spec });
    await fixture.stores.models.put(PROJECT, { ...common, id: 'c'.repeat(64), name: 'word-lr', spec: {} });
    const list = await ok('list');
    assert.match(list, /b{12} +triage-lora +tiny +labels/);
    assert.match(list, /c{12} +word-lr +- +labels/);
    const shown = await ok('show', 'tiny');
    assert.match(shown, /b{12} +triage-lora +labels/);
    assert.doesNotMatch(shown, /word-lr/);
  });

  it('names the known models for one that is unknown', async () => {
    for (const argv of [['pull'], ['show'], ['verify']])
      await fails(4, /no base model named huge[\s\S]*tiny: is a known base model/, ...argv, 'huge');
  });
});
