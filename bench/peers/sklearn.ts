import { execFile } from 'node:child_process';
import { access, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ChimeraError } from '../../src/contracts/errors.ts';

const execute = promisify(execFile);
const REQUIREMENT = 'scikit-learn>=1.5,<2';
const MINUTES = 60_000;

export interface SklearnRun {
  /** JSONL of {"text", "label"}. */
  readonly train: string;
  /** JSONL of {"text"}; labels in it are not looked at. */
  readonly test: string;
  /** Keeps the virtual environment (about 300 MB) between runs; outside the checkout. */
  readonly workDir: string;
}

export interface SklearnResult {
  /** One label for each line of `test`. */
  readonly predictions: string[];
  /** Fitting and predicting, without start-up and reading. */
  readonly seconds: number;
}

async function run(program: string, args: readonly string[], minutes: number): Promise<void> {
  try {
    // One thread for everybody: the peer is compared on the same share of the machine.
    const env = { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' };
    await execute(program, args, { timeout: minutes * MINUTES, maxBuffer: 16 << 20, env });
  } catch (error) {
    const { stderr = '', message = String(error) } = error as { stderr?: string; message?: string };
    const why = stderr.trim().split('\n').slice(-3).join(' ') || message;
    throw new ChimeraError('CHIMERA_SETUP', { what: 'scikit-learn', why }, { cause: error });
  }
}

/** The Python of a virtual environment in `workDir` that has scikit-learn; made where it is missing or half made. */
async function environment(workDir: string): Promise<string> {
  const folder = join(workDir, 'sklearn-venv');
  const python = join(folder, 'bin', 'python');
  const works = await access(python).then(
    () =>
      run(python, ['-c', 'import sklearn'], 2).then(
        () => true,
        () => false,
      ),
    () => false,
  );
  if (works) return python;
  await rm(folder, { recursive: true, force: true });
  await run('python3', ['-m', 'venv', folder], 2);
  await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', REQUIREMENT], 10);
  return python;
}

/**
 * Trains scikit-learn's TF-IDF + logistic regression on one file and labels another. Throws `CHIMERA_SETUP` where there
 * is no Python, no package registry, or the run fails.
 */
export async function runSklearn({ train, test, workDir }: SklearnRun): Promise<SklearnResult> {
  await mkdir(workDir, { recursive: true });
  const python = await environment(workDir);
  const out = join(workDir, `predictions-${process.pid}.json`);
  try {
    // -I: else the folder of the script comes first on the path, and the script would import itself as sklearn.
    await run(python, ['-I', join(import.meta.dirname, 'sklearn.py'), train, test, out], 20);
    return JSON.parse(await readFile(out, 'utf8')) as SklearnResult;
  } finally {
    await rm(out, { force: true });
  }
}
