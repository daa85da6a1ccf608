import type { AdapterSpec } from '../../contracts/adapters.ts';
import type { Adapter } from '../adapters/types.ts';
import type { BaseModel } from '../architecture/base.ts';
import type { SessionOptions } from '../runtime/session.ts';
import type { TokenExample } from './examples.ts';

export interface TrainingSet {
  /** Of a classification, in the order of the head's rows. */
  readonly labels: readonly string[];
  readonly train: readonly TokenExample[];
  readonly validation: readonly TokenExample[];
}

export interface TrainerOptions extends Pick<SessionOptions, 'provider' | 'threads'> {
  readonly base: BaseModel;
  readonly spec: AdapterSpec;
  readonly data: TrainingSet;
  /** Go on from an adapter instead of from nothing. */
  readonly from?: Adapter;
}

/** A look at the validation examples. */
export interface Look {
  readonly step: number;
  /** Mean over examples or predicted tokens, in nats. */
  readonly loss: number;
  /** Share of right labels, or of preferences that hold. */
  readonly accuracy?: number;
}

export interface TrainingProgress {
  /** Steps taken. */
  readonly step: number;
  readonly of: number;
  /** Of the last step; NaN before the first one. */
  readonly loss: number;
  readonly looks: readonly Look[];
  readonly done: boolean;
}
