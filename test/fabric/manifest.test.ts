import assert from 'node:assert/strict';
import { isChimeraError } from '../../src/contracts/errors.ts';
import type { EffectKind } from '../../src/contracts/records.ts';
import { parseManifest } from '../../src/fabric/manifest.ts';

function problemsOf(part: Record<string, unknown>): string[] {
  const manifest = {
    abi: 'chimera:agent@1',
    description: 'asks the world',
    capabilities: [],
    models: {},
    limits: {},
    engine: 'any',
    ...part,
  };
  try {
    parseManifest(manifest);
  } catch (error) {
    assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'), String(error));
    return (error.details.problems ?? []).map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

const granted = (...capabilities: EffectKind[]): { capabilities: EffectKind[] } => ({ capabilities });

describe("an agent's manifest", () => {
  it('needs neither an allow-list nor tools', () => {
    assert.deepEqual(problemsOf(granted('infer')), []);
    assert.deepEqual(
      problemsOf({
        ...granted('http', 'tool'),
        http: { allow: ['https://*.example.com', 'http://stock:8080/v1'] },
        tools: ['search', 'crm.find'],
      }),
      [],
    );
  });

  it('may not have a capability that reaches nothing, nor a list that nothing may use', () => {
    assert.deepEqual(problemsOf(granted('http', 'tool')), [
      '/http/allow: the capability http needs entries',
      '/tools: the capability tool needs names',
    ]);
    assert.deepEqual(problemsOf({ http: { allow: ['https://a.example'] }, tools: ['search'] }), [
      '/http: needs the capability http',
      '/tools: needs the capability tool',
    ]);
    assert.deepEqual(problemsOf({ ...granted('http', 'tool'), http: { allow: [] }, tools: [] }), [
      '/http/allow: must have an entry',
      '/tools: must have 1 to 64 names',
    ]);
  });

  it('is refused with every wrong entry', () => {
    assert.deepEqual(
      problemsOf({
        ...granted('http', 'tool'),
        http: { allow: ['https://EXAMPLE.com', 'https://a.example', 'https://*.com'] },
        tools: ['search', 'Search', 'search'],
      }),
      [
        '/http/allow/0: must be written as https://example.com',
        '/http/allow/2: a wildcard needs two labels behind it',
        '/tools/1: is not the name of a tool',
        '/tools/2: is there twice',
      ],
    );
    assert.match(problemsOf({ ...granted('tool'), tools: ['a', null] })[0]!, /^\/tools\/1: /);
    assert.match(problemsOf({ ...granted('http'), http: { allow: 'https://a.example' } })[0]!, /^\/http\/allow: /);
    assert.match(problemsOf({ ...granted('http'), http: { allow: [], deny: [] } })[0]!, /^\/http: .*deny/);
  });

  it('keeps its hash where it has neither', () => {
    const manifest = parseManifest({ description: '' });
    assert.deepEqual(Object.keys(manifest).sort(), [
      'abi',
      'capabilities',
      'description',
      'engine',
      'limits',
      'models',
    ]);
  });
});
