import { DataType } from '../onnx/types.ts';
import type { Attribute, ExternalData, GraphModel, GraphNode, Initializer, Shape, ValueInfo } from '../onnx/types.ts';
import type { Provider } from '../runtime/provider.ts';
import { sameShape } from './shapes.ts';

/** A value in a graph that is being built. */
export interface Tensor {
  readonly name: string;
  readonly type: DataType;
  readonly shape: Shape;
  /** Does a gradient flow to it? */
  readonly differentiable: boolean;
}

export interface GraphOptions {
  readonly precision?: 'single' | 'double';
  readonly provider?: Provider;
}

export interface NodeOptions {
  readonly attributes?: GraphNode['attributes'];
  /** Empty for ONNX itself. */
  readonly domain?: string;
}

interface Recorded {
  readonly outputs: readonly Tensor[];
  readonly backward: (gradients: readonly (Tensor | undefined)[]) => void;
}

/** The runtime's own operators. */
export const CONTRIB = 'com.microsoft';

/**
 * Builds an ONNX graph node by node and remembers how to differentiate it. Operators are functions in `ops/` that take the
 * graph first. Shapes must be numbers where a gradient flows; elsewhere a dimension may be a name.
 * The order of calls is the order of nodes, so that the same calls give the same bytes.
 */
export class Graph {
  /** Type of every floating-point value: single precision, or double, for checks of gradients, where the runtime has the kernels. */
  readonly float: DataType;
  /** Where it is to run: decides between ways to write the same, where one has no kernels there. It runs everywhere. */
  readonly provider: Provider;
  readonly #nodes: GraphNode[] = [];
  readonly #initializers: Initializer[] = [];
  readonly #inputs: ValueInfo[] = [];
  readonly #outputs: ValueInfo[] = [];
  readonly #constants = new Map<string, Tensor>();
  readonly #tape: Recorded[] = [];
  readonly #gradients = new Map<string, Tensor>();
  #recording = true;
  #names = 0;

  constructor({ precision = 'single', provider = 'cpu' }: GraphOptions = {}) {
    this.float = precision === 'single' ? DataType.FLOAT : DataType.DOUBLE;
    this.provider = provider;
  }

  input(name: string, type: DataType, shape: Shape, { differentiable = false } = {}): Tensor {
    this.#inputs.push({ name, type, shape });
    return { name, type, shape, differentiable };
  }

  /** Makes a value an output of this name. */
  output(name: string, { name: from, type, shape }: Tensor): void {
    this.#nodes.push({ operator: 'Identity', domain: '', inputs: [from], outputs: [name], attributes: {} });
    this.#outputs.push({ name, type, shape });
  }

  /** A constant; the same name again is the same constant. */
  initializer(name: string, type: DataType, shape: readonly number[], data: Uint8Array | ExternalData): Tensor {
    const known = this.#constants.get(name);
    if (known !== undefined) return known;
    const tensor = { name, type, shape, differentiable: false };
    this.#initializers.push({ name, type, shape, data });
    this.#constants.set(name, tensor);
    return tensor;
  }

  /** A floating-point constant of the graph's precision. */
  floats(values: ArrayLike<number>, shape: readonly number[] = [values.length]): Tensor {
    const array = this.float === DataType.FLOAT ? Float32Array.from(values) : Float64Array.from(values);
    return this.#constant(`floats/${shape.join('x')}`, this.float, shape, array);
  }

  scalar(value: number): Tensor {
    return this.floats([value], []);
  }

  /** A constant of 64-bit integers. */
  integers(values: readonly number[], shape: readonly number[] = [values.length]): Tensor {
    const array = BigInt64Array.from(values, BigInt);
    return this.#constant(`integers/${shape.join('x')}`, DataType.INT64, shape, array);
  }

  #constant(prefix: string, type: DataType, shape: readonly number[], array: ArrayBufferView<ArrayBuffer>): Tensor {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    // Small constants repeat by the hundred.
    const name = bytes.length <= 64 ? `${prefix}/${hex(bytes)}` : this.#name(prefix);
    return this.initializer(name, type, shape, bytes);
  }

  /** Adds a node with one output. Its type is the first input's unless said otherwise. */
  node(
    operator: string,
    inputs: readonly (Tensor | undefined)[],
    shape: Shape,
    { type, ...options }: NodeOptions & { type?: DataType } = {},
  ): Tensor {
    const [output] = this.nodes(operator, inputs, [{ shape, ...(type === undefined ? {} : { type }) }], options);
    return output!;
  }

  /** Adds a node with several outputs. */
  nodes(
    operator: string,
    inputs: readonly (Tensor | undefined)[],
    outputs: readonly { readonly shape: Shape; readonly type?: DataType }[],
    { attributes = {}, domain = '' }: NodeOptions = {},
  ): Tensor[] {
    const first = inputs[0];
    const differentiable = this.#recording && inputs.some((input) => input?.differentiable === true);
    const tensors = outputs.map(({ shape, type = first?.type ?? this.float }) => ({
      ...{ name: this.#name(operator), type, shape },
      differentiable,
    }));
    this.#nodes.push({
      operator,
      domain,
      inputs: inputs.map((input) => input?.name ?? ''),
      outputs: tensors.map(({ name }) => name),
      attributes,
    });
    return tensors;
  }

  #name(prefix: string): string {
    return `${prefix}_${this.#names++}`;
  }

  /**
   * Says how gradients flow through what was just computed: `backward` gets the gradient of each of the outputs, undefined
   * where nothing depends on it, and hands on to inputs by {@link accumulate}. It is called only where there is one.
   */
  record(outputs: readonly Tensor[], backward: Recorded['backward']): void {
    if (this.#recording && outputs.some(({ differentiable }) => differentiable)) this.#tape.push({ outputs, backward });
  }

  /** Adds to the gradient of a tensor; without effect where none flows to it. */
  accumulate(tensor: Tensor, gradient: Tensor): void {
    if (!tensor.differentiable) return;
    if (!sameShape(tensor.shape, gradient.shape)) {
      throw new RangeError(`the gradient of ${tensor.name} [${tensor.shape}] has shape [${gradient.shape}]`);
    }
    const before = this.#gradients.get(tensor.name);
    this.#gradients.set(
      tensor.name,
      before === undefined ? gradient : this.node('Add', [before, gradient], tensor.shape),
    );
  }

  /**
   * Adds the reverse pass of a scalar to the graph: the gradients of `loss` with respect to each of `wrt` (Griewank and Walther,
   * Evaluating Derivatives, 2008, chapter 3). To be called once, when the forward pass is whole.
   */
  backward(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
    this.#recording = false;
    this.#gradients.set(loss.name, this.floats([1], [...loss.shape.map(() => 1)]));
    for (const { outputs, backward } of this.#tape.reverse()) {
      const gradients = outputs.map(({ name }) => this.#gradients.get(name));
      if (gradients.some((gradient) => gradient !== undefined)) backward(gradients);
    }
    return wrt.map((tensor) => {
      const gradient = this.#gradients.get(tensor.name);
      if (gradient === undefined) throw new RangeError(`the loss does not depend on ${tensor.name}`);
      return gradient;
    });
  }

  toModel(): GraphModel {
    return { nodes: this.#nodes, initializers: this.#initializers, inputs: this.#inputs, outputs: this.#outputs };
  }
}

const hex = (bytes: Uint8Array): string => bytes.reduce((text, byte) => text + byte.toString(16).padStart(2, '0'), '');

/** The attribute of a FLOAT: JavaScript cannot tell 1 from 1.0. */
export const float = (value: number): Attribute => ({ float: value });
