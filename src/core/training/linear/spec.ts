import { z } from 'zod';

/** How a linear model over hashed n-grams is made. All of it is hashed with the model. */
export const linearSpec = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,63}$/),
  /** What an n-gram is made of: words (runs of letters, digits and `_`, two or more) or characters. */
  analyser: z.enum(['word', 'char']),
  /** Shortest and longest n-gram. */
  ngrams: z
    .tuple([z.number().int().min(1).max(8), z.number().int().min(1).max(8)])
    .refine(([a, b]) => a <= b, 'the shortest n-gram comes first'),
  /** Read at most so many UTF-16 code units of a text. */
  maxChars: z.number().int().min(16).max(1_000_000).default(20_000),
  /** n-grams are hashed into 2^bits buckets. */
  bits: z.number().int().min(8).max(20).default(18),
  /** Leave out buckets that fewer training examples than this have. */
  minimumExamples: z.number().int().min(1).max(1000).default(2),
  /** Scale each feature by its naive-Bayes log-count ratio (Wang and Manning, ACL 2012). */
  naiveBayes: z.boolean().default(false),
  /** Weight of the loss against the L2 penalty ½‖w‖². */
  c: z.number().gt(0).max(1e6).default(30),
  /** Give each label the same total weight. */
  balanced: z.boolean().default(true),
  /** Passes over the training examples at most. */
  epochs: z.number().int().min(1).max(1000).default(30),
  /** Stop when no dual gradient is larger. */
  tolerance: z.number().gt(0).default(0.01),
  /** Cost of one call, in units of the cheapest model's. */
  price: z.number().gt(0),
  seed: z.string().min(1).max(128).default('chimera'),
});

export type LinearSpec = z.output<typeof linearSpec>;

const variant = (spec: z.input<typeof linearSpec>): LinearSpec => linearSpec.parse(spec);

/**
 * The variants that a cycle trains. Prices follow the n-grams that a call has to hash: words
 * once, words and pairs, two lengths of character runs.
 */
export const LINEAR_VARIANTS: readonly LinearSpec[] = [
  variant({ name: 'words', analyser: 'word', ngrams: [1, 1], price: 1 }),
  variant({ name: 'word-pairs', analyser: 'word', ngrams: [1, 2], minimumExamples: 3, price: 2 }),
  variant({ name: 'words-nb', analyser: 'word', ngrams: [1, 1], naiveBayes: true, c: 3000, price: 1 }),
  variant({ name: 'char-runs', analyser: 'char', ngrams: [3, 4], maxChars: 3000, price: 5 }),
];
