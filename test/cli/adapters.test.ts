import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hubConfig } from '../../bench/learning/hub-config.ts';
import type { ModelRecord } from '../../src/contracts/records.ts';
import { exportGguf, exportSafetensors } from '../../src/learning/adapters/export.ts';
import { decodeAdapter, encodeAdapter } from '../../src/learning/adapters/file.ts';
import { linearMerge } from '../../src/learning/adapters/linear-merge.ts';
import { merged } from '../../src/learning/adapters/merge.ts';
import { readPeftFiles, writePeftFiles } from '../../src/learning/adapters/peft.ts';
import type { Adapter } from '../../src/learning/adapters/types.ts';
import { openLocalBase } from '../../src/learning/bases.ts';
import { openModel } from '../../src/learning/registry/open.ts';
import type { GgufMetadata, GgufValue } from '../../src/learning/weights/gguf-format.ts';
import { ggufWeights, readGguf } from '../../src/learning/weights/gguf.ts';
import { readSafetensors } from '../../src/learning/weights/safetensors.ts';
import { createDirectoryArtifacts, type ArtifactStore, type TaskTypeDocument } from '../../src/stores/index.ts';
import { LABELS } from '../gateway/fixture.ts';
import { sampleAdapter } from '../learning/adapters/samples.ts';
import { TINY_DECODER, TINY_ENCODER, tinyWeights } from '../learning/tiny.ts';
import { tinyGgufMetadata, tinyWordPieceFile } from '../learning/tokenizer/tiny.ts';
import { openFixture, PROJECT, type Fixture } from '../stores/fixture.ts';
import { run as runCli, type Ran } from './run.ts';

const MODULES = ['encoder.layer.0.attention.self.query', 'encoder.layer.1.attention.self.value'];
/** As many tokens as the tokenizer has. */
const DECODER = { ...TINY_DECODER, vocabulary: 273 };

/** The tiny decoder's sizes and tokenizer, with types as GGUF has them. */
function decoderMetadata(): GgufMetadata {
  const typed = (value: unknown): GgufValue => {
    if (Array.isArray(value)) {
      const of = typeof value[0] === 'string' ? 'string' : 'uint32';
      return { type: 'array', of, value: value as (string | number)[] };
    }
    if (typeof value === 'string') return { type: 'string', value };
    return typeof value === 'boolean' ? { type: 'bool', value } : { type: 'uint32', value: value as number };
  };
  const { layers, hidden, heads, keyHeads, intermediate, positions, epsilon } = DECODER;
  const sizes = {
    'general.architecture': 'llama',
    ...{ 'llama.block_count': layers, 'llama.embedding_length': hidden, 'llama.attention.head_count': heads },
    ...{ 'llama.attention.head_count_kv': keyHeads, 'llama.feed_forward_length': intermediate },
    'llama.context_length': positions,
  };
  return new Map<string, GgufValue>([
    ...Object.entries({ ...sizes, ...tinyGgufMetadata() }).map(([name, value]) => [name, typed(value)] as const),
    ['llama.attention.layer_norm_rms_epsilon', { type: 'float32', value: epsilon }],
  ]);
}

