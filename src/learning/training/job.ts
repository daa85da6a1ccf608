import type { AdapterSpec } from '../../contracts/adapters.ts';
import type { BaseLocation } from '../bases.ts';
import type { Provider } from '../runtime/provider.ts';
import type { TextExample } from './examples.ts';
import type { Look, TrainingProgress } from './types.ts';

/** A training run, whole: plain data that a process is given. */
export interface TrainingJob {
  readonly base: BaseLocation;
  readonly spec: AdapterSpec;
  /** Of a classification; empty otherwise. */
  readonly labels: readonly string[];
  readonly train: readonly TextExample[];
  readonly validation: readonly TextExample[];
  readonly provider?: Provider;
  readonly threads?: number;
  /** The bytes of an adapter to go on from. */
  readonly from?: Uint8Array;
}

/** What came of a run. */
export interface TrainedAdapter {
  /** The file of the adapter. */
  readonly bytes: Uint8Array;
  /** The base itself on the validation examples; of a classification there is no such thing. */
  readonly before?: Omit<Look, 'step'>;
  readonly after: Look;
  readonly progress: TrainingProgress;
  /** SHA-256 over the tensors of the base. */
  readonly baseSha256: string;
  readonly numericProfile: string;
}

/** Calls into the training process, by name: what goes in and what comes back. */
export type TrainingCalls = {
  readonly open: { readonly input: { job: TrainingJob; checkpoint?: Uint8Array }; readonly output: TrainingProgress };
  readonly step: { readonly input: null; readonly output: TrainingProgress };
  readonly checkpoint: { readonly input: null; readonly output: Uint8Array };
  readonly evaluate: { readonly input: null; readonly output: Omit<Look, 'step'> };
  readonly finish: { readonly input: null; readonly output: TrainedAdapter };
};
