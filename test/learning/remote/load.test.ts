import assert from 'node:assert/strict';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { loadProviders, type ProviderDeclaration } from '../../../src/learning/remote/load.ts';
import { chat, json, startRemoteServer } from './server.ts';

const declared = (baseUrl: string, apiKeyFrom?: string): ProviderDeclaration => ({
  name: 'vendor',
  baseUrl,
  apiKeyFrom,
  timeout: 5_000,
  retries: 0,
  models: [
    {
      name: 'talker',
      remoteName: 'talker-1',
      tasks: ['generation'],
      pricePerMillionPromptTokens: 1,
      pricePerMillionCompletionTokens: 1,
      lengthParameter: 'max_completion_tokens',
    },
  ],
});

describe('learning: declared providers', () => {
  it('are refused with every key that is missing or none, and tell no value', () => {
    const declarations = ['A_KEY', 'B_KEY', 'C_KEY', undefined].map((from) => declared('http://127.0.0.1:1/v1', from));
    assert.throws(
      () => loadProviders(declarations, { B_KEY: 'sk-secret\nsk-other', C_KEY: 'sk-fine' }),
      (error) => {
        assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'));
        assert.deepEqual(error.details.problems, [
          { path: '/providers/0/apiKeyFrom', message: 'the environment variable A_KEY is not set' },
          {
            path: '/providers/1/apiKeyFrom',
            message: 'the environment variable B_KEY has characters that no key has',
          },
        ]);
        assert.doesNotMatch(JSON.stringify(error) + error.message, /sk-/);
        return true;
      },
    );
  });

  it('send their key and the limit by the name that the provider knows', async () => {
    const server = await startRemoteServer();
    try {
      server.behave(json(chat('hello')));
      const [open, keyed] = loadProviders([declared(server.baseUrl), declared(server.baseUrl, 'KEY')], { KEY: 'sk-1' });
      for (const provider of [open!, keyed!])
        await provider.generate({
          model: { base: 'talker' },
          prompt: [{ role: 'user', content: 'hello' }],
          maxTokens: 5,
          temperature: 1,
          topP: 1,
          stop: [],
          seed: 'a seed in words',
        });
      assert.deepEqual(
        server.asked.map(({ headers }) => headers.authorization),
        [undefined, 'Bearer sk-1'],
      );
      const { seed, ...body } = server.asked[0]!.body;
      assert.deepEqual(body, {
        model: 'talker-1',
        messages: [{ role: 'user', content: 'hello' }],
        max_completion_tokens: 5,
      });
      assert.ok(Number.isInteger(seed));
      assert.equal(server.asked[1]!.body['seed'], seed);
    } finally {
      await server.close();
    }
  });
});
