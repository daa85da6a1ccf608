import { execFile } from 'node:child_process';
import { access, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ChimeraError } from '../../src/contracts/errors.ts';

const execute = promisify(execFile);
const MINUTES = 60_000;

/** Packages of Python that a peer is made of. */
export interface PythonPeer {
  /** Its name in errors, and of its folder. */
  readonly name: string;
  /** What pip is asked for. */
  readonly requirements: readonly string[];
  /** What a working environment can import. */
  readonly modules: readonly string[];
}

/** One thread for everybody: a peer is compared on the same share of the machine. */
export const oneThread = (): NodeJS.ProcessEnv => ({ ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' });

/** Runs a program of a peer to its end. Throws `CHIMERA_SETUP` with the last lines of its errors where it fails. */
export async function runProgram(
  peer: Pick<PythonPeer, 'name'>,
  program: string,
  args: readonly string[],
  minutes: number,
): Promise<void> {
  try {
    await execute(program, args, { timeout: minutes * MINUTES, maxBuffer: 16 << 20, env: oneThread() });
  } catch (error) {
    const { stderr = '', message = String(error) } = error as { stderr?: string; message?: string };
    const why = stderr.trim().split('\n').slice(-3).join(' ') || message;
    throw new ChimeraError('CHIMERA_SETUP', { what: peer.name, why }, { cause: error });
  }
}

/**
 * The Python of a virtual environment in `workDir` that has a peer's packages; made where it is missing or half made. Throws
 * `CHIMERA_SETUP` where there is no Python or no package registry.
 */
export async function pythonOf(workDir: string, peer: PythonPeer): Promise<string> {
  await mkdir(workDir, { recursive: true });
  const folder = join(workDir, `${peer.name}-venv`);
  const python = join(folder, 'bin', 'python');
  const works = await access(python).then(
    () =>
      runProgram(peer, python, ['-c', `import ${peer.modules.join(', ')}`], 2).then(
        () => true,
        () => false,
      ),
    () => false,
  );
  if (works) return python;
  await rm(folder, { recursive: true, force: true });
  await runProgram(peer, 'python3', ['-m', 'venv', folder], 2);
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...peer.requirements];
  await runProgram(peer, python, install, 20);
  return python;
}
