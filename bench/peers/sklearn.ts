import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pythonOf, runProgram, type PythonPeer } from './python.ts';

const SKLEARN: PythonPeer = { name: 'sklearn', requirements: ['scikit-learn>=1.5,<2'], modules: ['sklearn'] };

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

/**
 * Trains scikit-learn's TF-IDF + logistic regression on one file and labels another. Throws `CHIMERA_SETUP` where there
 * is no Python, no package registry, or the run fails.
 */
export async function runSklearn({ train, test, workDir }: SklearnRun): Promise<SklearnResult> {
  const python = await pythonOf(workDir, SKLEARN);
  const out = join(workDir, `predictions-${process.pid}.json`);
  try {
    // -I: else the folder of the script comes first on the path, and the script would import itself as sklearn.
    await runProgram(SKLEARN, python, ['-I', join(import.meta.dirname, 'sklearn.py'), train, test, out], 20);
    return JSON.parse(await readFile(out, 'utf8')) as SklearnResult;
  } finally {
    await rm(out, { force: true });
  }
}
