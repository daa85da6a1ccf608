import type { Client } from '@temporalio/client';
import type { Stores } from '../stores/index.ts';
import type { TaskTypeCache } from './admission.ts';
import type { DispatchMarks } from './dispatch-marks.ts';
import type { Starter } from './starter.ts';

/** What the handlers work with. */
export interface Services {
  readonly stores: Stores;
  readonly temporal: Client;
  readonly starter: Starter;
  readonly marks: DispatchMarks;
  readonly taskTypes: TaskTypeCache;
  /** Prometheus text of this process. */
  readonly metrics: () => Promise<string>;
  /** Base URL of the Temporal UI and the namespace, for links. */
  readonly ui?: { readonly url: string; readonly namespace: string };
  readonly log: { warn(details: object, message: string): void };
}
