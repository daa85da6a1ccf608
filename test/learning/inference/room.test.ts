import { deepEqual } from 'node:assert/strict';
import { Room } from '../../../src/learning/inference/room.ts';

describe('room for generations', () => {
  let started: string[];
  const take = (room: Room, name: string, bytes: number): (() => void) => room.take(bytes, () => started.push(name));

  beforeEach(() => {
    started = [];
  });

  it('is for so many bytes, in the order of those who come', () => {
    const room = new Room(8, 10);
    const leaveA = take(room, 'a', 6);
    take(room, 'b', 6);
    take(room, 'c', 1);
    deepEqual(started, ['a']);
    leaveA();
    deepEqual(started, ['a', 'b', 'c']);
  });

  it('is for so many at a time', () => {
    const room = new Room(2, 10);
    const leave = ['a', 'b', 'c', 'd'].map((name) => take(room, name, 1));
    deepEqual(started, ['a', 'b']);
    leave[1]!();
    deepEqual(started, ['a', 'b', 'c']);
  });

  it('is there for one that is alone, whatever it takes', () => {
    const room = new Room(2, 10);
    const leave = take(room, 'a', 100);
    const leaveB = take(room, 'b', 100);
    take(room, 'c', 10);
    leave();
    deepEqual(started, ['a', 'b']);
    leaveB();
    deepEqual(started, ['a', 'b', 'c']);
  });

  it('is given back once, and nobody waits for who has left the queue', () => {
    const room = new Room(8, 10);
    const leaveA = take(room, 'a', 6);
    const leaveB = take(room, 'b', 6);
    take(room, 'c', 4);
    leaveB();
    deepEqual(started, ['a', 'c']);
    take(room, 'd', 6);
    leaveA();
    leaveA();
    take(room, 'e', 6);
    deepEqual(started, ['a', 'c', 'd']);
  });
});
