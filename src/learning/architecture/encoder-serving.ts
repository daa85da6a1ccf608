import { DataType, type GraphModel } from '../onnx/types.ts';
import { Graph } from '../graph/graph.ts';
import type { BaseModel } from './base.ts';
import { encode, meanPool } from './encoder.ts';
import { updateInputs, type UpdateLayout } from './update-inputs.ts';

/**
 * An encoder for batches of any shape. Inputs `tokens` INT64 [batch, length], `mask` [batch, length], and the updates of the layout
 * where there is one; output `pooled` [batch, hidden], the mean of the hidden states.
 */
export function servingEncoder(base: BaseModel, layout?: UpdateLayout): GraphModel {
  const graph = new Graph();
  const tokens = graph.input('tokens', DataType.INT64, ['batch', 'length']);
  const mask = graph.input('mask', DataType.FLOAT, ['batch', 'length']);
  const updates = layout === undefined ? new Map() : updateInputs(graph, base.config, layout, 'batch');
  graph.output('pooled', meanPool(graph, encode(graph, base, tokens, mask, updates), mask));
  return graph.toModel();
}
