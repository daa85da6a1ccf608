// What the host calls: the exports of `wit/agent.wit`, flattened after the canonical ABI. There is nothing to change here.
import { Event, TaskInput, liftNumbers, liftResult, liftText } from './abi';
import { step as turn } from './agent';

/** Room for what the host writes. Every step has an instance of its own, so that nothing is ever freed. */
export function cabi_realloc(old: usize, oldSize: usize, alignment: usize, size: usize): usize {
  const room = heap.alloc(size);
  memory.copy(room, old, oldSize);
  return room;
}

/** `body` is 0 for a task (payload, features) and 1 for effect results (a list; the last two parameters are unused). */
export function step(
  state: usize,
  stateLength: usize,
  turnNumber: u32,
  seed: u64,
  time: u64,
  body: u32,
  first: usize,
  firstLength: i32,
  second: usize,
  secondLength: i32,
): usize {
  const event = new Event(turnNumber, seed, time);
  if (body == 0) event.start = new TaskInput(liftText(first, firstLength), liftNumbers(second, secondLength));
  else for (let i = 0; i < firstLength; i++) event.results.push(liftResult(first + 20 * i));
  return turn(liftText(state, stateLength), event).lower();
}
