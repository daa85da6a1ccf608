/** A matrix in 4-bit blocks along its rows: element = scale · code + minimum, of its block. */
export interface Blocks4 {
  readonly rows: number;
  readonly columns: number;
  /** Columns that share a scale and a minimum. */
  readonly blockSize: number;
  /** Two codes a byte, the earlier column in the low half: [rows, columns / 2]. */
  readonly codes: Uint8Array;
  /** [rows, columns / blockSize] */
  readonly scales: Float32Array;
  readonly minima: Float32Array;
}

/** A matrix in 8-bit blocks along its rows: element = scale · code. */
export interface Blocks8 {
  readonly rows: number;
  readonly columns: number;
  readonly blockSize: number;
  /** [rows, columns] */
  readonly codes: Int8Array;
  /** [rows, columns / blockSize] */
  readonly scales: Float32Array;
}

/**
 * The tensors of a base model, whatever file they lie in. Names and layouts are those of the model's Hugging Face checkpoint
 * (`model.layers.0.self_attn.q_proj.weight`, [outputs, inputs]); readers of other formats translate.
 */
export interface Weights {
  readonly names: readonly string[];
  has(name: string): boolean;
  /** @throws `CHIMERA_INVALID_INPUT` where there is no such tensor */
  shape(name: string): readonly number[];
  /** The tensor in single precision, unpacked where it lies in blocks. Throws as {@link shape} does, and where it is not finite. */
  f32(name: string): Float32Array;
  /** The tensor as it lies in the file, where it lies in such blocks. */
  blocks4(name: string): Blocks4 | undefined;
  blocks8(name: string): Blocks8 | undefined;
}
