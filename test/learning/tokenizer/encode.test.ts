import assert from 'node:assert/strict';
import fc from 'fast-check';
import { tokenizerOfGguf } from '../../../src/learning/tokenizer/gguf.ts';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { tokenizerOfHub } from '../../../src/learning/tokenizer/hub.ts';
import type { Tokenizer } from '../../../src/learning/tokenizer/types.ts';
import { tinyByteLevelFile, tinyConfig, tinyGgufMetadata, tinyTokenizer, tinyWordPiece } from './tiny.ts';

/** [text, tokens, text of the tokens], printed by Python's `tokenizers` 0.23.3 for the files in tiny.ts. */
const BYTE_LEVEL: readonly [string, number[], string][] = [
  ['hello world', [262, 269], 'hello world'],
  ['Hello the  world\n\n x', [75, 104, 260, 114, 264, 35, 269, 13, 13, 35, 123], 'Hello the  world\n\n x'],
  ['café né 😀', [102, 100, 105, 271, 35, 113, 271, 35, 243, 162, 155, 131], 'café né 😀'],
  ['a1२½ 12', [100, 52, 227, 168, 171, 197, 192, 35, 52, 53], 'a1२½ 12'],
  ["don't\tstop", [103, 114, 113, 42, 119, 12, 118, 119, 114, 115], "don't\tstop"],
  ['<|im_start|>user\nhello<|im_end|>', [1, 120, 118, 104, 117, 13, 262, 2], 'user\nhello'],
  ['', [], ''],
  ['\u0085 \ufeff', [197, 136, 35, 242, 190, 194], '\u0085 \ufeff'],
  ['éé\u0301 ', [271, 271, 207, 132, 35], 'éé\u0301 '],
  ['漢字🇩🇪', [233, 191, 165, 232, 176, 154, 243, 162, 138, 172, 243, 162, 138, 173], '漢字🇩🇪'],
];
const WORD_PIECE: readonly [string, number[], string][] = [
  ['Hello, WORLD!', [2, 91, 6, 92, 7, 3], 'hello, world!'],
  ['mailing mails mailed xyz', [2, 94, 96, 94, 73, 94, 97, 42, 79, 80, 3], 'mailing mails mailed xyz'],
  ['漢字𠀀𠀀', [2, 98, 99, 100, 100, 3], '漢 字 𠀀 𠀀'],
  ['ΣΑΣ σΣ', [2, 1, 101, 102, 3], 'σσ'],
  ['Café\u0301 naïve', [2, 21, 55, 60, 59, 32, 55, 63, 76, 59, 3], 'cafe naive'],
  ['[CLS] the [MASK][SEP]', [2, 2, 93, 4, 3, 3], 'the'],
  ['', [2, 3], ''],
  ['a\u0000b\u0085c\ufeffd\te', [2, 19, 56, 57, 58, 23, 3], 'abcd e'],
  ['x'.repeat(101), [2, 1, 3], ''],
  ["don't stop.", [2, 22, 69, 68, 9, 38, 37, 74, 69, 70, 5, 3], "don ' t stop."],
];

const streamed = (tokens: readonly number[]): string[] => {
  const stream = tinyTokenizer().stream();
  return [...tokens.map((token) => stream.push(token)), stream.end()];
};

