import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DemoExample } from '../../src/cli/demo/example.ts';
import { loadConfig } from '../../src/config/config.ts';
import type { DatasetExample } from '../../src/contracts/records.ts';
import { classificationReport, type LabelPair } from '../../src/core/kpi/confusion.ts';
import { writeJsonLines } from '../../src/core/canonical/json-lines.ts';
import { runSklearn } from '../peers/sklearn.ts';
import { labelledText } from './learning.ts';

export interface Peer {
  readonly answers: LabelPair[];
  readonly balancedAccuracy: number;
  /** Fitting and predicting. */
  readonly seconds: number;
}

/**
 * scikit-learn's TF-IDF + logistic regression, trained on every split of `material` (Chimera itself keeps validation and test
 * out of training), judged on `unseen`. Both read the texts that Chimera's models read.
 */
export async function trainPeer(
  example: DemoExample,
  material: readonly DatasetExample[],
  unseen: readonly DatasetExample[],
): Promise<Peer> {
  const folder = await mkdtemp(join(tmpdir(), 'chimera-peer-'));
  try {
    const train = join(folder, 'train.jsonl');
    const test = join(folder, 'test.jsonl');
    const judged = unseen.map((entry) => labelledText(example, entry));
    await writeFile(train, writeJsonLines(material.map((entry) => labelledText(example, entry))));
    await writeFile(test, writeJsonLines(judged.map(({ text }) => ({ text }))));
    const workDir = join(loadConfig().cacheDir, 'bench');
    const { predictions, seconds } = await runSklearn({ train, test, workDir });
    const answers = judged.map(({ label }, i) => ({ expected: label, predicted: predictions[i] }));
    const labels = [...new Set(judged.map(({ label }) => label))].sort();
    const { balancedAccuracy } = classificationReport(answers, { labels, seed: 'peer', replicates: 100 });
    return { answers, balancedAccuracy: balancedAccuracy.estimate, seconds };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
