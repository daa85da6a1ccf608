export type PartName = 'temporal' | 'postgres' | 'artifacts';

/** One line of progress while the stack comes up, runs or stops. */
export interface Progress {
  readonly part: PartName | 'stack';
  readonly state: 'working' | 'ready' | 'warning' | 'stopped';
  readonly message: string;
  /** How long the part took, once it is ready. */
  readonly ms?: number;
}

export type OnProgress = (progress: Progress) => void;
