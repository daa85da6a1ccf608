import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fastify, type FastifyInstance } from 'fastify';
import { addClosing } from '../../src/gateway/closing.ts';
import { registerRoutes, route } from '../../src/gateway/route.ts';

describe('a gateway that is closed while it answers', () => {
  const agent = new Agent({ keepAlive: true });
  after(() => agent.destroy());

  const ask = async (app: FastifyInstance): Promise<IncomingMessage> => {
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    const asked = request(`${url}/talk`, { agent });
    asked.end();
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    return answer;
  };

  it('ends the answer, and the connection, which would be kept for more', async () => {
    const app = fastify({ forceCloseConnections: 'idle' });
    const talk = route({
      ...{ method: 'GET', path: '/talk', summary: '', tag: '', open: true, responses: {} },
      handle: ({ signal }: { signal: AbortSignal }) => {
        const body = new Readable({ read() {} });
        body.push('more ');
        signal.addEventListener('abort', () => {
          body.push('no more');
          body.push(null);
        });
        return Promise.resolve({ status: 200, body, type: 'text/plain' });
      },
    } as never);
    registerRoutes(app, [talk], () => ({ project: 'p', keyName: 'k' }));
    const answer = await ask(app);
    const begun = performance.now();
    const [said] = await Promise.all([text(answer), app.close()]);
    assert.equal(said, 'more no more');
    // The kept connection would live for 72 s.
    assert.ok(performance.now() - begun < 4000, `${performance.now() - begun} ms`);
  });

  it('cuts an answer that does not end', async () => {
    const app = fastify({ forceCloseConnections: 'idle' });
    addClosing(app, 10);
    app.get('/talk', (_request, reply) => {
      const body = new Readable({ read() {} });
      body.push('for ever ');
      return reply.send(body);
    });
    const answer = await ask(app);
    const cut = once(answer, 'error');
    answer.resume();
    await app.close();
    const [error] = (await cut) as [Error];
    assert.equal(error.message, 'aborted');
  });
});
