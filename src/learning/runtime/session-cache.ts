import type { GraphModel } from '../onnx/types.ts';
import { openSession, type Session, type SessionOptions } from './session.ts';

/** Each holds prepared copies of weights. */
const KEPT = 4;

/** The sessions of a run by the shapes they are for. The one that was used longest ago makes room. */
export class SessionCache {
  readonly #options: SessionOptions;
  readonly #sessions = new Map<string, Promise<Session>>();

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  async get(key: string, build: () => GraphModel): Promise<Session> {
    const known = this.#sessions.get(key);
    this.#sessions.delete(key);
    const session = known ?? openSession(build(), this.#options);
    this.#sessions.set(key, session);
    if (this.#sessions.size > KEPT) {
      const [oldest, unused] = this.#sessions.entries().next().value!;
      this.#sessions.delete(oldest);
      await (await unused).release();
    }
    return session;
  }

  async release(): Promise<void> {
    const open = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const session of open) await (await session).release();
  }
}
