/** The thread that counts wasmtime's epochs on: once a millisecond until it is told to stop. */
import { parentPort, workerData } from 'node:worker_threads';
import koffi from 'koffi';

const TICK_MS = 1;
const { library, engine, stop } = workerData as { library: string; engine: bigint; stop: Int32Array };
const increment = koffi.load(library).func('wasmtime_engine_increment_epoch', 'void', ['void *']) as (
  engine: bigint,
) => void;

parentPort!.postMessage('ticking');
let due = performance.now();
while (Atomics.load(stop, 0) === 0) {
  due += TICK_MS;
  const left = due - performance.now();
  if (left > 0) Atomics.wait(stop, 0, 0, left);
  increment(engine);
}
