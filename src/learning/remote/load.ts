import { invalidInput, type Problem } from '../../contracts/errors.ts';
import { createRemoteProvider } from './provider.ts';
import type { RemoteModel, RemoteProvider } from './types.ts';

/** An entry of the section `providers` of temporal.yaml, its shape checked. */
export interface ProviderDeclaration {
  readonly name: string;
  readonly baseUrl: string;
  /** Name of the environment variable that holds the key; absent where the service wants none. */
  readonly apiKeyFrom?: string | undefined;
  /** Milliseconds. */
  readonly timeout: number;
  readonly retries: number;
  readonly models: readonly RemoteModel[];
}

const FIRST_DELAY_MS = 500;
const MOST_DELAY_MS = 20_000;
const ANSWER_BYTES = 64 << 20;

/**
 * The providers of a manifest, with their keys from the environment. Throws `CHIMERA_INVALID_INPUT` with every key that is missing
 * or no key; the value of none is told.
 */
export function loadProviders(
  declarations: readonly ProviderDeclaration[],
  environment: Readonly<Record<string, string | undefined>>,
): RemoteProvider[] {
  const problems = declarations.flatMap(({ apiKeyFrom }, index): Problem[] => {
    const why = apiKeyFrom === undefined ? undefined : keyProblem(environment[apiKeyFrom]);
    return why === undefined
      ? []
      : [{ path: `/providers/${index}/apiKeyFrom`, message: `the environment variable ${apiKeyFrom} ${why}` }];
  });
  if (problems.length > 0) throw invalidInput('the section providers', problems);
  return declarations.map(({ name, baseUrl, apiKeyFrom, timeout, retries, models }) => {
    const apiKey = apiKeyFrom === undefined ? undefined : environment[apiKeyFrom];
    return createRemoteProvider({
      name,
      baseUrl,
      ...(apiKey === undefined ? {} : { apiKey }),
      models,
      timeoutMs: timeout,
      // The process as well: not all of them should come back at the same moment.
      retries: { count: retries, firstDelayMs: FIRST_DELAY_MS, mostDelayMs: MOST_DELAY_MS, seed: `${process.pid}` },
      answerBytes: ANSWER_BYTES,
    });
  });
}

function keyProblem(key: string | undefined): string | undefined {
  if (key === undefined || key === '') return 'is not set';
  return /^[\x21-\x7e]+$/.test(key) ? undefined : 'has characters that no key has';
}
