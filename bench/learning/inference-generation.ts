import { alternate, spread } from '../harness/measure.ts';
import { criterion, type BenchmarkResult } from '../harness/types.ts';
import { startLlama } from '../peers/inference.ts';
import { benchDirectory } from './bases.ts';
import { busySeconds, startService, weightsFile, type Given } from './inference-service.ts';

const TOKENS = 128;

const QUESTIONS = [
  'Explain in detail how a steam engine works.',
  'Write a long story about a fisherman and the sea.',
  'List ten things to do in Paris, and say why.',
];

const prompts = QUESTIONS.map((question) => `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n`);

/** What came of all prompts together. */
interface Sum {
  /** Tokens after the first of each answer, and what they took, in seconds. */
  tokens: number;
  rest: number;
  /** Seconds until the first of each, and tokens of the prompts. */
  first: number;
  prompt: number;
  readonly texts: string[];
}

const sumOf = (): Sum => ({ tokens: 0, rest: 0, first: 0, prompt: 0, texts: [] });

/** The likeliest tokens of a 4-bit model, from the same file on both sides, without anything that is drawn. */
export async function measureGeneration({ decoder, rounds, log }: Given): Promise<BenchmarkResult> {
  const service = startService([decoder]);
  const peer = await startLlama(benchDirectory(), weightsFile(decoder));
  const busy: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
  const prefill: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
  let [own, other] = [sumOf(), sumOf()];
  const ours = async (): Promise<number> => {
    own = sumOf();
    const before = service.pid === undefined ? 0 : busySeconds(service);
    for (const prompt of prompts) {
      const begun = performance.now();
      let first: number | undefined;
      const { text, usage } = await service.generate({
        ...{ model: { base: decoder.name }, prompt, maxTokens: TOKENS },
        ...{ temperature: 0, topP: 1, stop: [], seed: 'inference' },
        onText: () => (first ??= performance.now()),
      });
      own.tokens += usage.completionTokens - 1;
      own.rest += (performance.now() - first!) / 1000;
      own.first += (first! - begun) / 1000;
      own.prompt += usage.promptTokens;
      own.texts.push(text);
    }
    busy.ours.push(busySeconds(service) - before);
    prefill.ours.push((1000 * own.first) / prompts.length);
    return own.tokens / own.rest;
  };
  const theirs = async (): Promise<number> => {
    other = sumOf();
    let seconds = 0;
    for (const prompt of prompts) {
      const { tokens, rest, first, text, prompt: read, busy: used } = await peer.generate(prompt, TOKENS);
      seconds += used;
      other.tokens += tokens - 1;
      other.rest += rest;
      other.first += first;
      other.prompt += read;
      other.texts.push(text);
    }
    busy.theirs.push(seconds);
    prefill.theirs.push((1000 * other.first) / prompts.length);
    return other.tokens / other.rest;
  };
  try {
    const { a, b, ratio } = await alternate(ours, theirs, rounds);
    log(`generation: ${a.median.toFixed(1)} tokens/s, llama.cpp ${b.median.toFixed(1)}`);
    return {
      figures: {
        'generation: tokens/s': { ...a },
        'generation: tokens/s, llama.cpp': { ...b },
        'generation: ratio': { ...ratio },
        'generation: processor time, llama.cpp / ours': {
          ...spread(busy.theirs.map((seconds, i) => seconds / busy.ours[i]!)),
        },
        'generation: values beside 4-bit weights': 'rounded to 8 bits in blocks, as llama.cpp rounds them',
        'generation: tokens of an answer, mean': 1 + own.tokens / prompts.length,
        'generation: tokens of a prompt, mean, ours and theirs': [own, other].map((sum) => sum.prompt / prompts.length),
        'generation: milliseconds to the first token': { ...spread(prefill.ours) },
        'generation: milliseconds to the first token, llama.cpp': { ...spread(prefill.theirs) },
        'generation: texts': own.texts.map((text) => text.slice(0, 60)),
        'generation: texts, llama.cpp': other.texts.map((text) => text.slice(0, 60)),
        'generation: characters that agree from the front': own.texts.map((text, i) => agreeing(text, other.texts[i]!)),
      },
      criteria: [criterion('generation: tokens/s against llama.cpp', ratio.median, '>=', 0.7, '×')],
    };
  } finally {
    await service.close();
    await peer.close();
  }
}

function agreeing(a: string, b: string): number {
  let length = 0;
  while (length < Math.min(a.length, b.length) && a[length] === b[length]) length++;
  return length;
}
