import { appendFileSync, closeSync, openSync, readdirSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Preload (`node --import`) of a process under test. Counts every failpoint it passes into `$CHIMERA_TEST_FAILPOINTS`, one
 * byte a hit in a file of the failpoint's name; at the hits named by `$CHIMERA_TEST_KILL` (`name:occurrence`, comma-separated,
 * counted over all processes of the run) it ends the process as a power cut would. Once for each: the process that is started
 * instead finds the file `killed-<n>` and lives.
 */
const folder = process.env['CHIMERA_TEST_FAILPOINTS'];
if (folder !== undefined) {
  const targets = (process.env['CHIMERA_TEST_KILL'] ?? '').split(',').map((target) => target.split(':'));
  globalThis.__chimeraFailpoint = (name) => {
    const file = join(folder, name);
    appendFileSync(file, '.');
    for (const [n, [target, occurrence]] of targets.entries()) {
      if (name === target && statSync(file).size >= Number(occurrence)) die(join(folder, `killed-${n}`));
    }
  };
}

function die(mark: string): void {
  let file: number;
  try {
    file = openSync(mark, 'wx');
  } catch {
    return; // somebody has died here already
  }
  // Whoever looks for orphans must know whose parent this was.
  writeSync(file, JSON.stringify([process.pid, ...childrenOf(process.pid)]));
  closeSync(file);
  process.kill(process.pid, 'SIGKILL');
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent;
      } catch {
        return false; // it ended meanwhile
      }
    });
}
