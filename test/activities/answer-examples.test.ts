import { deepEqual } from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answerExamples } from '../../src/activities/answer-examples.ts';
import type { BaseLocation } from '../../src/learning/bases.ts';
import type { GgufValue } from '../../src/learning/weights/gguf-format.ts';
import { encodeGguf } from '../../src/learning/weights/gguf-write.ts';
import * as tiny from '../learning/tokenizer/tiny.ts';

const ANSWERS = [
  { text: 'two trees', right: 'note' },
  { text: 'buy stone', right: 'offer', wrong: 'note' },
];

describe('examples of answers', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'chimera-answers-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const baseOf = async (files: Record<string, string | Uint8Array>): Promise<BaseLocation> => {
    for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content);
    return { name: 'tiny', directory, files: Object.keys(files).map((name) => ({ name })) };
  };
  const checkpoint = (config: string) =>
    baseOf({
      ...{ 'model.safetensors': '', 'tokenizer.json': JSON.stringify(tiny.tinyByteLevelFile()) },
      'tokenizer_config.json': config,
    });
  const asked = (text: string): string => tiny.tinyTokenizer().chat([{ role: 'user', content: text }]);
  const inConversation = [
    { prompt: asked('two trees'), completion: 'note' },
    { prompt: asked('buy stone'), chosen: 'offer', rejected: 'note' },
  ];

  it('are asked as a conversation asks: the text is the one message of a user', async () => {
    const base = await checkpoint(JSON.stringify(tiny.tinyConfig));
    deepEqual(await answerExamples(base, ANSWERS), inConversation);
  });

  it('are asked so of a GGUF file, too, whose template may name its tokens', async () => {
    const template = `{{ eos_token }}${tiny.tinyConfig.chat_template}`;
    const values = { ...tiny.tinyGgufMetadata(), 'tokenizer.chat_template': template };
    const metadata = new Map(Object.entries(values).map(([name, value]) => [name, typed(value)]));
    const base = await baseOf({ 'tiny.gguf': encodeGguf({ metadata, tensors: new Map() }) });
    const [first] = await answerExamples(base, ANSWERS);
    deepEqual(first, { prompt: `<|im_end|>${asked('two trees')}`, completion: 'note' });
  });

  it('are set apart from their text where a base holds no conversations', async () => {
    const plain = [
      { prompt: 'two trees\nAnswer:', completion: ' note' },
      { prompt: 'buy stone\nAnswer:', chosen: ' offer', rejected: ' note' },
    ];
    const pieces = { 'model.safetensors': '', 'tokenizer.json': JSON.stringify(tiny.tinyWordPieceFile()) };
    deepEqual(await answerExamples(await baseOf(pieces), ANSWERS), plain);
    const nameless = { ...tiny.tinyConfig, chat_template: [{ name: 'tools', template: 'x' }] };
    const base = await checkpoint(JSON.stringify(nameless));
    deepEqual(await answerExamples(base, ANSWERS), plain);
  });

  it('are refused with a template that refuses them, and with a configuration that is none', async () => {
    const grim = { ...tiny.tinyConfig, chat_template: "{{ raise_exception('no users') }}" };
    const codeOf = async (config: string) => {
      const base = await checkpoint(config);
      return answerExamples(base, ANSWERS).catch((error: { code: string }) => error.code);
    };
    deepEqual(await codeOf(JSON.stringify(grim)), 'CHIMERA_INVALID_INPUT');
    deepEqual(await codeOf('{"chat_template": 5}'), 'CHIMERA_INVALID_INPUT');
    deepEqual(await codeOf('{'), 'CHIMERA_INVALID_INPUT');
  });
});

function typed(value: unknown): GgufValue {
  if (Array.isArray(value)) return { type: 'array', of: typeof value[0] === 'string' ? 'string' : 'uint32', value };
  if (typeof value === 'string') return { type: 'string', value };
  if (typeof value === 'boolean') return { type: 'bool', value };
  return { type: 'uint32', value: value as number };
}
