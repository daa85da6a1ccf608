import assert from 'node:assert/strict';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { tokenizerOfGguf } from '../../../src/learning/tokenizer/gguf.ts';
import { tokenizerOfHub } from '../../../src/learning/tokenizer/hub.ts';
import { tinyByteLevelFile, tinyConfig, tinyGgufMetadata, tinyTokenizer, tinyWordPieceFile } from './tiny.ts';

const refuses = (act: () => unknown, ...messages: readonly RegExp[]): void =>
  assert.throws(act, (error) => {
    assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'), String(error));
    for (const message of messages) assert.match(error.message, message);
    return true;
  });
const hub = (file: unknown, config: unknown = tinyConfig) => tokenizerOfHub(file, config, 'the model');
const withModel = (change: Record<string, unknown>) => {
  const file = tinyByteLevelFile();
  return { ...file, model: { ...file.model, ...change } };
};
const vocab = tinyByteLevelFile().model['vocab'] as Record<string, number>;
const split = (Regex: string) => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false });

describe('tokenizer files', () => {
  it('may be text or what it parses to', () => {
    const tokenizer = hub(JSON.stringify(tinyByteLevelFile()), JSON.stringify(tinyConfig));
    assert.deepEqual(tokenizer.encode('hello world'), [262, 269]);
  });

  it('are refused where they are not JSON or no tokenizer', () => {
    refuses(() => hub('{"model": '), /tokenizer\.json: it is not JSON/);
    refuses(() => hub(tinyByteLevelFile(), 'pad_token'), /tokenizer_config\.json: it is not JSON/);
    for (const file of [null, undefined, 7, [], {}, { model: null }, '[]']) {
      refuses(() => hub(file), /\/model\/type: the type none is not supported/);
    }
  });

  it('are refused by the name of what is not supported', () => {
    refuses(() => hub(withModel({ type: 'Unigram' })), /"Unigram" is not supported; known: WordPiece, BPE/);
    refuses(() => hub({ ...tinyByteLevelFile(), normalizer: { type: 'Precompiled' } }), /normalizer "Precompiled"/);
    refuses(() => hub({ ...tinyByteLevelFile(), pre_tokenizer: { type: 'Metaspace' } }), /pre-tokenizer "Metaspace"/);
    refuses(() => hub({ ...tinyByteLevelFile(), decoder: { type: 'CTC' } }), /decoder "CTC"/);
    refuses(() => hub({ ...tinyByteLevelFile(), post_processor: { type: 'X' } }), /post-processor "X"/);
    refuses(() => hub(withModel({ dropout: 0.1, byte_fallback: true })), /dropout is not/, /byte_fallback is not/);
  });

  it('bring no pattern of their own, so none can hang the process', () => {
    const pretokenizers = [split('(a+)+$'), { type: 'ByteLevel', add_prefix_space: false, use_regex: false }];
    const file = { ...tinyByteLevelFile(), pre_tokenizer: { type: 'Sequence', pretokenizers } };
    refuses(() => hub(file), /pattern "\(a\+\)\+\$" is none of the known ones/);
  });

  it('are refused for numbers that are doubled, negative or absurd, each by its token', () => {
    refuses(() => hub(withModel({ vocab: { ...vocab, again: 5 } })), /again: the number 5 is that of/);
    const numbers = { a: -1, b: 1.5, c: 1e12, d: '7', e: null, f: 2 ** 20 };
    const changed = Object.fromEntries(Object.entries(numbers).map(([name, number]) => [`bad-${name}`, number]));
    refuses(
      () => hub(withModel({ vocab: { ...vocab, ...changed } })),
      ...Object.keys(changed).map((name) => new RegExp(`${name}: the number must be whole`)),
    );
    refuses(() => hub(withModel({ vocab: {} })), /there is no token/);
    refuses(() => hub(withModel({ vocab: { ...vocab, ['x'.repeat(2000)]: 273 } })), /2000 characters/);
  });

  it('are refused for added tokens that are huge, too many or at odds with the vocabulary', () => {
    const add = (...tokens: object[]) => ({ ...tinyByteLevelFile(), added_tokens: tokens });
    refuses(() => hub(add({ id: 300, content: 'x'.repeat(1e6) })), /added_tokens\/0\/content/);
    refuses(() => hub(add(...Array.from({ length: 9000 }, (_, i) => ({ id: 300 + i, content: `<${i}>` })))), /8192/);
    refuses(() => hub(add({ id: 0, content: '<other>' })), /the number 0 is that of/);
    refuses(() => hub(add({ id: 300, content: '<|im_end|>' })), /the number 2 too/);
    refuses(() => hub(add({ id: 300, content: 'x', single_word: true })), /single_word is not supported/);
  });

  it('are refused for merges of tokens that are not there', () => {
    refuses(() => hub(withModel({ merges: ['h e', 'q zz', 'one'] })), /merges\/1: there is no token "zz"/, /merges\/2/);
  });

  it('are refused for special tokens that are not there', () => {
    refuses(
      () => hub(tinyByteLevelFile(), { ...tinyConfig, eos_token: '<end>' }),
      /eos_token: there is no token "<end>"/,
    );
    const file = {
      ...tinyWordPieceFile(),
      post_processor: { type: 'BertProcessing', cls: ['<s>', 0], sep: ['</s>', 2] },
    };
    refuses(() => hub(file, {}), /there is no token "<s>"/, /there is no token "<\/s>"/);
    const words = tinyWordPieceFile();
    refuses(
      () => hub({ ...words, model: { ...words.model, unk_token: '?!' } }, {}),
      /unk_token: there is no such token/,
    );
  });

  it('may hold the names of what every object has', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
    const text = JSON.stringify(withModel({})).replace(
      '"vocab":{',
      `"vocab":{${names.map((name, i) => `"${name}":${273 + i}`).join()},`,
    );
    const tokenizer = hub(text);
    assert.equal(tokenizer.size, 277);
    assert.equal(tokenizer.decode([273, 274, 275, 276]), names.join(''));
    assert.deepEqual(tokenizer.encode('constructor'), tinyTokenizer().encode('constructor'));
    assert.equal(tokenizer.decode(tokenizer.encode('__proto__ toString')), '__proto__ toString');
  });

  it('show the first problems of very many, and how many more there are', () => {
    refuses(() => hub(withModel({ merges: Array.from({ length: 1000 }, () => 'no') })), /and 950 more problems/);
  });
});

