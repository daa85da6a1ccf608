import { z } from 'zod';

/** A token as a configuration names it: its text, or an object that holds it. */
const token = z.union([z.string(), z.object({ content: z.string() })]).nullish();

/** What is read of a `tokenizer_config.json`. */
export const tokenizerConfig = z.object({
  pad_token: token,
  bos_token: token,
  eos_token: token,
  sep_token: token,
  chat_template: z.union([z.string(), z.array(z.object({ name: z.string(), template: z.string() })).max(64)]).nullish(),
});
export type TokenizerConfig = z.output<typeof tokenizerConfig>;

export const nameOf = (value: z.output<typeof token>): string | undefined =>
  typeof value === 'string' ? value : value?.content;
