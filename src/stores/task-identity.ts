import { createHash } from 'node:crypto';
import { canonicalJson } from '../core/canonical/canonical.ts';

/** Hex SHA-256; the platform's own hash is faster here than the one of `core/`, and gives the same digits. */
function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A task's id: derived from its project and idempotency key, so that every retry finds the same task. */
export function taskIdOf(project: string, key: string): string {
  return sha256(canonicalJson([project, key])).slice(0, 32);
}

/** What "the same body" means. `payload` is canonical JSON. */
export function bodyHashOf(taskType: string, payload: string): string {
  return sha256(`${canonicalJson(taskType)}\n${payload}`);
}

/** The id of a feedback that came without one: the same content twice is one feedback. */
export function feedbackIdOf(feedback: object): string {
  return sha256(canonicalJson(feedback)).slice(0, 32);
}
