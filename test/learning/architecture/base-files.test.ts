import { deepEqual, equal, notEqual, ok, rejects } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { baseInMemory } from '../../../src/learning/architecture/base.ts';
import { convertBase, openBase } from '../../../src/learning/architecture/base-files.ts';
import type { ModelConfig } from '../../../src/learning/architecture/config.ts';
import type { Weights } from '../../../src/learning/weights/types.ts';
import { TINY_DECODER, TINY_ENCODER, tinyWeights } from '../tiny.ts';

const FILES = ['fp32.bin', 'fp32.json'];
const urlOf = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
const PROGRAM = `
  import { convertBase, openBase } from ${urlOf('../../../src/learning/architecture/base-files.ts')};
  import { TINY_ENCODER as config, tinyWeights } from ${urlOf('../tiny.ts')};
  const weights = tinyWeights(config);
  const directory = process.argv.at(-1);`;

describe('a base model on disk', () => {
  let directory: string;
  let loads = 0;

  const convert = async (config: ModelConfig = TINY_ENCODER, weights?: Weights, known = true): Promise<void> => {
    const load = async () => {
      loads++;
      return { config, weights: weights ?? tinyWeights(config) };
    };
    await convertBase(directory, 'fp32', load, known ? config : undefined);
  };
  const open = () => openBase('tiny', directory, 'fp32');
  const at = (name: string): string => join(directory, name);
  const names = async (): Promise<string[]> => (await readdir(directory)).sort();

  /** A process that does something with the directory, until it ends. */
  const run = async (program: string): Promise<{ pid: number; said: string }> => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM + program, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (text: Buffer) => (said += text.toString()));
    await once(child, 'close');
    return { pid: child.pid!, said: said.trim() };
  };

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'chimera-base-'));
    loads = 0;
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('is written once, and is what it is in memory', async () => {
    await convert();
    await convert();
    await convert(TINY_ENCODER, undefined, false);
    // Where nobody says what the files say, they are read.
    equal(loads, 2);
    deepEqual(await names(), FILES);
    const base = await open();
    equal(base.sha256, baseInMemory('tiny', tinyWeights(TINY_ENCODER), TINY_ENCODER, 'fp32').sha256);
    deepEqual(base.config, TINY_ENCODER);
  });

  for (const known of [true, false]) {
    it(`is written anew for another configuration of the same tensors${known ? '' : ', which only loading tells'}`, async () => {
      const weights = tinyWeights(TINY_ENCODER);
      const identities = new Set<string>();
      for (const change of [{}, { heads: 8 }, { epsilon: 1e-5 }]) {
        const config = { ...TINY_ENCODER, ...change };
        await convert(config, weights, known);
        const base = await open();
        deepEqual(base.config, config);
        identities.add(base.sha256);
      }
      equal(identities.size, 3);
      await convert(TINY_ENCODER, weights, known);
      ok(identities.has((await open()).sha256), 'what is corrected back is what it was');
    });
  }

  it('is written anew where its file of tensors is gone or cut off, or its index is of another format', async () => {
    await convert();
    const [bytes, index] = await Promise.all(FILES.map((name) => readFile(at(name))));
    const damages = [
      () => unlink(at('fp32.bin')),
      () => truncate(at('fp32.bin'), bytes!.length - 1),
      () => writeFile(at('fp32.json'), index!.toString().replace('"format":', '"format":1')),
      () => writeFile(at('fp32.json'), index!.subarray(0, index!.length / 2)),
    ];
    for (const damage of damages) {
      await damage();
      await convert();
      deepEqual(await Promise.all(FILES.map((name) => readFile(at(name)))), [bytes, index]);
    }
    equal(loads, 1 + damages.length);
  });

  it('is not opened where it is not there, or not whole', async () => {
    await rejects(open(), { code: 'CHIMERA_NOT_FOUND' });
    await convert();
    await truncate(at('fp32.bin'), 10);
    await rejects(open(), { code: 'CHIMERA_ARTIFACT_CORRUPT' });
  });

  it('leaves nothing of a conversion that failed', async () => {
    const f32 = (): never => {
      throw new RangeError('it cannot be read');
    };
    await rejects(convert(TINY_ENCODER, { ...tinyWeights(TINY_ENCODER), f32 }), /cannot be read/);
    deepEqual(await names(), []);
  });

  it('is written by the next one where a process was killed in the middle, of which nothing stays', async () => {
    const { pid } = await run(`
      const f32 = (name) => name.startsWith('embeddings') ? process.kill(process.pid, 'SIGKILL') : weights.f32(name);
      await convertBase(directory, 'fp32', async () => ({ config, weights: { ...weights, f32 } }));`);
    ok((await names()).includes(`fp32.bin.${pid}`), 'it was killed too early to leave anything');
    // One that lives may be writing still, or be another user of the folder.
    const others = [`4bit.bin.${process.ppid}`, 'fp32.bin.note', `model.bin.${pid}`];
    const dead = [`4bit.bin.${pid}`, `fp32.json.${pid}`];
    await Promise.all([...others, ...dead].map((name) => writeFile(at(name), '')));
    await convert();
    deepEqual(await names(), [...FILES, ...others].sort());
    equal((await open()).config.heads, TINY_ENCODER.heads);
  });

  it('is converted by one, whoever needs it at the same moment', async () => {
    const program = `
      await convertBase(directory, 'fp32', async () => (console.log('loaded'), { config, weights }), config);
      console.log((await openBase('tiny', directory, 'fp32')).sha256);`;
    const [, , ...ran] = await Promise.all([convert(), convert(), run(program), run(program)]);
    const lines = ran.flatMap(({ said }) => said.split('\n'));
    equal(loads + lines.filter((line) => line === 'loaded').length, 1);
    const { sha256 } = await open();
    deepEqual(
      lines.filter((line) => line !== 'loaded'),
      [sha256, sha256],
    );
    deepEqual(await names(), FILES);
  });
});

describe('the identity of a base model', () => {
  it('is of its configuration and its tensors, in whatever order members are', () => {
    const of = (config: ModelConfig, weights = tinyWeights(TINY_DECODER)): string =>
      baseInMemory('tiny', weights, config, 'fp32').sha256;
    const same = of(TINY_DECODER);
    equal(of(Object.fromEntries(Object.entries(TINY_DECODER).reverse()) as unknown as ModelConfig), same);
    notEqual(of({ ...TINY_DECODER, rotaryBase: 20_000 }), same);
    notEqual(of(TINY_DECODER, tinyWeights(TINY_DECODER, 'other')), same);
  });
});
