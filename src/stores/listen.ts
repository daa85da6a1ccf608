/** `chimera_accepted`: tasks or batches wait for a dispatcher. `chimera_resolved`: a watermark may have moved. */
export type Channel = 'chimera_accepted' | 'chimera_resolved';

/**
 * Calls `onNotify` with each payload (`project/taskType`), and with an empty one after a lost connection was restored,
 * because notifications may have been missed. A notification is a hint, never the truth: poll as well.
 */
export type Listen = (channel: Channel, onNotify: (payload: string) => void) => Promise<{ close(): Promise<void> }>;
