import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { join } from 'node:path';

/** A worker as the SDK's documentation makes one: `node worker.ts ADDRESS NAMESPACE QUEUE`. Says when it polls. */
const [address, namespace, taskQueue] = process.argv.slice(2);
if (address === undefined || namespace === undefined || taskQueue === undefined) {
  throw new TypeError('give address, namespace and task queue');
}
Runtime.install({ logger: { trace() {}, debug() {}, info() {}, warn() {}, error: console.error, log() {} } });
const connection = await NativeConnection.connect({ address });
const worker = await Worker.create({
  connection,
  namespace,
  taskQueue,
  workflowsPath: join(import.meta.dirname, 'workflow.ts'),
  activities: { answer: (text: string) => Promise.resolve(text) },
});
const stop = (): void => {
  if (worker.getState() === 'RUNNING') worker.shutdown();
};
process.once('disconnect', stop);
process.once('SIGTERM', stop);
const running = worker.run();
process.send?.({ type: 'ready' });
await running;
await connection.close();
// The channel to the benchmark would keep this process up.
if (process.connected) process.disconnect();