describe('byte-level tokenizers', () => {
  it('give the tokens and the text that the original library gives', () => {
    const tokenizer = tinyTokenizer();
    for (const [text, tokens, decoded] of BYTE_LEVEL) {
      assert.deepEqual(tokenizer.encode(text, { wrap: true }), tokens, text);
      assert.equal(tokenizer.decode(tokens), decoded);
    }
  });

  it('are the same from a checkpoint and from the metadata of a GGUF file, as an object or as a map', () => {
    const metadata = tinyGgufMetadata();
    for (const given of [metadata, new Map(Object.entries(metadata))]) {
      const tokenizer = tokenizerOfGguf(given, 'the tiny file');
      assert.deepEqual(tokenizer.special, tinyTokenizer().special);
      assert.equal(tokenizer.size, 273);
      for (const [text, tokens] of BYTE_LEVEL) assert.deepEqual(tokenizer.encode(text), tokens, text);
    }
  });

  it('split as Llama 3 and Qwen 2 do where a GGUF file says so', () => {
    const expected = [
      87, 259, 35, 103, 114, 113, 42, 87, 35, 52, 53, 54, 55, 56, 35, 123, 13, 13, 35, 35, 262, 272, 16, 13,
    ];
    for (const name of ['llama-bpe', 'qwen2']) {
      const tokenizer = tokenizerOfGguf({ ...tinyGgufMetadata(), 'tokenizer.ggml.pre': name }, 'the tiny file');
      assert.deepEqual(tokenizer.encode("The don'T 12345 x\n\n  hello  \r\n"), expected, name);
    }
  });

  it('put the first token before a text where the GGUF file says so', () => {
    const tokenizer = tokenizerOfGguf({ ...tinyGgufMetadata(), 'tokenizer.ggml.add_bos_token': true }, 'the tiny file');
    assert.equal(tokenizer.special.begin, 1);
    assert.deepEqual(tokenizer.encode('hello', { wrap: true }), [1, 262]);
    assert.deepEqual(tokenizer.encode('hello'), [262]);
  });

  it('give every text back', () => {
    const tokenizer = tinyTokenizer();
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) =>
        assert.equal(tokenizer.decode(tokenizer.encode(text)), text),
      ),
    );
  });

  it('stream the same text as they decode at once, whatever the tokens are', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 280 })), (tokens) =>
        assert.equal(streamed(tokens).join(''), tinyTokenizer().decode(tokens)),
      ),
    );
  });

  it('stream a character when it is whole, and what is no character at the end', () => {
    const tokens = tinyTokenizer().encode('a😀');
    assert.deepEqual(streamed(tokens), ['a', '', '', '', '😀', '']);
    assert.deepEqual(streamed(tokens.slice(0, 3)), ['a', '', '', '\ufffd']);
  });
});

describe('word pieces', () => {
  it('give the tokens and the text that the original library gives', () => {
    const tokenizer = tinyWordPiece();
    for (const [text, tokens, decoded] of WORD_PIECE) {
      assert.deepEqual(tokenizer.encode(text, { wrap: true }), tokens, text);
      assert.equal(tokenizer.decode(tokens), decoded);
    }
  });

  it('find their special tokens in tokenizer.json alone', () => {
    assert.deepEqual(tinyWordPiece().special, { pad: 0, begin: 2, end: 3 });
  });
});

describe('the limit of a text', () => {
  it('cuts the text and leaves what is around it', () => {
    assert.deepEqual(tinyWordPiece().encode('hello world the mail', { wrap: true, limit: 4 }), [2, 91, 92, 3]);
    assert.deepEqual(tinyWordPiece().encode('hello world', { wrap: true, limit: 2 }), [2, 3]);
  });

  it('is refused where it has no room for what is around the text', () => {
    for (const limit of [1, -1, 2.5, NaN]) {
      assert.throws(
        () => tinyWordPiece().encode('hello', { wrap: true, limit }),
        (error) => isChimeraError(error, 'CHIMERA_INVALID_INPUT'),
      );
    }
  });

  it('gives the first tokens of the whole text, spaces or none', () => {
    const words = ['hello', 'world', 'x', 'é', '漢字', '12', '  ', '\n', "don't", '<|im_end|>'];
    const texts = fc.array(fc.constantFrom(...words), { minLength: 2000, maxLength: 4000 });
    fc.assert(
      fc.property(texts, fc.constantFrom('', ' '), (parts, between) => {
        const text = parts.join(between);
        for (const tokenizer of [tinyTokenizer(), tinyWordPiece()]) {
          assert.deepEqual(tokenizer.encode(text, { limit: 100 }), tokenizer.encode(text).slice(0, 100));
        }
      }),
      { numRuns: 10 },
    );
  });

  it('keeps megabytes of anything quick', () => {
    const texts = ['a', ' ', '7', "'", '漢', 'hello ', `${'x1'.repeat(49)}😀q `];
    const marks = `a${'\u0301'.repeat(500_000)}${'\u0316'.repeat(500_000)}`;
    for (const text of [...texts.map((part) => part.repeat(1_000_000 / part.length)), marks]) {
      for (const tokenizer of [tinyTokenizer(), tinyWordPiece()]) {
        assert.ok(tokenizer.encode(text, { limit: 128 }).length <= 128);
      }
    }
  }).timeout(20_000);

  it('gives the first tokens of words without end', () => {
    const letters = fc.array(fc.constantFrom('he', 'hell', 'l', 'o', 'w', 'an', 'd', 'é'), {
      minLength: 20_000,
      maxLength: 40_000,
    });
    fc.assert(
      fc.property(letters, (parts) => {
        const text = parts.join('');
        const tokens = tinyTokenizer().encode(text);
        for (const limit of [100, 9_000, 50_000]) {
          assert.deepEqual(tinyTokenizer().encode(text, { limit }), tokens.slice(0, limit));
        }
      }),
      { numRuns: 2 },
    );
  }).timeout(20_000);

  it('takes the time of the tokens that are wanted, also where each is long', () => {
    const tokenizer = withLongRuns('Ġ');
    const text = ' '.repeat(100_000);
    const time = (limit?: number): number => {
      const before = performance.now();
      assert.ok(tokenizer.encode(text, limit === undefined ? {} : { limit }).length > 300);
      return performance.now() - before;
    };
    const [few, all] = [time(400), time()];
    assert.ok(few < all, `${few} ms for a half, ${all} ms for the whole`);
  }).timeout(20_000);
});

