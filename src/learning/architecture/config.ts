/** A bidirectional encoder with absolute positions (Devlin et al. 2019): BERT, MiniLM. */
export interface EncoderConfig {
  readonly family: 'encoder';
  readonly layers: number;
  /** Width of the residual stream. */
  readonly hidden: number;
  readonly heads: number;
  readonly intermediate: number;
  readonly vocabulary: number;
  /** Longest input in tokens. */
  readonly positions: number;
  readonly tokenTypes: number;
  readonly epsilon: number;
}

/** A causal decoder with rotary positions, grouped queries and a gated unit (Touvron et al. 2023): Llama, SmolLM2. */
export interface DecoderConfig {
  readonly family: 'decoder';
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly headSize: number;
  readonly intermediate: number;
  readonly vocabulary: number;
  readonly positions: number;
  readonly epsilon: number;
  /** Base of the rotary angles. */
  readonly rotaryBase: number;
  /** Is the table of embeddings the output layer, too? */
  readonly tiedEmbeddings: boolean;
}

export type ModelConfig = EncoderConfig | DecoderConfig;
