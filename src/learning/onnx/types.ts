/** Element types of ONNX tensors (onnx.proto, `TensorProto.DataType`): those that Chimera's graphs use. */
export const DataType = {
  FLOAT: 1,
  UINT8: 2,
  INT8: 3,
  INT32: 6,
  INT64: 7,
  BOOL: 9,
  FLOAT16: 10,
  DOUBLE: 11,
  UINT4: 21,
} as const;
export type DataType = (typeof DataType)[keyof typeof DataType];

/** A size, or the name of one that is known only when the graph runs. */
export type Dimension = number | string;
export type Shape = readonly Dimension[];

/** An attribute of a node. A whole number is an INT; what must be a FLOAT says so. */
export type Attribute =
  number | string | readonly number[] | { readonly float: number } | { readonly tensor: Initializer };

export interface GraphNode {
  readonly operator: string;
  /** Empty for ONNX itself, `com.microsoft` for the runtime's own operators. */
  readonly domain: string;
  /** Empty names are optional inputs that are not given. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** Where the bytes of a tensor lie: a file beside the model's. */
export interface ExternalData {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** A constant. Its bytes are little-endian; two UINT4 share a byte, the first one in its low half. */
export interface Initializer {
  readonly name: string;
  readonly type: DataType;
  readonly shape: readonly number[];
  readonly data: Uint8Array | ExternalData;
}

export interface ValueInfo {
  readonly name: string;
  readonly type: DataType;
  readonly shape: Shape;
}

export interface GraphModel {
  readonly nodes: readonly GraphNode[];
  readonly initializers: readonly Initializer[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
}
