import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { tokenize, type TextExample } from '../../../src/learning/training/examples.ts';
import { tokenizerOfHub } from '../../../src/learning/tokenizer/hub.ts';
import { tinyTokenizer } from '../tiny-files.ts';
import { LABELS } from './samples.ts';

const words = tokenizerOfHub(tinyTokenizer('encoder'), undefined, 'tiny');
const bytes = tokenizerOfHub(tinyTokenizer('decoder'), undefined, 'tiny');
const { end } = bytes.special;

const causal = (prompt: string, completion: string, maxTokens = 16) =>
  tokenize([{ prompt, completion }], { task: 'causal', maxTokens }, bytes, [])[0]!.rows[0]!;

describe('examples as tokens', () => {
  it('wraps a text that is classified, and gives its label a number', () => {
    const examples = [
      { text: 'spam mail', label: 'spam' },
      { text: 'meeting', label: 'ham' },
    ];
    const [spam, ham] = tokenize(examples, { task: 'classification', maxTokens: 16 }, words, LABELS);
    const tokens = words.encode('spam mail', { wrap: true });
    assert.deepEqual(spam, { rows: [{ tokens, given: 4 }], label: 1 });
    assert.equal(ham!.label, 0);
  });

  it('cuts a text that is too long, and keeps what is around it', () => {
    const text = 'spam '.repeat(40);
    const [cut] = tokenize([{ text, label: 'spam' }], { task: 'classification', maxTokens: 6 }, words, LABELS);
    const { tokens } = cut!.rows[0]!;
    const whole = words.encode('spam spam spam spam', { wrap: true });
    assert.deepEqual(tokens, whole);
  });

  it('predicts the answer and its end, not the prompt', () => {
    const row = causal('ab', 'cd');
    assert.deepEqual(row, { tokens: [...bytes.encode('abcd'), end], given: 2 });
  });

  it('cuts a prompt from its front, so that it still leads to its answer', () => {
    const row = causal('0123456789', 'xy', 8);
    assert.deepEqual(row, { tokens: [...bytes.encode('56789xy'), end], given: 5 });
  });

  it('cuts an answer that is too long, and leaves one token that leads to it', () => {
    const row = causal('abc', 'x'.repeat(20), 8);
    assert.deepEqual(row, { tokens: bytes.encode(`c${'x'.repeat(7)}`), given: 1 });
  });

  it('puts something before an answer that has no prompt', () => {
    assert.deepEqual(causal('', 'x'), { tokens: [end, ...bytes.encode('x'), end], given: 1 });
  });

  it('makes two rows of a preference, the better one first', () => {
    const example = { prompt: 'a', chosen: 'good', rejected: 'bad' };
    const [pair] = tokenize([example], { task: 'preference', maxTokens: 16 }, bytes, []);
    assert.deepEqual(
      pair!.rows.map(({ tokens }) => bytes.decode(tokens)),
      ['agood', 'abad'],
    );
  });

  it('refuses all examples that do not fit, naming each and why', () => {
    const examples: TextExample[] = [
      { text: 'fine', label: 'ham' },
      { text: 'odd', label: 'eggs' },
      { prompt: 'a', completion: 'b' },
    ];
    const problems = problemsOf(() => tokenize(examples, { task: 'classification', maxTokens: 8 }, words, LABELS));
    assert.deepEqual(problems, [
      { path: '/1', message: 'its label "eggs" is none of ham, spam' },
      { path: '/2', message: 'it is no example of a classification task' },
    ]);
    const answers: TextExample[] = [
      { prompt: 'a', chosen: 'b', rejected: '' },
      { prompt: 'a', completion: 'b' },
      { text: 'a', label: 'ham' },
    ];
    assert.deepEqual(
      problemsOf(() => tokenize(answers, { task: 'preference', maxTokens: 8 }, bytes, [])),
      [
        { path: '/0', message: 'an answer is empty' },
        { path: '/1', message: 'it is no example of a preference task' },
        { path: '/2', message: 'it is no example of a preference task' },
      ],
    );
  });
});

function problemsOf(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'), String(error));
    return error.details.problems;
  }
  return assert.fail('nothing was refused');
}
