import { ChimeraError, invalidInput } from '../../contracts/errors.ts';
import type { OnCost, RemoteProvider } from '../remote/types.ts';
import type { InferenceService, ModelChoice } from './types.ts';

/**
 * One service over the models of this platform and of remote providers, by the name of the base: a provider's models have the names
 * that the manifest gives them, every other one is local. What a remote call cost goes to `onCost`. Making one is cheap, so
 * that each caller can have one with its own account; closing it closes what it is over.
 * @throws {ChimeraError} CHIMERA_INVALID_INPUT where two providers have a model of the same name
 */
export function routeInference(
  local: InferenceService | undefined,
  remotes: readonly RemoteProvider[],
  onCost?: OnCost,
): InferenceService {
  const names = remotes.flatMap(({ models }) => models.map(({ choice }) => choice.base));
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  if (twice.length > 0)
    throw invalidInput(
      'the models of providers',
      twice.map((name) => ({ path: '', message: `${name} is there twice` })),
    );
  const byName = new Map(
    remotes.flatMap((remote) => remote.models.map(({ choice }): [string, RemoteProvider] => [choice.base, remote])),
  );
  const remoteOf = ({ base, adapter }: ModelChoice): RemoteProvider | undefined =>
    adapter === undefined ? byName.get(base) : undefined;
  const localFor = ({ base }: ModelChoice): InferenceService => {
    if (local === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'model', name: base });
    return local;
  };
  return {
    embed: async (request) => remoteOf(request.model)?.embed(request, onCost) ?? localFor(request.model).embed(request),
    classify: async (request) => localFor(request.model).classify(request),
    generate: async (request) =>
      remoteOf(request.model)?.generate(request, onCost) ?? localFor(request.model).generate(request),
    close: async () => {
      await Promise.all([...remotes, ...(local === undefined ? [] : [local])].map((service) => service.close()));
    },
  };
}
