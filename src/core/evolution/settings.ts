import * as z from 'zod';

/** How an experiment searches. Shares are in [0, 1]. */
export const searchSettings = z.strictObject({
  /** With the context, the whole source of randomness. */
  seed: z.string().min(1),
  /** Candidates a generation. */
  population: z.int().min(4).max(1024).default(32),
  /** Stop after so many generations. */
  generations: z.int().min(1).max(10_000).default(8),
  /** Stop after so many evaluations of a candidate on a task. */
  evaluations: z.number().positive().default(2_000_000),
  /** Stop after so much fuel. */
  fuel: z.number().positive().default(1e12),
  /** Stop after so many generations without a gain. */
  plateau: z.int().min(1).default(4),
  /** The smallest rise in quality that counts as a gain. */
  minimumGain: z.number().min(0).max(1).default(0.001),
  /** A larger share of unscorable tasks disqualifies. */
  maximumUnscorable: z.number().min(0).max(1).default(0.02),
  /** A larger share of failed tasks disqualifies. */
  maximumErrors: z.number().min(0).max(1).default(0.05),
  /** Elites kept at most. */
  archive: z.int().min(2).max(1024).default(64),
  /** Share of children with two parents. */
  crossover: z.number().min(0).max(1).default(0.5),
  /** Share of fresh random genomes in later generations. */
  immigrants: z.number().min(0).max(1).default(0.1),
});

export type SearchSettings = Readonly<z.output<typeof searchSettings>>;
