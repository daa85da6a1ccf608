import { z } from 'zod';
import { invalidInput, type Problem } from '../../contracts/errors.ts';
import type { Adapter, AdapterScaling } from './types.ts';

export type PeftTask = 'FEATURE_EXTRACTION' | 'SEQ_CLS' | 'CAUSAL_LM';

/** What of PEFT's `adapter_config.json` decides what an adapter computes. */
export interface PeftConfig extends AdapterScaling {
  readonly task: PeftTask;
}

const settings = z.object({
  peft_type: z.literal('LORA'),
  task_type: z.enum(['FEATURE_EXTRACTION', 'SEQ_CLS', 'CAUSAL_LM']),
  r: z.int().min(1),
  lora_alpha: z.number().positive(),
  use_rslora: z.boolean().default(false),
  bias: z.literal('none').default('none'),
  modules_to_save: z.array(z.enum(['classifier', 'score'])).nullish(),
  // The other ways to begin change the base, too, so that what was saved is an update of another one.
  init_lora_weights: z.union([z.boolean(), z.enum(['gaussian', 'orthogonal', 'eva'])]).nullish(),
});

/** Settings of training, of where the base is, and of which layers have tensors: the tensors themselves say that. */
const WITHOUT_EFFECT = new Set([
  ...[
    'auto_mapping',
    'base_model_name_or_path',
    'corda_config',
    'ensure_weight_tying',
    'eva_config',
    'exclude_modules',
  ],
  ...['inference_mode', 'layers_pattern', 'layers_to_transform', 'lora_dropout', 'lora_ga_config', 'megatron_core'],
  ...['loftq_config', 'peft_version', 'qalora_group_size', 'revision', 'target_modules', 'velora_config'],
]);

/**
 * Reads `adapter_config.json` of PEFT 0.21. A setting that is not known and is switched on is refused by its name: DoRA, patterns
 * of ranks and alphas, trained biases and tokens, replicated layers. Throws `CHIMERA_INVALID_INPUT` that names every problem.
 */
export function readPeftConfig(config: unknown): PeftConfig {
  const parsed = settings.safeParse(config);
  const problems: Problem[] = parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => ({ path: `/${path.join('/')}`, message }));
  for (const [name, value] of Object.entries(Object(config) as Record<string, unknown>)) {
    if (Object.hasOwn(settings.shape, name) || WITHOUT_EFFECT.has(name) || isOff(value)) continue;
    problems.push({ path: `/${name}`, message: 'this is not supported' });
  }
  if (!parsed.success || problems.length > 0) throw invalidInput('adapter_config.json', problems);
  const { task_type: task, r: rank, lora_alpha: alpha, use_rslora: rankStabilised } = parsed.data;
  return { task, rank, alpha, rankStabilised };
}

const isOff = (value: unknown): boolean =>
  value === null || value === false || (typeof value === 'object' && Object.keys(value as object).length === 0);

/** `adapter_config.json` that PEFT 0.21 reads. */
export function writePeftConfig({ base, targets, rank, alpha, rankStabilised }: Adapter, task: PeftTask): object {
  return {
    peft_type: 'LORA',
    task_type: task,
    base_model_name_or_path: base.name,
    r: rank,
    lora_alpha: alpha,
    use_rslora: rankStabilised,
    lora_dropout: 0,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    target_modules: targets.map(({ module }) => module),
    modules_to_save: task === 'SEQ_CLS' ? ['classifier', 'score'] : null,
  };
}
