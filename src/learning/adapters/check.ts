import type { Problem } from '../../contracts/errors.ts';
import { linearModules, linearShape } from '../architecture/base.ts';
import type { ModelConfig } from '../architecture/config.ts';
import type { Adapter, ClassifierHead } from './types.ts';

const MODULE = /^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$/;
const MAX_MODULES = 2000;
const MAX_MODULE = 160;
const MAX_LABELS = 1000;
const MAX_LABEL = 200;
const MAX_SIZE = 1 << 24;

/** Everything that is wrong with an adapter in itself: sizes that do not fit each other, values that are not finite, names. */
export function adapterProblems(adapter: Adapter): Problem[] {
  const { rank, alpha, base, targets, head } = adapter;
  const modules = targets.map(({ module }) => module);
  return [
    ...when(!isSize(rank), '/rank', `${rank} is not an integer from 1 to ${MAX_SIZE}`),
    ...when(!(Number.isFinite(alpha) && alpha > 0), '/alpha', `${alpha} is not a positive number`),
    ...when(!/^[0-9a-f]{64}$/.test(base.sha256), '/base/sha256', 'must be 64 lower-case hexadecimal digits'),
    ...when(base.name === '' || !base.name.isWellFormed(), '/base/name', 'must be a text that is not empty'),
    ...when(targets.length > MAX_MODULES, '/targets', `${targets.length} are more than ${MAX_MODULES}`),
    ...when(
      modules.some((module, i) => i > 0 && module <= modules[i - 1]!),
      '/targets',
      'must be in the order of their names, each once',
    ),
    ...targets.flatMap(({ module, inputs, outputs, a, b }) => {
      const path = `/targets/${module}`;
      return [
        ...when(!MODULE.test(module) || module.length > MAX_MODULE, path, 'is not the name of a layer'),
        ...when(!isSize(inputs) || !isSize(outputs), path, `[${outputs}, ${inputs}] is not the shape of a matrix`),
        ...tensorProblems(`${path}/a`, a, [rank, inputs]),
        ...tensorProblems(`${path}/b`, b, [outputs, rank]),
      ];
    }),
    ...when(targets.length === 0 && head === undefined, '/targets', 'it holds neither updates nor a head'),
    ...(head === undefined ? [] : headProblems(head)),
    ...when(head !== undefined && adapter.task !== 'classification', '/head', `a ${adapter.task} adapter has no head`),
  ];
}

function headProblems({ labels, weight, bias }: ClassifierHead): Problem[] {
  const hidden = weight.length / labels.length;
  return [
    ...when(
      labels.length < 2 || labels.length > MAX_LABELS || new Set(labels).size !== labels.length,
      '/head/labels',
      `must be 2 to ${MAX_LABELS}, each once`,
    ),
    ...when(
      labels.some((label) => label === '' || label.length > MAX_LABEL || !label.isWellFormed()),
      '/head/labels',
      `each must be a text of 1 to ${MAX_LABEL} characters`,
    ),
    ...when(!isSize(hidden), '/head/weight', `${weight.length} values are no rows for ${labels.length} labels`),
    ...when(!allFinite(weight), '/head/weight', 'holds a value that is not finite'),
    ...tensorProblems('/head/bias', bias, [labels.length]),
  ];
}

/** Everything that keeps an adapter from updating a base of this architecture: layers it does not have, or not in this shape. */
export function fitProblems({ targets, head }: Adapter, config: ModelConfig): Problem[] {
  const known = new Set(linearModules(config));
  return [
    ...targets.flatMap(({ module, inputs, outputs }) => {
      const path = `/targets/${module}`;
      if (!known.has(module)) return [{ path, message: 'the base has no such layer' }];
      const expected = linearShape(config, module);
      const fits = expected.outputs === outputs && expected.inputs === inputs;
      const shape = `[${expected.outputs}, ${expected.inputs}]`;
      return when(!fits, path, `it updates a matrix [${outputs}, ${inputs}], the base has ${shape}`);
    }),
    ...when(head !== undefined && config.family !== 'encoder', '/head', 'the base is not an encoder'),
    ...when(
      head !== undefined && head.weight.length !== head.labels.length * config.hidden,
      '/head/weight',
      `must be [labels, ${config.hidden}]`,
    ),
  ];
}

function tensorProblems(path: string, data: Float32Array, shape: readonly number[]): Problem[] {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  return [
    ...when(data.length !== size, path, `${data.length} values do not make [${shape.join(', ')}]`),
    ...when(!allFinite(data), path, 'holds a value that is not finite'),
  ];
}

const isSize = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= MAX_SIZE;
const allFinite = (data: Float32Array): boolean => data.every(Number.isFinite);

const when = (wrong: boolean, path: string, message: string): Problem[] => (wrong ? [{ path, message }] : []);
