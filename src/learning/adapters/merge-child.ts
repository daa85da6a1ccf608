/** The process that merges adapters by TIES: seconds of arithmetic, in which nobody else is to wait. */
import { answerCalls } from '../process/calls.ts';
import { decodeAdapter, encodeAdapter } from './file.ts';
import type { MergeCalls } from './merge-host.ts';
import { tiesMerge } from './ties-merge.ts';

answerCalls<MergeCalls>({
  ties: ({ adapters, weights, density, rank }) => {
    const { adapter, error } = tiesMerge(adapters.map(decodeAdapter), weights, { density, rank });
    return Promise.resolve({ bytes: encodeAdapter(adapter), error });
  },
});
