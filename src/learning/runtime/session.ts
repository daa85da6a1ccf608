import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { ChimeraError } from '../../contracts/errors.ts';
import { encodeModel } from '../onnx/encode.ts';
import type { GraphModel } from '../onnx/types.ts';
import type { DeviceRuntime } from './provider.ts';
import type { ResidentWeights } from './resident-weights.ts';

export interface SessionOptions extends Partial<DeviceRuntime> {
  /** Where the files lie that the graph refers to; absent where it refers to none. */
  readonly directory?: string;
  /**
   * Large weights are not constants of the session, which it would pack copies of for each product, but read once for all sessions that
   * share this. No memory is planned ahead. Less memory, and somewhat more time.
   */
  readonly weights?: ResidentWeights;
}

export type Values = Readonly<Record<string, RuntimeTensor>>;

/** A graph that is ready to run. A run blocks the thread that calls it: see `process/`. */
export interface Session {
  run(inputs: Values): Promise<Values>;
  release(): Promise<void>;
}

/**
 * Loads a graph.
 * @throws ChimeraError `CHIMERA_SETUP` where the runtime does not have an operator or the provider, or a file is not as the graph says
 */
export async function openSession(model: GraphModel, options: SessionOptions = {}): Promise<Session> {
  const { provider = 'cpu', weights } = options;
  const { rest, inputs: resident } = (await weights?.apart(model)) ?? { rest: model, inputs: {} };
  const session = await created(encodeModel(rest), options).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    throw new ChimeraError('CHIMERA_SETUP', { what: `a graph on ${provider}`, why }, { cause: error });
  });
  return {
    run: (inputs) => session.run({ ...resident, ...inputs }),
    release: () => session.release(),
  };
}

function created(
  bytes: Uint8Array,
  { provider = 'cpu', threads = 1, directory, weights }: SessionOptions,
): Promise<InferenceSession> {
  return InferenceSession.create(bytes, {
    executionProviders: [provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    // What goes wrong is thrown: it need not be printed, too.
    logSeverityLevel: 4,
    enableMemPattern: weights === undefined,
    extra: {
      session: {
        ...(directory === undefined ? {} : { model_external_initializers_file_folder_path: directory }),
        disable_prepacking: weights === undefined ? '0' : '1',
        intra_op: { allow_spinning: '0' },
      },
    },
  });
}

/** A tensor of a run, its type by its array: Float32Array, Float64Array, BigInt64Array, Int32Array, Uint8Array. */
export function tensor(
  data: Float32Array | Float64Array | BigInt64Array | Int32Array | Uint8Array,
  shape: readonly number[],
): RuntimeTensor {
  if (data instanceof Float32Array) return new RuntimeTensor('float32', data, shape);
  if (data instanceof Float64Array) return new RuntimeTensor('float64', data, shape);
  if (data instanceof BigInt64Array) return new RuntimeTensor('int64', data, shape);
  if (data instanceof Int32Array) return new RuntimeTensor('int32', data, shape);
  return new RuntimeTensor('uint8', data, shape);
}

/** Whole numbers as the tensor that indices are. */
export const indices = (values: readonly number[], shape: readonly number[]): RuntimeTensor =>
  tensor(BigInt64Array.from(values, BigInt), shape);