describe('the tokenizer in a GGUF file', () => {
  const refusesGguf = (change: Record<string, unknown>, message: RegExp): void =>
    refuses(() => tokenizerOfGguf({ ...tinyGgufMetadata(), ...change }, 'the file'), message);

  it('is refused by the name of what is missing or not supported', () => {
    refuses(() => tokenizerOfGguf({}, 'the file'), /tokenizer\.ggml\.model/, /tokenizer\.ggml\.tokens/);
    refusesGguf({ 'tokenizer.ggml.model': 'llama' }, /only gpt2/);
    refusesGguf({ 'tokenizer.ggml.pre': '__proto__' }, /pre-tokenizer is not supported; known: gpt-2, smollm/);
  });

  it('is refused where its parts do not fit together', () => {
    const tokens = tinyGgufMetadata()['tokenizer.ggml.tokens'] as string[];
    refusesGguf({ 'tokenizer.ggml.tokens': tokens.slice(1) }, /273 types for 272 tokens/);
    refusesGguf({ 'tokenizer.ggml.tokens': tokens.with(5, tokens[6]!) }, /a token is there twice/);
    refusesGguf({ 'tokenizer.ggml.eos_token_id': 4_000_000_000 }, /there is no token 4000000000/);
    refusesGguf({ 'tokenizer.ggml.merges': ['zz zz'] }, /there is no token "zz"/);
  });

  it('may have a token of any name', () => {
    const { 'tokenizer.ggml.tokens': tokens, 'tokenizer.ggml.token_type': types, ...rest } = tinyGgufMetadata();
    const changed = {
      ...rest,
      'tokenizer.ggml.tokens': [...(tokens as string[]), '__proto__'],
      'tokenizer.ggml.token_type': Int32Array.from([...(types as number[]), 1]),
    };
    assert.equal(tokenizerOfGguf(changed, 'the file').decode([273]), '__proto__');
  });
});
