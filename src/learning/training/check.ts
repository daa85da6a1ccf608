import { z } from 'zod';
import { ChimeraError, invalidInput, type Problem } from '../../contracts/errors.ts';
import { adapterSpec } from '../../contracts/adapters.ts';
import type { Adapter } from '../adapters/types.ts';
import type { TokenExample } from './examples.ts';
import { layoutOf, type Layout } from './trainables.ts';
import type { TrainerOptions } from './types.ts';

/** Problems that are named of a list of examples. */
const NAMED = 20;

/**
 * Does everything fit that a run is given? What is trained, where it does.
 * @throws `CHIMERA_INVALID_INPUT` that names every problem; `CHIMERA_NO_DATA` without examples
 */
export function checkedLayout(options: TrainerOptions): Layout {
  const { base, spec, data, from } = options;
  const parsed = adapterSpec.safeParse(spec);
  refuse('the adapter specification', parsed.success ? [] : issuesOf(parsed.error));
  if (data.train.length === 0 || data.validation.length === 0) {
    throw new ChimeraError('CHIMERA_NO_DATA', {
      why: `${data.train.length} training and ${data.validation.length} validation examples`,
    });
  }
  const wanted = spec.task === 'classification' ? 'encoder' : 'decoder';
  const isClassification = spec.task === 'classification';
  refuse('the adapter specification', [
    ...when(
      base.config.family !== wanted,
      `a ${spec.task} task needs a base that is ${wanted === 'encoder' ? 'an' : 'a'} ${wanted}`,
    ),
    ...when(spec.maxTokens > base.config.positions, `the base takes ${base.config.positions} tokens at most`),
    ...when(base.precision !== spec.precision, `the base is loaded in ${base.precision}`),
    ...when(spec.packing && spec.task !== 'causal', 'only texts of a causal task can be packed'),
    ...when(isClassification && data.labels.length < 2, 'a classification needs two labels or more'),
    ...when(!isClassification && data.labels.length > 0, `a ${spec.task} task has no labels`),
  ]);
  const layout = layoutOf(base.config, spec, data.labels.length);
  for (const part of ['train', 'validation'] as const) {
    const problems = data[part].flatMap((example, index) => exampleProblems(example, options, index));
    refuse(part === 'train' ? 'the training examples' : 'the validation examples', problems.slice(0, NAMED));
  }
  if (from !== undefined) refuse('the adapter to go on from', fromProblems(from, options, layout));
  return layout;
}

function exampleProblems(
  { rows, label }: TokenExample,
  { base, spec, data }: TrainerOptions,
  index: number,
): Problem[] {
  const path = `/${index}`;
  const { vocabulary } = base.config;
  const isClassification = spec.task === 'classification';
  const count = spec.task === 'preference' ? 2 : 1;
  const isKnown = label !== undefined && data.labels[label] !== undefined;
  return [
    ...when(rows.length !== count, `a ${spec.task} example has ${count} of rows, not ${rows.length}`, path),
    ...when(isClassification && !isKnown, `there is no label ${label}`, path),
    ...rows.flatMap(({ tokens, given }) => [
      ...when(tokens.length === 0, 'it has no tokens', path),
      ...when(tokens.length > spec.maxTokens, `${tokens.length} tokens are more than ${spec.maxTokens}`, path),
      ...when(
        tokens.some((token) => !(Number.isInteger(token) && token >= 0 && token < vocabulary)),
        `it has a token that is none of the base's ${vocabulary}`,
        path,
      ),
      ...when(!isClassification && !(given >= 1 && given < tokens.length), 'it has nothing to predict', path),
    ]),
  ];
}

/** What keeps an adapter from being the beginning of a run: it must be what the run would train. */
function fromProblems(from: Adapter, { base, spec, data }: TrainerOptions, layout: Layout): Problem[] {
  const modules = from.targets.map(({ module }) => module);
  const labels = from.head?.labels ?? [];
  const same = (a: readonly string[], b: readonly string[]): boolean => JSON.stringify(a) === JSON.stringify(b);
  const differs = (name: 'rank' | 'alpha' | 'rankStabilised'): Problem[] =>
    when(
      from[name] !== spec[name],
      `it has ${String(from[name])}, the specification ${String(spec[name])}`,
      `/${name}`,
    );
  return [
    ...when(from.base.sha256 !== base.sha256, 'it is of another base model', '/base'),
    ...differs('rank'),
    ...differs('alpha'),
    ...differs('rankStabilised'),
    ...when(!same(modules, layout.modules), 'it updates other layers', '/targets'),
    ...when(!same(labels, data.labels), `its labels are ${labels.join(', ') || 'none'}`, '/labels'),
  ];
}

const savedHeader = z.strictObject({
  format: z.literal(1),
  run: z.string(),
  profile: z.string(),
  step: z.number().int().min(0),
  loss: z.number().nullable(),
  looks: z.array(
    z.strictObject({ step: z.number().int(), loss: z.number(), accuracy: z.number().optional() }).readonly(),
  ),
});

/** The header of a checkpoint. @throws `CHIMERA_INVALID_INPUT` where it is none */
export function checkedHeader(header: unknown): z.output<typeof savedHeader> {
  const parsed = savedHeader.safeParse(header);
  if (parsed.success) return parsed.data;
  throw invalidInput('the checkpoint', issuesOf(parsed.error));
}

const issuesOf = ({ issues }: z.ZodError): Problem[] =>
  issues.map(({ path, message }) => ({ path: `/${path.join('/')}`, message }));

const when = (wrong: boolean, message: string, path = ''): Problem[] => (wrong ? [{ path, message }] : []);

function refuse(what: string, problems: readonly Problem[]): void {
  if (problems.length > 0) throw invalidInput(what, problems);
}
