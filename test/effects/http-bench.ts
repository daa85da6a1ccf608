import assert from 'node:assert/strict';
import { isChimeraError, type ErrorCode } from '../../src/contracts/errors.ts';
import type { JsonObject, JsonValue } from '../../src/contracts/records.ts';
import type { EffectAnswer } from '../../src/effects/answer.ts';
import { Breakers } from '../../src/effects/breaker.ts';
import { parseReachable } from '../../src/effects/http/addresses.ts';
import { HTTP_LIMITS, performHttp, type HttpPolicy } from '../../src/effects/http/perform.ts';
import { parseHttpRequest } from '../../src/effects/http/request.ts';
import type { Resolve } from '../../src/effects/http/resolve.ts';
import { answer, ScriptedServer, type Script } from './scripted-server.ts';

export interface Case {
  readonly name: string;
  readonly request: JsonValue | (() => JsonValue);
  /** What the server does at /x. */
  readonly script?: Script;
  readonly policy?: () => Partial<HttpPolicy>;
}

/** `host.test` and the names below it are loopback, others do not exist. */
const resolve: Resolve = (host) =>
  host.endsWith('host.test')
    ? Promise.resolve([{ address: '127.0.0.1', family: 4 }])
    : Promise.reject(new Error('ENOTFOUND'));

/** Two servers on loopback, for one file of tests: `server` is opened by the operator, `inside` is not. */
export class HttpBench {
  server!: ScriptedServer;
  inside!: ScriptedServer;

  constructor() {
    before(async () => {
      this.server = await ScriptedServer.start();
      this.inside = await ScriptedServer.start();
      this.inside.on('/secret', answer(200, 'secret'));
    });
    after(async () => {
      await this.server.stop();
      await this.inside.stop();
    });
  }

  /** A path of `server`. */
  at(path: string): string {
    return `http://host.test:${this.server.port}${path}`;
  }

  policy(changes: Partial<HttpPolicy> = {}): HttpPolicy {
    return {
      ...HTTP_LIMITS,
      allow: [`http://host.test:${this.server.port}`, `http://other.host.test:${this.server.port}`],
      reachable: parseReachable([`127.0.0.1:${this.server.port}`]),
      breakers: new Breakers(),
      retryDelaysMs: [],
      timeoutMs: 5000,
      resolve,
      ...changes,
    };
  }

  /** Parses and performs, as the activity does. */
  async perform(value: JsonValue, policy: HttpPolicy = this.policy()): Promise<EffectAnswer> {
    try {
      const call = { idempotencyKey: 'execution/1/0', signal: new AbortController().signal, project: 'p' };
      return await performHttp(parseHttpRequest(value), policy, call);
    } catch (error) {
      if (!isChimeraError(error, 'CHIMERA_INVALID_INPUT')) throw error;
      return { ok: false, code: error.code, message: error.message };
    }
  }

  /** A good request goes through, with the same circuits. */
  async goesOn({ breakers }: HttpPolicy): Promise<void> {
    assert.equal(textOf(await this.perform({ url: this.at('/good') }, this.policy({ breakers }))), 'good');
  }

  /** Cases that one wall stops with the same code; the message says which wall it was. */
  stopped(wall: string, code: ErrorCode, message: RegExp, cases: readonly Case[]): void {
    for (const { name, request, script, policy: changes } of cases)
      it(`${name}: ${wall}`, async () => {
        if (script !== undefined) this.server.on('/x', script);
        const policy = this.policy(changes?.());
        const { connections } = this.inside;
        const result = await this.perform(typeof request === 'function' ? request() : request, policy);
        assert.ok(!result.ok, `went through: ${JSON.stringify(result)}`);
        assert.equal(result.code, code, result.message);
        assert.match(result.message, message);
        assert.doesNotMatch(
          result.message,
          /\bE(?:CONN|NOT|TIME|HOST|PIPE|AI_)|HPE_|getaddrinfo|SSL/,
          'names errors of the system',
        );
        assert.equal(this.inside.connections, connections, 'reached what nobody opened');
        await this.goesOn(policy);
      });
  }
}

export function textOf(result: EffectAnswer): JsonValue | undefined {
  assert.ok(result.ok, JSON.stringify(result));
  return (result.body as JsonObject)['text'];
}
