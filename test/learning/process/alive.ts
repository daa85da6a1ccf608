import assert from 'node:assert/strict';

const LIMIT_MS = 10_000;

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Waits for the end of a process. */
export async function untilGone(pid: number): Promise<void> {
  const end = Date.now() + LIMIT_MS;
  while (isAlive(pid)) {
    assert.ok(Date.now() < end, `process ${pid} is still there`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
