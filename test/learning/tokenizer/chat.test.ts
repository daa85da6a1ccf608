import assert from 'node:assert/strict';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { tokenizerOfHub } from '../../../src/learning/tokenizer/hub.ts';
import { tinyByteLevelFile, tinyConfig, tinyTokenizer, tinyWordPiece } from './tiny.ts';

const chat = (chat_template: unknown): string =>
  tokenizerOfHub(tinyByteLevelFile(), { ...tinyConfig, chat_template }, 'the model').chat([
    { role: 'user', content: 'Hi' },
  ]);
const refuses = (act: () => unknown, message: RegExp): void =>
  assert.throws(act, (error) => isChimeraError(error, 'CHIMERA_INVALID_INPUT') && message.test(error.message));

describe('chat', () => {
  it("writes a conversation by the model's template up to its answer", () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
    ] as const;
    assert.equal(
      tinyTokenizer().chat(messages),
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it('takes the default one of several templates, and knows the names of special tokens', () => {
    const templates = [
      { name: 'tool_use', template: 'no' },
      { name: 'default', template: '{{ bos_token }}{{ messages[0].content }}{{ eos_token }}{{ tools is none }}' },
    ];
    assert.equal(chat(templates), '<|im_start|>Hi<|im_end|>true');
  });

  it('is refused by a model without a template', () => {
    refuses(() => tinyWordPiece().chat([{ role: 'user', content: 'Hi' }]), /no chat template/);
  });

  it('hands over what a template refuses', () => {
    refuses(() => chat("{{ raise_exception('roles must alternate') }}"), /roles must alternate/);
  });

  const poisoned: Record<string, [string, RegExp]> = {
    'a range without an end': ['{% for i in range(10**9) %}x{% endfor %}', /range/],
    'loops in loops': ['{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}', /too much/],
    'text that doubles': [
      "{% set n = namespace(a='x') %}{% for i in range(99) %}{% set n.a = n.a + n.a %}{% endfor %}",
      /too much/,
    ],
    'lists that double': [
      '{% set n = namespace(a=[1]) %}{% for i in range(99) %}{% set n.a = n.a + n.a %}{% endfor %}',
      /too much/,
    ],
    'lists that hold a list twice': [
      '{% set n = namespace(a=[1]) %}{% for i in range(99) %}{% set n.a = [n.a, n.a] %}{% endfor %}{{ n.a }}',
      /too much/,
    ],
    'a list that holds itself': ['{% set n = namespace() %}{% set n.a = n %}{{ [n] }}', /too much|stack/],
    'a step that makes too long a text': [
      "{% set n = namespace(a='x') %}{% for i in range(17) %}{% set n.a = n.a + n.a %}{% endfor %}{{ n.a | replace('x', n.a) }}",
      /string length/,
    ],
    'deep brackets': [`{{ ${'('.repeat(9999)}1${')'.repeat(9999)} }}`, /stack/],
    'a clock': ["{{ strftime_now('%Y') }}", /not a function/],
    "the engine's own functions": ["{{ messages.constructor.constructor('return process')() }}", /not a function/],
    'no Jinja': ['{% for %}', /Unexpected token/],
    'a very long template': ['x'.repeat(40_000), /40000 characters/],
    'a very long space': [`${' '.repeat(30_000)}{{ 1 }}`, /spaces in a row/],
  };
  for (const [name, [template, message]] of Object.entries(poisoned)) {
    it(`refuses a template with ${name}`, () => refuses(() => chat(template), message));
  }
});
