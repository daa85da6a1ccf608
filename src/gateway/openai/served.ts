import type { AdapterSpec } from '../../contracts/adapters.ts';
import { modelName } from '../../contracts/names.ts';
import type { ModelConfig } from '../../learning/architecture/config.ts';
import type { ServedModel } from '../../learning/inference/types.ts';
import type { Stores } from '../../stores/index.ts';

const TASKS = {
  encoder: ['embedding'],
  decoder: ['generation'],
  classification: ['classification'],
  causal: ['generation'],
  preference: ['generation'],
} as const;

/** The models of a project that can be asked: its active base models by their names, and adapters as `name@` and eight digits. */
export async function servedModels({ baseModels, models }: Stores, project: string): Promise<ServedModel[]> {
  const bases = (await baseModels.list(project)).filter(({ state }) => state === 'active');
  const adapters = (await models.list(project)).filter(({ spec }) => spec['kind'] === 'adapter');
  return [
    ...bases.map(({ name, version, config }) => ({
      name,
      choice: { base: name, version },
      tasks: TASKS[(config as unknown as ModelConfig).family],
    })),
    ...adapters.map(({ id, name, spec }) => {
      const { base, task } = spec as unknown as AdapterSpec;
      return { name: modelName({ name, id }), choice: { base, adapter: id }, tasks: TASKS[task] };
    }),
  ];
}
