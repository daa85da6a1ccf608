import assert from 'node:assert/strict';
import { lineageOf, lineageText } from '../../src/cli/lineage.ts';
import type { AgentVersion } from '../../src/contracts/records.ts';
import type { Stores } from '../../src/stores/index.ts';

/** What is on record, as far as a lineage reads it. */
const MODELS: Record<string, object> = {
  blend: { name: 'blend', dataset: 'mails', report: { parents: ['tuned', 'bought'] } },
  tuned: { name: 'tuned', dataset: 'mails', report: {} },
  bought: { name: 'bought', dataset: '', report: {} },
};
const DATASET = {
  ...{ taskType: 'triage', version: 2, uptoOrdinal: 10, artifact: { sha256: 'ab' } },
  counts: { train: 6, validation: 2, test: 2 },
};
const stores = {
  models: { get: (_: string, id: string) => Promise.resolve(MODELS[id]) },
  datasets: { get: (_: string, id: string) => Promise.resolve(id === 'mails' ? DATASET : undefined) },
} as unknown as Stores;

describe('the lineage of an agent', () => {
  it('goes through a merged adapter to those that it was merged of, and ends at one that was imported', async () => {
    const version = {
      ...{ id: 'v1', agent: 'sorter', module: { sha256: 'cd' }, parents: [] },
      manifest: { models: { asked: 'blend' } },
    } as unknown as AgentVersion;
    assert.deepEqual(lineageText(await lineageOf(stores, 'p', version)).split('\n'), [
      'agent v1  sorter, module cd',
      '└─ model blend  blend',
      '   ├─ dataset mails  version 2, 6 train, 2 validation, 2 test, artifact ab',
      '   │  └─ tasks triage 0…9  of the stream',
      '   ├─ model tuned  tuned',
      '   │  └─ dataset mails  as above',
      '   └─ model bought  bought',
    ]);
  });
});
