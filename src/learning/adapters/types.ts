/** How an update is scaled: alpha / rank, or alpha / √rank (rank-stabilised, Kalajdzievski 2023). */
export interface AdapterScaling {
  readonly rank: number;
  readonly alpha: number;
  readonly rankStabilised: boolean;
}

/** The low-rank update of one linear layer: W + scaling · B A (Hu et al. 2021). */
export interface AdapterTarget {
  /** The layer's name in the base's checkpoint, without `.weight`: `encoder.layer.0.attention.self.query`. */
  readonly module: string;
  readonly inputs: number;
  readonly outputs: number;
  /** [rank, inputs] */
  readonly a: Float32Array;
  /** [outputs, rank] */
  readonly b: Float32Array;
}

/** A linear classifier over the pooled output of an encoder. */
export interface ClassifierHead {
  readonly labels: readonly string[];
  /** [labels, hidden] */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

/** Weights that were trained beside a frozen base model. */
export interface Adapter extends AdapterScaling {
  /** The base's name in the registry, and the SHA-256 of its weights. */
  readonly base: { readonly name: string; readonly sha256: string };
  readonly task: 'classification' | 'causal' | 'preference';
  /** Texts were cut to so many tokens while it was trained: what it is asked about has to be, too. */
  readonly maxTokens?: number;
  /** In the order of their names. */
  readonly targets: readonly AdapterTarget[];
  readonly head?: ClassifierHead;
}

/** What an update is multiplied by. */
export function scalingOf({ rank, alpha, rankStabilised }: AdapterScaling): number {
  return alpha / (rankStabilised ? Math.sqrt(rank) : rank);
}