/** Up to 128 of a character are one token. */
function withLongRuns(character: string, change: object = {}): Tokenizer {
  const file = tinyByteLevelFile();
  const { vocab, merges } = file.model as unknown as { vocab: Record<string, number>; merges: string[] };
  for (let run = 1; run <= 64; run *= 2) {
    const token = character.repeat(run);
    vocab[token.repeat(2)] ??= Object.keys(vocab).length;
    merges.push(`${token} ${token}`);
  }
  return tokenizerOfHub({ ...file, ...change }, tinyConfig, 'the runs');
}

describe('the fewest tokens that a text may have', () => {
  const changed = (change: object): Tokenizer => tokenizerOfHub({ ...tinyByteLevelFile(), ...change }, tinyConfig, 'x');
  const strip = { added_tokens: [{ id: 0, content: '<|endoftext|>', special: true, lstrip: true }] };

  it('are never more than there are: no text that fits is taken for too long', () => {
    const NFC = { normalizer: { type: 'NFC' } };
    const tokenizers = [tinyTokenizer(), changed(NFC), withLongRuns('Ġ'), withLongRuns('`', NFC), tinyWordPiece()];
    // NFC makes a third of some of these.
    const shrinking = ['\u1fbe\u0308\u0301', '\u1112\u1161\u11ab', '\u212a', '\u1fef', '\u0301'.repeat(200), '\u2126'];
    const parts = fc.constantFrom(...shrinking, '<|im_start|>', 'hello', ' ', '  ', 'x', '漢', '😀', '\ud800');
    fc.assert(
      fc.property(fc.array(parts, { size: 'large' }), fc.string({ unit: 'binary' }), (some, any) => {
        for (const tokenizer of tokenizers) {
          const text = some.join('') + any;
          assert.ok(tokenizer.fewest(text) <= tokenizer.encode(text).length, JSON.stringify(text));
        }
      }),
      { numRuns: 40 },
    );
    // Of three bytes each, which become one.
    assert.equal(withLongRuns('`', NFC).encode('\u1fef'.repeat(128)).length, 1);
    assert.equal(withLongRuns('`', NFC).fewest('\u1fef'.repeat(128)), 1);
    assert.equal(changed(strip).fewest(`${' '.repeat(100_000)}<|endoftext|>`), 0);
    const { model } = tinyByteLevelFile();
    const { x, ...vocab } = model['vocab'] as Record<string, number>;
    assert.ok(x !== undefined);
    const withoutX = changed({ model: { ...model, vocab } });
    assert.equal(withoutX.fewest('x'.repeat(1000)), withoutX.encode('x'.repeat(1000)).length);
  });

  it('are told by the bytes of the longest token', () => {
    assert.equal(tinyTokenizer().fewest('x'.repeat(1_300_000)), 100_000);
    assert.equal(tinyTokenizer().fewest('漢'.repeat(13)), 3);
    assert.equal(changed({ normalizer: { type: 'NFC' } }).fewest('x'.repeat(1_300_000)), 100_000);
    assert.equal(tinyTokenizer().fewest(''), 0);
  });
});
