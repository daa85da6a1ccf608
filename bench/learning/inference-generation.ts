import type { RunningInference } from '../../src/learning/inference/host.ts';
import { alternate, spread } from '../harness/measure.ts';
import { criterion, type BenchmarkResult } from '../harness/types.ts';
import { startLlama, type Generated, type GenerationPeer } from '../peers/inference.ts';
import { benchDirectory } from './bases.ts';
import { busySeconds, startService, weightsFile, type Given } from './inference-service.ts';

const TOKENS = 128;

const QUESTIONS = [
  'Explain in detail how a steam engine works.',
  'Write a long story about a fisherman and the sea.',
  'List ten things to do in Paris, and say why.',
];

/** As the model's template makes them. */
const PROMPTS = QUESTIONS.map((question) => `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n`);

/** What came of all prompts together. */
interface Answers {
  /** Tokens a second after the first of each answer. */
  readonly rate: number;
  /** Milliseconds until the first token of an answer, mean. */
  readonly first: number;
  /** Seconds of a processor. */
  readonly busy: number;
  readonly texts: readonly string[];
}

/**
 * The likeliest tokens of a 4-bit model, from the same file on both sides. llama.cpp rounds the values that it multiplies 4-bit weights
 * with to 8 bits, in blocks; the service does so where it is asked to, which is the same work, and by default it does not.
 */
export async function measureGeneration(given: Given): Promise<BenchmarkResult> {
  const peer = await startLlama(benchDirectory(), weightsFile(given.decoder));
  try {
    const exact = await compare(given, peer, 'exact');
    const rounded = await compare(given, peer, '8bit');
    const what = 'generation: tokens/s against llama.cpp';
    return {
      figures: { ...exact.figures, ...rounded.figures },
      criteria: [
        criterion(`${what}, values as they are, which is our default`, exact.ratio, '>=', 0.7, '×'),
        criterion(`${what}, values rounded to 8 bits on both sides`, rounded.ratio, '>=', 0.7, '×'),
      ],
    };
  } finally {
    await peer.close();
  }
}

async function compare(
  { decoder, rounds, log }: Given,
  peer: GenerationPeer,
  activations: 'exact' | '8bit',
): Promise<{ ratio: number; figures: BenchmarkResult['figures'] }> {
  const service = startService([decoder], { activations });
  const [ours, theirs]: [Answers[], Answers[]] = [[], []];
  const rate = (answers: Answers[], generate: () => Promise<Answers>) => async (): Promise<number> => {
    answers.push(await generate());
    return answers.at(-1)!.rate;
  };
  try {
    await generateHere(service, decoder.name, 1);
    const { a, b, ratio } = await alternate(
      rate(ours, () => generateHere(service, decoder.name, TOKENS)),
      rate(theirs, () => generateThere(peer)),
      rounds,
    );
    const what = `generation, values ${activations === 'exact' ? 'as they are' : 'rounded to 8 bits'}`;
    log(`${what}: ${a.median.toFixed(1)} tokens/s, llama.cpp ${b.median.toFixed(1)}`);
    const own = ours.at(-1)!.texts;
    const others = theirs.at(-1)!.texts;
    const figures = {
      'tokens/s': { ...a },
      'tokens/s, llama.cpp (rounded to 8 bits)': { ...b },
      'tokens/s, ratio': { ...ratio },
      'processor time, llama.cpp / ours': { ...spread(ours.map(({ busy }, i) => theirs[i]!.busy / busy)) },
      'milliseconds to the first token': { ...spread(ours.map(({ first }) => first)) },
      'milliseconds to the first token, llama.cpp': { ...spread(theirs.map(({ first }) => first)) },
      texts: own.map((text) => text.slice(0, 60)),
      'texts, llama.cpp': others.map((text) => text.slice(0, 60)),
      'characters that agree from the front': own.map((text, i) => agreeing(text, others[i]!)),
    };
    return {
      ratio: ratio.median,
      figures: Object.fromEntries(Object.entries(figures).map(([name, value]) => [`${what}: ${name}`, value])),
    };
  } finally {
    await service.close();
  }
}

async function generateHere(service: RunningInference, base: string, maxTokens: number): Promise<Answers> {
  const before = service.pid === undefined ? 0 : busySeconds(service);
  const texts: string[] = [];
  let [tokens, first, rest] = [0, 0, 0];
  for (const prompt of PROMPTS) {
    const begun = performance.now();
    let since: number | undefined;
    const { text, usage } = await service.generate({
      ...{ model: { base }, prompt, maxTokens, temperature: 0, topP: 1, stop: [], seed: 'inference' },
      onText: () => (since ??= performance.now()),
    });
    const ended = performance.now();
    tokens += usage.completionTokens - 1;
    first += (since ?? ended) - begun;
    rest += ended - (since ?? ended);
    texts.push(text);
  }
  const busy = busySeconds(service) - before;
  return { rate: (1000 * tokens) / rest, first: first / PROMPTS.length, busy, texts };
}

async function generateThere(peer: GenerationPeer): Promise<Answers> {
  const answers: Generated[] = [];
  for (const prompt of PROMPTS) answers.push(await peer.generate(prompt, TOKENS));
  const sum = (of: (answer: Generated) => number): number => answers.reduce((total, answer) => total + of(answer), 0);
  return {
    rate: sum(({ tokens }) => tokens - 1) / sum(({ rest }) => rest),
    first: (1000 * sum(({ first }) => first)) / PROMPTS.length,
    busy: sum(({ busy }) => busy),
    texts: answers.map(({ text }) => text),
  };
}

/** How many characters two texts begin with in common. */
function agreeing(a: string, b: string): number {
  let length = 0;
  while (length < Math.min(a.length, b.length) && a[length] === b[length]) length++;
  return length;
}
