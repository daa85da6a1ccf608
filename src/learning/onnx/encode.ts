import { MessageWriter } from './protobuf.ts';
import type { Attribute, GraphModel, GraphNode, Initializer, ValueInfo } from './types.ts';

const IR_VERSION = 10;
/** The newest opset whose every operator here has a kernel in the pinned runtime. */
const OPSET = 21;

const AttributeType = { FLOAT: 1, INT: 2, STRING: 3, TENSOR: 4, INTS: 7 } as const;

/** The bytes of a model (onnx.proto, `ModelProto`): the same graph is always the same bytes. */
export function encodeModel(graph: GraphModel): Uint8Array {
  return new MessageWriter()
    .int(1, IR_VERSION)
    .string(2, 'chimera')
    .message(7, (proto) => {
      for (const node of graph.nodes) proto.message(1, (message) => writeNode(message, node));
      proto.string(2, 'graph');
      for (const initializer of graph.initializers) proto.message(5, (message) => writeTensor(message, initializer));
      for (const input of graph.inputs) proto.message(11, (message) => writeValue(message, input));
      for (const output of graph.outputs) proto.message(12, (message) => writeValue(message, output));
    })
    .message(8, (opset) => opset.string(1, '').int(2, OPSET))
    .message(8, (opset) => opset.string(1, 'com.microsoft').int(2, 1))
    .finish();
}

function writeNode(message: MessageWriter, { inputs, outputs, operator, attributes, domain }: GraphNode): void {
  for (const input of inputs) message.string(1, input);
  for (const output of outputs) message.string(2, output);
  message.string(4, operator);
  for (const [name, value] of Object.entries(attributes)) {
    message.message(5, (attribute) => writeAttribute(attribute.string(1, name), value));
  }
  if (domain !== '') message.string(7, domain);
}

function writeAttribute(message: MessageWriter, value: Attribute): void {
  if (typeof value === 'number') message.int(3, value).int(20, AttributeType.INT);
  else if (typeof value === 'string') message.string(4, value).int(20, AttributeType.STRING);
  else if ('float' in value) message.float(2, value.float).int(20, AttributeType.FLOAT);
  else if ('tensor' in value) {
    message.message(5, (tensor) => writeTensor(tensor, value.tensor)).int(20, AttributeType.TENSOR);
  } else {
    for (const item of value) message.int(8, item);
    message.int(20, AttributeType.INTS);
  }
}

function writeTensor(message: MessageWriter, { name, type, shape, data }: Initializer): void {
  for (const dimension of shape) message.int(1, dimension);
  message.int(2, type).string(8, name);
  if (data instanceof Uint8Array) {
    message.bytes(9, data);
    return;
  }
  const { location, offset, length } = data;
  for (const [key, value] of Object.entries({ location, offset, length })) {
    message.message(13, (entry) => entry.string(1, key).string(2, String(value)));
  }
  message.int(14, 1);
}

function writeValue(message: MessageWriter, { name, type, shape }: ValueInfo): void {
  message.string(1, name).message(2, (proto) =>
    proto.message(1, (tensor) =>
      tensor.int(1, type).message(2, (dimensions) => {
        for (const size of shape) {
          dimensions.message(1, (dimension) =>
            typeof size === 'number' ? dimension.int(1, size) : dimension.string(2, size),
          );
        }
      }),
    ),
  );
}
