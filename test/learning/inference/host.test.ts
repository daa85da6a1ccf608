import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { ChimeraError } from '../../../src/contracts/errors.ts';
import { encodeAdapter } from '../../../src/learning/adapters/file.ts';
import type { ModelConfig } from '../../../src/learning/architecture/config.ts';
import { openLocalBase, type BaseLocation } from '../../../src/learning/bases.ts';
import { startInference, type InferenceOptions, type RunningInference } from '../../../src/learning/inference/host.ts';
import { encodeSafetensors } from '../../../src/learning/weights/safetensors.ts';
import { TINY_DECODER, TINY_ENCODER, tinyWeights } from '../tiny.ts';
import { generation, seededAdapter, tokenizerConfig, tokenizerJson } from './tiny-models.ts';

const NAMES = ['model.safetensors', 'config.json', 'tokenizer.json', 'tokenizer_config.json'];
const HUB: Record<string, Record<string, string>> = {
  encoder: { layers: 'num_hidden_layers', epsilon: 'layer_norm_eps', tokenTypes: 'type_vocab_size' },
  decoder: {
    ...{ layers: 'num_hidden_layers', epsilon: 'rms_norm_eps', keyHeads: 'num_key_value_heads', headSize: 'head_dim' },
    ...{ rotaryBase: 'rope_theta', tiedEmbeddings: 'tie_word_embeddings' },
  },
};
const COMMON: Record<string, string> = {
  ...{ hidden: 'hidden_size', heads: 'num_attention_heads', intermediate: 'intermediate_size' },
  ...{ vocabulary: 'vocab_size', positions: 'max_position_embeddings' },
};

