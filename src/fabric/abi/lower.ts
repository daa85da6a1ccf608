import type { StepEvent } from '../../core/execution/types.ts';
import type { AgentInstance } from './instance.ts';
import { Trap } from './trap.ts';

const EFFECT_RESULT_BYTES = 20;

/** Room in the agent's memory, by its own allocator, whose answer is not trusted. */
function allocate(agent: AgentInstance, alignment: number, size: number): number {
  const pointer = agent.realloc(0, 0, alignment, size) >>> 0;
  if (pointer % alignment !== 0)
    throw new Trap('bad-outcome', `cabi_realloc gave a pointer not aligned to ${alignment}`);
  if (pointer + size > agent.memory.byteLength) {
    throw new Trap('bad-outcome', 'cabi_realloc gave memory that does not exist');
  }
  return pointer;
}

function lowerBytes(agent: AgentInstance, bytes: Uint8Array): number {
  const pointer = allocate(agent, 1, bytes.length);
  if (bytes.length > 0) new Uint8Array(agent.memory, pointer, bytes.length).set(bytes);
  return pointer;
}

function lowerDoubles(agent: AgentInstance, values: Float64Array): number {
  const pointer = allocate(agent, 8, values.length * 8);
  if (values.length > 0) new Float64Array(agent.memory, pointer, values.length).set(values);
  return pointer;
}

/**
 * Writes state and event into the agent's memory and calls `step` with them, flattened after the canonical ABI
 * (component model, CanonicalABI.md). The sequence of allocations is fixed, since the agent pays fuel for each.
 */
export function callStep(agent: AgentInstance, state: Uint8Array, event: StepEvent): number {
  const statePointer = lowerBytes(agent, state);
  const { turn, seed, body } = event;
  const time = BigInt(event.time);
  if (body.kind === 'start') {
    const { payload, features } = body;
    const payloadPointer = lowerBytes(agent, payload);
    const featuresPointer = lowerDoubles(agent, features);
    return agent.step(
      statePointer,
      state.length,
      turn,
      seed,
      time,
      0,
      payloadPointer,
      payload.length,
      featuresPointer,
      features.length,
    );
  }
  const { results } = body;
  const list = allocate(agent, 4, results.length * EFFECT_RESULT_BYTES);
  for (const [index, result] of results.entries()) {
    const bodyPointer = lowerBytes(agent, result.body);
    const scoresPointer = lowerDoubles(agent, result.scores);
    const view = new DataView(agent.memory, list + index * EFFECT_RESULT_BYTES, EFFECT_RESULT_BYTES);
    view.setUint8(0, result.ok ? 1 : 0);
    view.setUint32(4, bodyPointer, true);
    view.setUint32(8, result.body.length, true);
    view.setUint32(12, scoresPointer, true);
    view.setUint32(16, result.scores.length, true);
  }
  return agent.step(statePointer, state.length, turn, seed, time, 1, list, results.length, 0, 0);
}
