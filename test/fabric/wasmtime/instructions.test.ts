import assert from 'node:assert/strict';
import { guardModule } from '../../../src/fabric/guard/guard.ts';
import { WasmtimeHost } from '../../../src/fabric/wasmtime/host.ts';
import { loadWasmtime } from '../../../src/fabric/wasmtime/library.ts';
import { OPERAND_COUNT, computing, trying } from './instructions.ts';
import type { Instruction } from './instructions.ts';
import { libraryOrSkip } from './library.ts';
import { onV8, onWasmtime } from './runs.ts';

const FUEL = 1_000_000n;

describe('fabric/wasmtime, instruction by instruction', function () {
  this.timeout(60_000);
  let host: WasmtimeHost;
  before(async function () {
    this.timeout(200_000);
    host = new WasmtimeHost(loadWasmtime(await libraryOrSkip(this)));
  });

  const pairs = Array.from({ length: OPERAND_COUNT ** 2 }, (_, index) => [
    index % OPERAND_COUNT,
    Math.floor(index / OPERAND_COUNT),
  ]);
  /** The operands for which the engines do not end alike. */
  const differing = (instructions: readonly Instruction[]): string[] => {
    const guarded = guardModule(trying(instructions), { memoryPages: 1, abi: 'any' });
    const there = onWasmtime(host, guarded);
    return pairs
      .filter(
        (args) =>
          JSON.stringify(comparable(there(args, FUEL))) !== JSON.stringify(comparable(onV8(guarded, args, FUEL))),
      )
      .map((args) => `${instructions.map(({ name }) => name).join()} of ${args.join()}`);
  };
  const comparable = ({ left, ...rest }: ReturnType<typeof onV8>) => ({ ...rest, left: String(left) });

  it('computes the same bits, of NaNs too', () => {
    const total = computing().filter(({ traps }) => !traps);
    assert.ok(total.length > 250, `${total.length} instructions`);
    const all = differing(total);
    // Which one it is, is looked for only where there is one.
    assert.deepEqual(all.length === 0 ? [] : total.flatMap((one) => differing([one])), []);
  });

  it('traps for the same operands, in the same way', () => {
    const partial = computing().filter(({ traps }) => traps);
    assert.equal(partial.length, 16);
    assert.deepEqual(
      partial.flatMap((one) => differing([one])),
      [],
    );
  });
});
