import { z } from 'zod';

/** What an adapter learns: labels of texts, to go on with a text, or which of two answers is the better one. */
export const adapterTask = z.enum(['classification', 'causal', 'preference']);
export type AdapterTask = z.output<typeof adapterTask>;

const share = z.number().min(0).lt(1);
/** Each look is an event of its workflow, and stands in every checkpoint. */
const MOST_LOOKS = 1000;

/** How a low-rank adapter of a base model is trained. All of it is hashed with the adapter. */
export const adapterSpec = z
  .strictObject({
    kind: z.literal('adapter'),
    name: z.string().regex(/^[a-z][a-z0-9-]{0,63}$/),
    /** Name of the base model in the registry. */
    base: z.string().min(1).max(128),
    /** `4bit`: the base's matrices lie in 4-bit blocks while it is trained beside (QLoRA). */
    precision: z.enum(['fp32', '4bit']).default('fp32'),
    task: adapterTask,
    rank: z.number().int().min(1).max(256).default(8),
    alpha: z.number().gt(0).max(4096).default(16),
    /** Scale updates by alpha / √rank instead of alpha / rank. */
    rankStabilised: z.boolean().default(false),
    /** Layers that get an update, by the last part of their name; none: only a classifier's head is trained. */
    targets: z.array(z.string().regex(/^[a-z][a-z0-9_.]{0,63}$/)).max(16),
    /** Share of a layer's inputs that its update does not see, in steps of 1/256. */
    dropout: z.number().min(0).max(0.99).default(0),
    /** Texts are cut to so many tokens. */
    maxTokens: z.number().int().min(4).max(8192).default(64),
    /** Examples of one run of the graph, and runs of one step. */
    batch: z.number().int().min(1).max(512).default(16),
    accumulation: z.number().int().min(1).max(256).default(1),
    steps: z.number().int().min(1).max(1_000_000).default(100),
    learningRate: z.number().gt(0).max(1),
    schedule: z.enum(['constant', 'linear', 'cosine']).default('linear'),
    /** Share of the steps in which the learning rate rises to its peak. */
    warmup: share.default(0.1),
    weightDecay: z.number().min(0).max(1).default(0.01),
    /** Longest gradient; longer ones are shortened to it. 0: as long as they are. */
    clip: z.number().min(0).max(1e6).default(1),
    /** Put several texts of a causal task into one row. */
    packing: z.boolean().default(false),
    /** How strongly a preference is held to the base model: β of DPO (Rafailov et al. 2023). */
    beta: z.number().gt(0).max(100).default(0.1),
    /** Look at the validation examples after every so many steps; 0: only at the end. */
    evaluateEvery: z.number().int().min(0).default(0),
    /** Stop after so many looks without a better one, and take the best; 0: never. */
    patience: z.number().int().min(0).default(0),
    /** Cost of one call, in units of the cheapest model's. */
    price: z.number().gt(0).default(1),
    seed: z.string().min(1).max(128).default('chimera'),
  })
  .superRefine(({ steps, evaluateEvery }, context) => {
    if (evaluateEvery === 0 || steps / evaluateEvery <= MOST_LOOKS) return;
    const message = `${steps} steps would be ${Math.floor(steps / evaluateEvery)} looks, the limit is ${MOST_LOOKS}`;
    context.addIssue({ code: 'custom', path: ['evaluateEvery'], message });
  });

export type AdapterSpec = z.output<typeof adapterSpec>;
