import type { TrapKind } from '../../core/execution/types.ts';

/** What the glue finds wrong with an answer of the agent: caught at the engine's edge and turned into a result. */
export class Trap extends Error {
  readonly kind: TrapKind;

  constructor(kind: TrapKind, message: string) {
    super(message);
    this.kind = kind;
  }
}