/** A checkpoint as hubs have it, of a tiny model. */
async function writeCheckpoint(root: string, config: ModelConfig): Promise<void> {
  const { family, ...members } = config;
  const directory = join(root, family);
  await mkdir(directory);
  const names = { ...COMMON, ...HUB[family] };
  const hub = Object.fromEntries(Object.entries(members).map(([member, value]) => [names[member], value]));
  const weights = tinyWeights(config);
  const tensors = weights.names.map((name) => [name, { shape: weights.shape(name), data: weights.f32(name) }] as const);
  const contents = [
    encodeSafetensors(new Map(tensors)),
    JSON.stringify({ model_type: family === 'encoder' ? 'bert' : 'llama', ...hub }),
    JSON.stringify(tokenizerJson(family)),
    JSON.stringify(family === 'encoder' ? {} : tokenizerConfig),
  ];
  await Promise.all(NAMES.map((name, i) => writeFile(join(directory, name), contents[i]!)));
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('models in a process of their own', function () {
  let root: string;
  let running: RunningInference[] = [];
  const adapters = new Map<string, Uint8Array>();
  const locate = async (name: string): Promise<BaseLocation> => {
    if (!['encoder', 'decoder'].includes(name)) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'model', name });
    return { name, directory: join(root, name), files: NAMES.map((file) => ({ name: file })) };
  };
  const start = (options: Partial<InferenceOptions> = {}): RunningInference => {
    const loadAdapter = async (name: string): Promise<Uint8Array> => {
      const bytes = adapters.get(name);
      if (bytes === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'adapter', name });
      return bytes;
    };
    const started = startInference({ locate, loadAdapter, ...options });
    running.push(started);
    return started;
  };

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'chimera-inference-'));
    await Promise.all([TINY_ENCODER, TINY_DECODER].map((config) => writeCheckpoint(root, config)));
  });
  afterEach(async () => {
    await Promise.all(running.map((one) => one.close()));
    running = [];
  });
  after(() => rm(root, { recursive: true, force: true }));

  it('embed, classify with adapters of either precision, and write', async () => {
    const inference = start();
    const pieces: string[] = [];
    const answer = await inference.generate(generation({ onText: (piece) => pieces.push(piece) }));
    equal(answer.text, pieces.join(''));
    equal(answer.usage.completionTokens, 12);
    const location = await locate('encoder');
    for (const precision of ['fp32', '4bit'] as const) {
      const { base } = await openLocalBase(location, precision);
      const { name, adapter } = seededAdapter(base, precision);
      adapters.set(name, encodeAdapter(adapter));
      const { labels, scores } = await inference.classify({
        model: { base: 'encoder', adapter: name },
        texts: ['a', 'b'],
      });
      deepEqual(labels, ['a', 'b']);
      ok(scores.every((row) => Math.abs(row[0]! + row[1]! - 1) < 1e-12));
    }
    const { vectors } = await inference.embed({ model: { base: 'encoder' }, texts: ['a', 'bc'] });
    ok(vectors.every((vector) => vector instanceof Float32Array && Math.abs(Math.hypot(...vector) - 1) < 1e-6));
  });

  it('say what is wrong in the words of the one table', async () => {
    const inference = start();
    adapters.set('cut off', Uint8Array.of(1, 2, 3));
    const ask = (base: string, adapter: string) => inference.classify({ model: { base, adapter }, texts: ['a'] });
    await rejects(ask('encoder', 'cut off'), { code: 'CHIMERA_INVALID_INPUT' });
    await rejects(ask('encoder', 'absent'), { code: 'CHIMERA_NOT_FOUND', message: /adapter named absent/ });
    await rejects(inference.embed({ model: { base: 'absent' }, texts: [] }), { code: 'CHIMERA_NOT_FOUND' });
    await rejects(inference.generate(generation({ prompt: 'x'.repeat(128) })), { code: 'CHIMERA_INVALID_INPUT' });
  });

  it('never hold up the process that asks', async () => {
    const inference = start();
    await inference.generate(generation());
    const before = performance.eventLoopUtilization();
    const texts = Array.from({ length: 400 }, (_, i) => `${i} `.repeat(15));
    await Promise.all([
      inference.embed({ model: { base: 'encoder' }, texts }),
      ...Array.from({ length: 8 }, () => inference.generate(generation({ maxTokens: 100 }))),
    ]);
    // Where models run in this process, the loop has no time for anything else.
    const { utilization } = performance.eventLoopUtilization(before);
    ok(utilization < 0.5, `the loop was busy for ${utilization} of the time`);
  });

  it('are cancelled while they write', async () => {
    const inference = start();
    const cancel = new AbortController();
    const request = generation({ maxTokens: 100, signal: cancel.signal, onText: () => cancel.abort() });
    await rejects(inference.generate(request), { code: 'CHIMERA_CANCELLED' });
    equal((await inference.generate(generation({ maxTokens: 2 }))).usage.completionTokens, 2);
  });

  it('are started anew after a death, of which those who waited hear', async () => {
    const inference = start();
    let killed: number | undefined;
    const onText = (): void => {
      killed = inference.pid;
      process.kill(killed!, 'SIGKILL');
    };
    const lost = rejects(inference.generate(generation({ maxTokens: 100, onText })), (error) => {
      ok(error instanceof ChimeraError && error.retryable);
      equal(error.code, 'CHIMERA_MODEL_CRASHED');
      return true;
    });
    await lost;
    equal((await inference.generate(generation())).usage.completionTokens, 12);
    ok(inference.pid !== undefined && inference.pid !== killed);
  });

  it('turn away what is too much at once, and take what is large alone', async () => {
    const inference = start({ mostWaiting: 2 });
    const embed = (texts: string[]) => inference.embed({ model: { base: 'encoder' }, texts });
    const [first, second] = await Promise.allSettled([embed(['a', 'b', 'c']), embed(['d'])]);
    equal(first.status, 'fulfilled');
    equal(second.status === 'rejected' && (second.reason as ChimeraError).code, 'CHIMERA_RATE_LIMITED');
    equal((await embed(['d'])).vectors.length, 1);
  });

  it('count what is cancelled until the process is through with it', async () => {
    const inference = start({ mostWaiting: 1 });
    const embed = () => inference.embed({ model: { base: 'encoder' }, texts: ['a'] });
    const cancel = new AbortController();
    const cancelled = rejects(inference.generate(generation({ signal: cancel.signal })), { code: 'CHIMERA_CANCELLED' });
    cancel.abort();
    await cancelled;
    await rejects(embed(), { code: 'CHIMERA_RATE_LIMITED' });
    for (;;) {
      const answer = await embed().catch((error: ChimeraError) => equal(error.code, 'CHIMERA_RATE_LIMITED'));
      if (answer !== undefined) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    // What is lost with the process is over, too.
    const lost = rejects(inference.generate(generation({ maxTokens: 100 })), { code: 'CHIMERA_MODEL_CRASHED' });
    process.kill(inference.pid!, 'SIGKILL');
    await lost;
    equal((await embed()).vectors.length, 1);
  });

  it('end with a close, and what is under way is cancelled', async () => {
    const inference = start();
    await inference.generate(generation());
    const pid = inference.pid!;
    const late = rejects(inference.generate(generation({ maxTokens: 100 })), { code: 'CHIMERA_CANCELLED' });
    await inference.close();
    await late;
    ok(!isAlive(pid));
    await rejects(inference.generate(generation()), { code: 'CHIMERA_CANCELLED' });
  });

  it('end with the process that started them, even where that is killed', async () => {
    const host = new URL('../../../src/learning/inference/host.ts', import.meta.url).href;
    const location = JSON.stringify(await locate('encoder'));
    const program = `
      import { startInference } from ${JSON.stringify(host)};
      const inference = startInference({ locate: async () => (${location}), loadAdapter: async () => new Uint8Array() });
      await inference.embed({ model: { base: 'encoder' }, texts: ['a'] });
      console.log(inference.pid);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    ok(isAlive(pid));
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    const end = Date.now() + 10_000;
    while (isAlive(pid) && Date.now() < end) await new Promise((resolve) => setImmediate(resolve));
    ok(!isAlive(pid));
  });
});
