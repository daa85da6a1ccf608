export interface SpecialTokens {
  readonly pad: number;
  /** First token of an input; absent where the model has none. */
  readonly begin?: number;
  /** Last token of an input or of an answer: `[SEP]`, `<|im_end|>`. */
  readonly end: number;
}

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** Text to tokens and back. */
export interface Tokenizer {
  /** Tokens of the vocabulary, added ones included. */
  readonly size: number;
  readonly special: SpecialTokens;
  /**
   * Tokens of a text. `wrap` puts the special tokens around it that the model was trained with ([CLS] … [SEP]); `limit` cuts the
   * text, not what is around it, so that no more tokens come out.
   */
  encode(text: string, options?: { readonly wrap?: boolean; readonly limit?: number }): number[];
  /** So many tokens a text has at least: a bound by its size, for texts that might take long to encode. */
  fewest(text: string): number;
  /** Text of tokens; special ones are left out. */
  decode(tokens: readonly number[]): string;
  /** Text that grows token by token. A character of several tokens comes out when it is whole. */
  stream(): { push(token: number): string; end(): string };
  /** Has the model a template for conversations? */
  readonly holdsConversations: boolean;
  /** The prompt of a conversation by the model's own template, up to where its answer begins. */
  chat(messages: readonly ChatMessage[]): string;
}
