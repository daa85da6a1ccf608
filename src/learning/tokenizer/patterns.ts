/** GPT-2's own pattern, that every heir starts from. Source: openai/gpt-2, encoder.py. */
const GPT2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
const NUMBER = String.raw`\p{N}`;
const LLAMA3 = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const QWEN2 = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;

/** A split of `tokenizer.json`: every match of the pattern is a piece, and so is what lies between two. */
export interface Split {
  readonly type: 'Split';
  readonly pattern: { readonly Regex: string };
  readonly behavior: 'Isolated';
  readonly invert: false;
}

export const split = (Regex: string): Split => ({
  type: 'Split',
  pattern: { Regex },
  behavior: 'Isolated',
  invert: false,
});

/** Splits before byte-level BPE, in order, by the name that GGUF gives them (`tokenizer.ggml.pre`). */
export const SPLITS_BY_NAME: ReadonlyMap<string, readonly Split[]> = new Map([
  ['gpt-2', [split(GPT2)]],
  ['smollm', [split(NUMBER), split(GPT2)]],
  ['llama-bpe', [split(LLAMA3)]],
  ['qwen2', [split(QWEN2)]],
]);

/**
 * The only patterns a tokenizer may bring along. Each takes linear time on every text, which nobody can tell of a pattern in an
 * untrusted file; and none has a match that goes from a non-space over a space, so a text may be cut there.
 */
export const KNOWN_PATTERNS: ReadonlySet<string> = new Set([NUMBER, GPT2, LLAMA3, QWEN2]);

export const GPT2_SPLIT: Split = split(GPT2);
export const DIGIT_SPLIT: Split = split(NUMBER);
export const DIGITS_SPLIT: Split = split(String.raw`\p{N}+`);