describe('cli: adapters', () => {
  let fixture: Fixture;
  let folder: string;
  let env: Record<string, string>;
  /** Those of the commands. */
  let artifacts: ArtifactStore;
  /** SHA-256 of the tensors of each base. */
  const identity: Record<string, string> = {};

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
    assert.match(ran.err, says);
  };
  const at = (...path: string[]): string => join(folder, ...path);
  const audited = async (type: string) => {
    await fixture.stores.audit.seal(PROJECT);
    return (await fixture.stores.audit.list(PROJECT)).filter((event) => event.type === type);
  };

  /** An adapter of the encoder that labels texts, as it was trained here. */
  const classifier = (seed: string, labels = ['a', 'b'], rank = 2): Adapter => ({
    ...sampleAdapter(TINY_ENCODER, seed, { modules: MODULES, labels, rank }),
    base: { name: 'tiny', sha256: identity['tiny']! },
  });
  const generator = (seed = 'talk'): Adapter => ({
    ...sampleAdapter(DECODER, seed, { modules: ['model.layers.1.self_attn.q_proj'] }),
    base: { name: 'talker', sha256: identity['talker']! },
  });
  /** Registers an adapter as training does. */
  const trained = async (name: string, adapter: Adapter, price = 100): Promise<ModelRecord> => {
    const artifact = await artifacts.put(encodeAdapter(adapter));
    const spec = { kind: 'adapter', name, base: adapter.base.name, task: adapter.task };
    const common = { taskType: LABELS.name, price, dataset: 'd'.repeat(64), report: {} };
    return fixture.stores.models.put(PROJECT, { ...common, id: artifact.sha256, name, artifact, spec });
  };
  const stored = async ({ artifact }: Pick<ModelRecord, 'artifact'>): Promise<Adapter> =>
    decodeAdapter(await artifacts.get(artifact));
  const writePeft = (name: string, adapter: Adapter, change: (config: Record<string, unknown>) => void = () => {}) => {
    mkdirSync(at(name), { recursive: true });
    for (const [file, bytes] of writePeftFiles(adapter)) writeFileSync(at(name, file), bytes);
    const path = at(name, 'adapter_config.json');
    const config = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    change(config);
    writeFileSync(path, JSON.stringify(config));
    return at(name);
  };

  before(async () => {
    fixture = await openFixture();
    folder = mkdtempSync(join(tmpdir(), 'chimera-cli-adapters-'));
    const metadata = decoderMetadata();
    const bases: Record<string, Record<string, Uint8Array | string>> = {
      tiny: {
        'model.safetensors': exportSafetensors(tinyWeights(TINY_ENCODER)),
        'config.json': JSON.stringify(hubConfig(TINY_ENCODER)),
        'tokenizer.json': JSON.stringify(tinyWordPieceFile()),
      },
      talker: { 'talker.gguf': exportGguf(tinyWeights(DECODER), DECODER, metadata) },
    };
    const models = [];
    for (const [name, contents] of Object.entries(bases)) {
      mkdirSync(at(name));
      const files = Object.entries(contents).map(([file, content]) => {
        const bytes = Buffer.from(content as Uint8Array);
        writeFileSync(at(name, file), bytes);
        return { name: file, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
      });
      const about = { name, description: 'for tests', licence: 'MIT', home: 'https://models.test/' };
      models.push({ ...about, files, sources: [{ kind: 'file', path: name }] });
      const location = { name, directory: at(name), files };
      identity[name] = (await openLocalBase(location, name === 'talker' ? '4bit' : 'fp32')).base.sha256;
    }
    writeFileSync(at('models.json'), JSON.stringify({ models }));
    await fixture.stores.projects.ensure(PROJECT);
    await fixture.stores.taskTypes.put(PROJECT, LABELS as TaskTypeDocument);
    env = {
      CHIMERA_CACHE: at('cache'),
      CHIMERA_DATABASE_URL: fixture.url,
      CHIMERA_ARTIFACTS_PATH: at('artifacts'),
      CHIMERA_MODELS_MANIFEST: at('models.json'),
    };
    artifacts = createDirectoryArtifacts(at('artifacts'));
  });
  after(async () => {
    await fixture.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('exports the files of PEFT, by ID, its beginning and the name that genomes say', async () => {
    const adapter = classifier('peft');
    const model = await trained('triage-lora', adapter);
    const { id } = model;
    const references = [id, id.slice(0, 10), `triage-lora@${id.slice(0, 8)}`];
    for (const [index, reference] of references.entries()) {
      const out = at(`peft-${index}`);
      const said = await ok('export', reference, '--format', 'peft', '--out', out);
      assert.match(
        said,
        /triage-lora@\w{8} of tiny is written:\n.*adapter_config\.json\n.*adapter_model\.safetensors\n/,
      );
      assert.match(said, /! .*pooler replaced by that mean/);
      const [config, weights] = ['adapter_config.json', 'adapter_model.safetensors'].map((name) =>
        readFileSync(join(out, name)),
      );
      const { maxTokens: _, ...plain } = await stored(model);
      assert.deepEqual(readPeftFiles(config!, weights!, adapter.base), plain);
    }
  });

  it('exports a checkpoint with the adapter merged in, its configuration with the labels, and its tokenizer', async () => {
    const adapter = classifier('checkpoint');
    const { id } = await trained('triage-lora', adapter);
    const out = at('checkpoint');
    const written = await okJson<{ files: string[]; notes: string[] }>(
      ...['export', id, '--format', 'safetensors', '--out', out],
    );
    assert.deepEqual(readdirSync(out).sort(), ['config.json', 'model.safetensors', 'tokenizer.json']);
    assert.deepEqual(
      written.files.sort(),
      readdirSync(out)
        .sort()
        .map((name) => join(out, name)),
    );
    assert.match(written.notes.join('\n'), /mean of all tokens/);
    const file = readSafetensors(readFileSync(join(out, 'model.safetensors')), 'the export');
    const expected = merged(tinyWeights(TINY_ENCODER), adapter);
    for (const name of expected.names) assert.deepEqual(file.f32(`bert.${name}`), expected.f32(name), name);
    assert.deepEqual(file.f32('classifier.weight'), adapter.head!.weight);
    const config = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')) as Record<string, unknown>;
    assert.deepEqual(config['id2label'], { 0: 'a', 1: 'b' });
    assert.deepEqual(config['architectures'], ['BertForSequenceClassification']);
    assert.equal(config['hidden_size'], TINY_ENCODER.hidden);
    assert.deepEqual(readFileSync(join(out, 'tokenizer.json')), readFileSync(at('tiny', 'tokenizer.json')));
    const base = await openModel(out, [{ name: 'model.safetensors' }]);
    assert.deepEqual([base.config, base.weights.names], [TINY_ENCODER, expected.names], 'it is a base model again');
    for (const name of expected.names) assert.deepEqual(base.weights.f32(name), expected.f32(name), name);
  });

  it('exports a decoder as a GGUF file that is a base model again', async () => {
    const adapter = generator();
    const { id } = await trained('talk-lora', adapter);
    const out = at('gguf', 'merged.gguf');
    const said = await ok('export', id, '--format', 'gguf', '--out', out);
    assert.match(said, /merged\.gguf\n! layers with an update are in single precision/);
    const weights = ggufWeights(readGguf(readFileSync(out), 'the export'));
    const expected = merged(ggufWeights(readGguf(readFileSync(at('talker', 'talker.gguf')), 'the base')), adapter);
    for (const name of expected.names) assert.deepEqual(weights.f32(name), expected.f32(name), name);
    assert.equal((await openModel(at('gguf'), [{ name: 'merged.gguf' }])).config.family, 'decoder');
    const noted = await ok('export', id, '--format', 'safetensors', '--out', at('talk'));
    assert.match(noted, /! talker is a GGUF file, which has no config\.json/);
  });

  it('refuses an export with everything that is wrong, and writes over nothing', async () => {
    const { id } = await trained('triage-lora', classifier('refused'));
    await fails(
      2,
      /--format: must be peft, safetensors, gguf, not onnx/,
      'export',
      id,
      '--format',
      'onnx',
      '--out',
      'x',
    );
    await fails(2, /--format: is required\n {2}--out: is required/, 'export', id);
    await fails(2, /tiny is not a decoder in a GGUF file/, 'export', id, '--format', 'gguf', '--out', at('no.gguf'));
    await fails(
      4,
      /no adapter named huge[\s\S]*triage-lora@\w{8}: is a known/,
      'export',
      'huge',
      '--format',
      'peft',
      '--out',
      'x',
    );
    await fails(2, /adapters begin so; give more digits/, 'export', '', '--format', 'peft', '--out', 'x');
    mkdirSync(at('full'));
    writeFileSync(at('full', 'adapter_config.json'), 'mine');
    await fails(2, /adapter_config\.json: is there already/, 'export', id, '--format', 'peft', '--out', at('full'));
    assert.deepEqual(readdirSync(at('full')), ['adapter_config.json'], 'nothing half-done');
    const file = at('full', 'adapter_config.json');
    await fails(
      2,
      /^error: \S+adapter_config\.json is there already, and is no folder\n$/,
      ...['export', id, '--format', 'peft', '--out', file],
    );
    const foreign = { ...classifier('foreign'), base: { name: 'tiny', sha256: 'f'.repeat(64) } };
    const { id: other } = await trained('foreign', foreign);
    await fails(2, /other weights than those of/, 'export', other, '--format', 'safetensors', '--out', at('foreign'));
  });

  it('imports what PEFT has stored: the model is one of the task type, of this base and no other', async () => {
    const peft = writePeft('from-peft', classifier('import'));
    const argv = ['import', peft, '--base', 'tiny', '--name', 'their-lora', '--task-type', 'labels', '--price', '7'];
    const record = await okJson<ModelRecord & { servedName: string }>(...argv);
    assert.deepEqual(record.spec, {
      ...{ kind: 'adapter', name: 'their-lora', base: 'tiny', task: 'classification', rank: 2, alpha: 3 },
      ...{ rankStabilised: false, targets: MODULES, imported: true },
    });
    assert.deepEqual([record.price, record.taskType, record.id], [7, 'labels', record.artifact.sha256]);
    assert.equal(record.servedName, `their-lora@${record.id.slice(0, 8)}`);
    assert.deepEqual(await stored(record), classifier('import'));
    assert.deepEqual((await fixture.stores.models.get(PROJECT, record.id))?.spec, record.spec);
    const events = await audited('model.imported');
    assert.deepEqual(
      events.map(({ actor, subject, details }) => ({ actor, subject, details })),
      [
        {
          ...{ actor: 'cli', subject: record.id },
          details: { name: 'their-lora', base: 'tiny', baseSha256: identity['tiny'] },
        },
      ],
    );
    assert.match(await ok('list'), /their-lora +tiny +labels +- +7/);
    assert.match(await ok('show', 'tiny'), /\w{12} +their-lora +labels/);
    await ok(...argv);
    assert.equal((await audited('model.imported')).length, 1, 'the same again changes nothing');
    const another = argv.with(5, 'another-name');
    assert.match(await ok(...another), /the same adapter is there already as their-lora@\w{8}\nmodel +\w{64}\n/);
    assert.equal((await okJson<ModelRecord>(...another)).id, record.id);
    assert.equal((await audited('model.imported')).length, 1);
    await fixture.stores.taskTypes.put(PROJECT, { ...LABELS, name: 'other-labels' } as TaskTypeDocument);
    await fails(2, /their-lora@\w{8}: is the same adapter, for the task type labels/, ...argv.with(7, 'other-labels'));
  });

  it('takes the labels of files that have none, and only those of the task type', async () => {
    const peft = writePeft('numbered', classifier('numbered', ['LABEL_0', 'LABEL_1']));
    const argv = ['import', peft, '--base', 'tiny', '--name', 'numbered', '--task-type', 'labels'];
    await fails(2, /LABEL_0, LABEL_1 are not the labels of labels: a, b/, ...argv);
    await fails(2, /must be|do not make/, ...argv, '--labels', 'a,b,c');
    assert.equal((await stored(await okJson<ModelRecord>(...argv, '--labels', 'b,a'))).head?.labels.join(), 'b,a');
  });

  it('imports an adapter of a decoder', async () => {
    const peft = writePeft('talk-peft', generator('talk-peft'));
    await ok('import', peft, '--base', 'talker', '--name', 'talk', '--task-type', 'labels');
    const [event] = (await audited('model.imported')).slice(-1);
    assert.equal(event?.details['baseSha256'], identity['talker']);
  });

  it('refuses an import that does not fit, names every reason, and registers nothing', async () => {
    const before = await fixture.stores.models.list(PROJECT);
    const of = (path: string, base = 'tiny'): string[] => [
      ...['import', path, '--base', base, '--name', 'refused', '--task-type', 'labels'],
    ];
    await fails(2, /--base: is required\n {2}--name: is required\n {2}--task-type: is required/, 'import', at('x'));
    await fails(
      2,
      /--name: must be small letters[\s\S]*--price: must be a number above 0, not free/,
      ...[...of(at('x')).with(5, 'Big Name'), '--price', 'free'],
    );
    await fails(4, /unknown task type none/, ...of(at('x')).with(7, 'none'));
    await fails(4, /no base model named huge/, ...of(at('x'), 'huge'));
    await fails(
      2,
      /adapter_config\.json: is missing\n {2}adapter_model\.safetensors: is missing/,
      ...of(at('nowhere')),
    );
    const wrong = writePeft('dora', classifier('dora'), (config) => {
      config['use_dora'] = true;
      config['bias'] = 'all';
    });
    await fails(2, /\/bias: [\s\S]*\/use_dora: this is not supported/, ...of(wrong));
    await fails(
      2,
      /targets\/encoder\.layer\.0\S+: the base has no such layer[\s\S]*layer\.1\S+: the base has no such layer[\s\S]*\/head: the base is not an encoder/,
      ...of(writePeft('misplaced', classifier('misplaced')), 'talker'),
    );
    const { head: _, ...headless } = classifier('headless');
    await fails(2, /without a classifier it has no answers/, ...of(writePeft('headless', headless)));
    assert.deepEqual(await fixture.stores.models.list(PROJECT), before);
  });

  it('merges adapters to their weighted sum, with their parents on record', async () => {
    const parents = [classifier('left'), classifier('right', ['a', 'b'], 3)];
    const [left, right] = [await trained('left', parents[0]!, 50), await trained('right', parents[1]!)];
    const argv = ['merge', left.id, `right@${right.id.slice(0, 8)}`, '--weights', '0.25,0.75', '--name', 'blend'];
    const record = await okJson<ModelRecord>(...argv);
    assert.deepEqual(await stored(record), linearMerge(parents, [0.25, 0.75]));
    const merge = { method: 'linear', weights: [0.25, 0.75], parents: [left.id, right.id] };
    assert.deepEqual(record.spec['merge'], merge);
    assert.deepEqual([record.spec['kind'], record.spec['base'], record.spec['rank']], ['adapter', 'tiny', 5]);
    assert.deepEqual([record.taskType, record.dataset, record.price], ['labels', left.dataset, 100]);
    const [event] = await audited('model.merged');
    assert.deepEqual(event?.details, { name: 'blend', ...merge, error: 0 });
    const equal = await okJson<ModelRecord>('merge', left.id, right.id, '--name', 'halves');
    assert.deepEqual(await stored(equal), linearMerge(parents, [0.5, 0.5]));
    const again = await run('merge', left.id, right.id, '--name', 'once-more', '--json');
    assert.equal(again.code, 0);
    assert.match(again.err, /the same adapter is there already as halves@/);
    assert.equal((JSON.parse(again.out) as ModelRecord).id, equal.id);
  });

  it('merges by TIES, and tells the error that the rank leaves', async () => {
    const [left, right] = [await trained('left', classifier('l')), await trained('right', classifier('r'))];
    const ties = ['merge', left.id, right.id, '--method', 'ties', '--weights', '0.5,0.5', '--density', '0.5'];
    const said = await ok(...ties, '--rank', '1', '--name', 'ties-one');
    const told = Number(/error of the rank +(0\.\d+)/.exec(said)?.[1]);
    const whole = await okJson<ModelRecord>(...ties, '--rank', '32', '--name', 'ties-whole');
    assert.ok(told > 0.1 && told < 1, said);
    assert.match(said, /merges 2 layers by TIES\n· 1 of 2 layers\n· 2 of 2 layers\n/);
    assert.ok((whole.report['error'] as number) < 1e-5, 'at full rank nothing is lost');
    assert.equal((await stored(whole)).rank, 32);
    assert.equal((whole.spec['merge'] as { density: number }).density, 0.5);
  });

  it('refuses a merge with everything that is wrong', async () => {
    const { id: left } = await trained('left', classifier('l'));
    const { id: other } = await trained('other', classifier('o', ['a', 'c']));
    const { id: talk } = await trained('talk-lora', generator());
    await fails(
      2,
      /--name: is required\n {2}--method: must be linear or ties, not slerp\n {2}--density: is for --method ties only\n {2}models: name two/,
      ...['merge', left, '--method', 'slerp', '--density', '0.5'],
    );
    await fails(
      2,
      /\/weights: 1 weights for 3 adapters\n {2}\/weights\/0: NaN[\s\S]*adapters\/1\/head: its labels[\s\S]*adapters\/2\/base: talker@/,
      ...['merge', left, other, talk, '--weights', 'much', '--name', 'blend-no'],
    );
    await fails(
      2,
      /\/density: 2 is not in[\s\S]*\/rank: 0.5 is not a positive integer/,
      ...['merge', left, other, '--method', 'ties', '--density', '2', '--rank', '0.5', '--name', 'blend-no'],
    );
    const ties = [
      'merge',
      left,
      (await trained('right', classifier('r'))).id,
      '--method',
      'ties',
      '--name',
      'blend-no',
    ];
    await fails(2, /\/rank: 257 is more than an adapter may have: 256/, ...ties, '--rank', '257');
    await fails(2, /\/rank: 33 is more than the size of the layers: 32/, ...ties, '--rank', '33');
    await fails(2, /\/weights: all are 0/, ...ties, '--weights', '0,0');
    await fails(
      2,
      /command line is not valid\n {2}models: left@\w{8} is named more than once\n/,
      ...['merge', left, left.slice(0, 20), '--name', 'blend-no'],
    );
    const names = (await fixture.stores.models.list(PROJECT)).map(({ name }) => name);
    assert.ok(!names.includes('blend-no'));
  });
});
