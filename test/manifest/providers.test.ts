import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { isChimeraError } from '../../src/contracts/errors.ts';
import { MANIFEST_FILE, parseManifest } from '../../src/manifest/manifest.ts';

const shipped = readFileSync(MANIFEST_FILE, 'utf8');
const withProviders = (providers: unknown): string => `${shipped}\nproviders: ${JSON.stringify(providers)}\n`;

function problemsOf(providers: unknown): string[] {
  try {
    parseManifest(withProviders(providers));
  } catch (error) {
    assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'), String(error));
    return (error.details.problems ?? []).map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

const model = { name: 'small', remoteName: 'vendor/small', tasks: ['generation'], pricePerMillionPromptTokens: 0.4 };
const provider = { name: 'vendor', baseUrl: 'https://api.example.com/v1', models: [model] };

describe('temporal.yaml declares providers of models', () => {
  it('with what is not said filled in', () => {
    assert.deepEqual(parseManifest(withProviders([provider])).providers, [
      {
        ...provider,
        timeout: 60_000,
        retries: 2,
        models: [{ ...model, pricePerMillionCompletionTokens: 0, lengthParameter: 'max_tokens' }],
      },
    ]);
    assert.deepEqual(parseManifest(shipped).providers, []);
  });

  it('as its comment shows', () => {
    const comment = shipped.slice(shipped.indexOf('# providers:'));
    const { providers } = parse(comment.replaceAll(/^# ?/gm, '')) as { providers: unknown };
    const [openai] = parseManifest(withProviders(providers)).providers;
    assert.equal(openai?.apiKeyFrom, 'OPENAI_API_KEY');
    assert.equal(openai.models[0]?.lengthParameter, 'max_completion_tokens');
  });

  it('and is refused with every problem of them', () => {
    const paths = problemsOf([
      { ...provider, baseUrl: 'ftp://example.com', apiKeyFrom: 'sk-1234', timeout: '6m', retries: -1 },
      { ...provider, baseUrl: 'https://user:secret@example.com/v1', models: [] },
      { ...provider, models: [{ ...model, name: 'a:b', tasks: ['classification'], pricePerMillionPromptTokens: -1 }] },
      { ...provider, apiKey: 'sk-1234' },
    ]).map((problem) => problem.split(':')[0]);
    assert.deepEqual(
      new Set(paths),
      new Set([
        ...['baseUrl', 'apiKeyFrom', 'timeout', 'retries'].map((member) => `/providers/0/${member}`),
        ...['/providers/1/baseUrl', '/providers/1/models'],
        ...['name', 'tasks/0', 'pricePerMillionPromptTokens'].map((member) => `/providers/2/models/0/${member}`),
        '/providers/3',
      ]),
    );
  });

  it('and is refused where a name is there twice, also with two providers', () => {
    assert.deepEqual(
      problemsOf([provider, { ...provider, name: 'other' }, { ...provider, models: [{ ...model, name: 'x' }] }]),
      ['/providers/2/name: vendor is there twice', '/providers/1/models/0/name: small is there twice'],
    );
  });
});
