import type { JsonValue } from '../contracts/records.ts';

/** An effect that the workflow performs. */
export type Wait =
  | { kind: 'sleep'; index: number; ms: number }
  | { kind: 'ask-human'; index: number; approvalId: string; question: string; deadline?: string }
  | { kind: 'spawn-task'; index: number; taskType: string; after: number[] }
  | {
      kind: 'tool';
      index: number;
      tool: string;
      queue: string;
      activity: string;
      timeoutMs: number;
      input: JsonValue;
      idempotencyKey: string;
    };

/** What came of a {@link Wait}: raw, for the worker knows how to check it. */
export type Answer =
  | { index: number; of: 'sleep' }
  | { index: number; of: 'spawn-task'; ok: boolean; body: JsonValue }
  | { index: number; of: 'tool'; tool: string; output: JsonValue }
  | { index: number; of: 'failure'; code: string; message: string };
