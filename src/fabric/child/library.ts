import { ChimeraError } from '../../contracts/errors.ts';
import type { ExecutionLimits, JsonObject } from '../../contracts/records.ts';
import { effectiveLimits } from '../../core/execution/limits.ts';
import type { AgentModule } from '../abi/instance.ts';
import { createStepEngine } from '../abi/step.ts';
import type { SyncStepEngine } from '../abi/step.ts';
import { guardModule } from '../guard/guard.ts';
import type { GuardedModule } from '../guard/guard.ts';
import type { AgentRef, TaskTypeRef } from '../jobs.ts';
import { LruMap } from '../lru.ts';
import type { Blob } from '../protocol.ts';
import type { Compile } from './compile.ts';
import type { ChildServices, InferenceModel } from './services.ts';

export interface ReadyAgent {
  readonly engine: SyncStepEngine;
  readonly limits: ExecutionLimits;
  readonly priceVersion: number;
}

/** Content that the parent delivered, by hash, and what was made of it. The parent says what goes. */
export class Library {
  readonly compile: Compile;
  readonly #services: ChildServices;
  readonly #blobs = new Map<string, Uint8Array>();
  readonly #models = new Map<string, InferenceModel>();
  readonly #modules = new LruMap<string, { guarded: GuardedModule; compiled: AgentModule }>(512, ({ compiled }) =>
    compiled.release(),
  );
  // Keys are the texts as they come: an order of members of its own costs a second entry, and a canonical text more than a run.
  readonly #validators = new LruMap<string, ReturnType<ChildServices['validator']>>(64);
  readonly #preparations = new LruMap<string, ReturnType<ChildServices['preparation']>>(64);

  constructor(services: ChildServices, compile: Compile) {
    this.#services = services;
    this.compile = compile;
  }

  add(blobs: readonly Blob[]): void {
    for (const { sha256, bytes } of blobs) this.#blobs.set(sha256, bytes);
  }

  evict(sha256s: readonly string[]): void {
    for (const sha256 of sha256s) {
      this.#blobs.delete(sha256);
      this.#models.delete(sha256);
    }
  }

  /**
   * The agent with the limits in force. Every module is guarded here, in the process that compiles it: whatever the
   * stores or the parent hold, nothing unguarded is ever run.
   */
  agent({ sha256, manifest }: AgentRef, taskLimits: Partial<ExecutionLimits> = {}): ReadyAgent {
    const limits = effectiveLimits(taskLimits, manifest.limits);
    const { guarded, compiled } = this.#modules.getOrMake(`${sha256}:${limits.memoryPages}`, () => {
      const made = guardModule(this.#bytes(sha256), { memoryPages: limits.memoryPages });
      return { guarded: made, compiled: this.compile(made) };
    });
    return {
      engine: createStepEngine(compiled, guarded, limits),
      limits,
      priceVersion: guarded.priceVersion,
    };
  }

  model(sha256: string): InferenceModel {
    const known = this.#models.get(sha256);
    if (known !== undefined) return known;
    const model = this.#services.model(this.#bytes(sha256));
    this.#models.set(sha256, model);
    return model;
  }

  validator(schema: JsonObject): ReturnType<ChildServices['validator']> {
    return this.#validators.getOrMake(JSON.stringify(schema), () => this.#services.validator(schema));
  }

  preparation(taskType: TaskTypeRef): ReturnType<ChildServices['preparation']> {
    const { preprocess, features } = taskType;
    return this.#preparations.getOrMake(JSON.stringify([preprocess, features]), () =>
      this.#services.preparation(taskType),
    );
  }

  #bytes(sha256: string): Uint8Array {
    const bytes = this.#blobs.get(sha256);
    if (bytes === undefined) throw new ChimeraError('CHIMERA_INTERNAL', { why: `blob ${sha256} was not delivered` });
    return bytes;
  }
}
