import type { JsonObject } from '../contracts/records.ts';
import type { EffectRequest, EffectResult, Suspension } from '../core/execution/types.ts';
import type { ExecutionPosition } from '../stores/index.ts';

interface WrittenResult {
  ok: boolean;
  body: string;
  scores: number[];
}

interface Written {
  checkpoint: Omit<Suspension['checkpoint'], 'state'>;
  asked: EffectRequest[];
  answers: (WrittenResult | null)[];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A suspension as it is stored: the agent's state as bytes, all else as JSON. */
export function writePosition({ checkpoint, asked, answers }: Suspension): ExecutionPosition {
  const { state, ...rest } = checkpoint;
  const written: Written = {
    checkpoint: rest,
    asked: [...asked],
    answers: answers.map((answer) =>
      answer === undefined ? null : { ok: answer.ok, body: decoder.decode(answer.body), scores: [...answer.scores] },
    ),
  };
  const suspension = written as unknown as JsonObject;
  return { turn: checkpoint.turn, fuel: checkpoint.fuel, agentState: state, suspension };
}

export function readPosition({ agentState, suspension }: ExecutionPosition): Suspension {
  const { checkpoint, asked, answers } = suspension as unknown as Written;
  return {
    // A Buffer of the database would be one in the sandbox, too.
    checkpoint: { ...checkpoint, state: new Uint8Array(agentState) },
    asked,
    answers: answers.map((answer): EffectResult | undefined =>
      answer === null
        ? undefined
        : { ok: answer.ok, body: encoder.encode(answer.body), scores: Float64Array.from(answer.scores) },
    ),
  };
}
