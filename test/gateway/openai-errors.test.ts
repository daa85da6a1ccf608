import assert from 'node:assert/strict';
import { invalidInput } from '../../src/contracts/errors.ts';
import { openAiErrorBody } from '../../src/gateway/openai/errors.ts';

describe("gateway: errors in OpenAI's form", () => {
  it('name a parameter as its clients do, whether the path begins with a / or not', () => {
    const paramOf = (path: string): string | null =>
      openAiErrorBody(invalidInput('the body', [{ path, message: 'is wrong' }])).error.param;
    assert.equal(paramOf('/messages/0/content'), 'messages[0].content');
    assert.equal(paramOf('model'), 'model');
    assert.equal(paramOf('model/adapter'), 'model.adapter');
    assert.equal(paramOf(''), null);
  });
});
