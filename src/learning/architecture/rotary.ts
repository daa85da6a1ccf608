import { DataType } from '../onnx/types.ts';
import type { Graph, Tensor } from '../graph/graph.ts';
import { add, multiply, negate } from '../graph/ops/arithmetic.ts';
import { concatenate, gather, reshape, slice } from '../graph/ops/shape.ts';
import type { DecoderConfig } from './config.ts';

/** Cosines and sines of the rotary angles (Su et al. 2021): [positions, headSize / 2] each. */
export function rotaryTables(
  { headSize, rotaryBase }: DecoderConfig,
  positions: number,
): { cosines: Float32Array; sines: Float32Array } {
  const half = headSize / 2;
  const frequencies = Float32Array.from({ length: half }, (_, i) => rotaryBase ** (-(2 * i) / headSize));
  const cosines = new Float32Array(positions * half);
  const sines = new Float32Array(positions * half);
  for (let at = 0; at < cosines.length; at++) {
    const angle = Math.fround(Math.floor(at / half) * frequencies[at % half]!);
    cosines[at] = Math.cos(angle);
    sines[at] = Math.sin(angle);
  }
  return { cosines, sines };
}

/** Turns [batch, heads, length, headSize] by the angles of `positions`, INT64 [batch, length]. */
export function rotary(graph: Graph, config: DecoderConfig, positions: Tensor): (x: Tensor) => Tensor {
  const [batch, length] = positions.shape as [number, number];
  const { headSize } = config;
  const half = headSize / 2;
  const { cosines, sines } = rotaryTables(config, length);
  const table = (name: string, values: Float32Array): Tensor => {
    const twice = Float32Array.from({ length: length * headSize }, (_, at) => {
      const [position, i] = [Math.floor(at / headSize), at % half];
      return values[position * half + i]!;
    });
    const rows = graph.initializer(
      `rotary/${name}/${length}`,
      DataType.FLOAT,
      [length, headSize],
      new Uint8Array(twice.buffer),
    );
    return reshape(graph, gather(graph, rows, positions), [batch, 1, length, headSize]);
  };
  const [cos, sin] = [table('cosines', cosines), table('sines', sines)];
  return (x) => {
    const first = slice(graph, x, 3, 0, half);
    const second = slice(graph, x, 3, half, headSize);
    const turned = concatenate(graph, [negate(graph, second), first], 3);
    return add(graph, multiply(graph, x, cos), multiply(graph, turned, sin));
  };
}
