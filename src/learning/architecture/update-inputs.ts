import { DataType, type Dimension } from '../onnx/types.ts';
import type { Graph } from '../graph/graph.ts';
import { linearShape } from './base.ts';
import type { ModelConfig } from './config.ts';
import type { LowRank, Updates } from './linear.ts';

/** Which layers a served graph takes updates of, and of which rank: adapters of one layout share its graph. */
export interface UpdateLayout {
  /** In the order of their names. */
  readonly modules: readonly string[];
  readonly rank: number;
}

/** The name of the input of a layer's A or B. */
export const updateInput = (module: string, part: 'a' | 'b'): string => `${module}.${part}`;

/**
 * Updates as inputs of a graph, so that an adapter is exchanged without loading anything: A [batch, rank, inputs] and
 * B [batch, outputs, rank], each row of a batch its own. B comes with its scaling in it.
 */
export function updateInputs(graph: Graph, config: ModelConfig, layout: UpdateLayout, batch: Dimension): Updates {
  const { modules, rank } = layout;
  return new Map(
    modules.map((module): [string, LowRank] => {
      const { inputs, outputs } = linearShape(config, module);
      const a = graph.input(updateInput(module, 'a'), DataType.FLOAT, [batch, rank, inputs]);
      const b = graph.input(updateInput(module, 'b'), DataType.FLOAT, [batch, outputs, rank]);
      return [module, { a, b, scaling: 1 }];
    }),
  );
}
