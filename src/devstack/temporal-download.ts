/**
 * `node temporal-download.ts DIRECTORY`: lets the Temporal SDK download its CLI into DIRECTORY. A program of its own,
 * because the SDK's runtime is one a process, and a worker or client of ours may want another.
 */
import { TestWorkflowEnvironment } from '@temporalio/testing';

const [downloadDir] = process.argv.slice(2);
if (downloadDir === undefined) throw new Error('usage: temporal-download.ts DIRECTORY');
const environment = await TestWorkflowEnvironment.createLocal({
  server: { executable: { type: 'cached-download', downloadDir } },
});
await environment.teardown();
