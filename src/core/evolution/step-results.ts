import { STATE } from './answers.ts';
import type { Answer } from './answers.ts';

/** Layout of `step-result` in the canonical ABI: 28 bytes, alignment 4. */
const STEP_RESULT = { size: 28, state: 0, outcome: 8, payload: 12, log: 20 } as const;
const OUTCOME = { done: 0, fail: 1, infer: 2 } as const;
const EFFECT_SIZE = 12;
const INFER = 0;

/**
 * The static data of a compiled agent: one finished `step-result` for every answer it can give, so that `step` only has
 * to return an address. Answers are placed once each, in order of first use; the state with a score in it is the one
 * place that a step writes.
 */
export class StepResults {
  /** Address of the first byte: not 0, so that no result is a null pointer. */
  static readonly BASE = 16;
  readonly #bytes: number[] = [];
  readonly #addresses = new Map<Answer, number>();
  #stateWithScore = 0;

  /** The address of the step-result that carries `answer`. */
  address(answer: Answer): number {
    const known = this.#addresses.get(answer);
    if (known !== undefined) return known;
    const [payload, length] =
      answer.kind === 'infer' ? [this.#effect(answer.bytes), 1] : [this.#place(answer.bytes, 1), answer.bytes.length];
    const state = answer.kind === 'infer' ? this.#state(answer.stage) : 0;
    const record = new Uint8Array(STEP_RESULT.size);
    const view = new DataView(record.buffer);
    view.setUint32(STEP_RESULT.state, state, true);
    view.setUint32(STEP_RESULT.state + 4, state === 0 ? 0 : STATE.size, true);
    view.setUint8(STEP_RESULT.outcome, OUTCOME[answer.kind]);
    view.setUint32(STEP_RESULT.payload, payload, true);
    view.setUint32(STEP_RESULT.payload + 4, length, true);
    const address = this.#place(record, 4);
    this.#addresses.set(answer, address);
    return address;
  }

  /** Where a step stores the first model's score before it asks the second. */
  scoreAddress(): number {
    if (this.#stateWithScore === 0) this.#stateWithScore = this.#place(stateBytes(2), 8);
    return this.#stateWithScore + STATE.scoreOffset;
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  /** The first free address after the data, 16-aligned. */
  end(): number {
    return Math.ceil((StepResults.BASE + this.#bytes.length) / 16) * 16;
  }

  #state(stage: 1 | 2): number {
    return stage === 2 ? this.scoreAddress() - STATE.scoreOffset : this.#place(stateBytes(stage), 8);
  }

  #effect(request: Uint8Array): number {
    const effect = new Uint8Array(EFFECT_SIZE);
    const view = new DataView(effect.buffer);
    view.setUint8(0, INFER);
    view.setUint32(4, this.#place(request, 1), true);
    view.setUint32(8, request.length, true);
    return this.#place(effect, 4);
  }

  #place(bytes: Uint8Array, alignment: number): number {
    while ((StepResults.BASE + this.#bytes.length) % alignment !== 0) this.#bytes.push(0);
    const address = StepResults.BASE + this.#bytes.length;
    this.#bytes.push(...bytes);
    return address;
  }
}

function stateBytes(stage: 1 | 2): Uint8Array {
  const bytes = new Uint8Array(STATE.size);
  bytes[STATE.stageOffset] = stage;
  return bytes;
}
