import type { Problem } from '../../contracts/errors.ts';
import type { JsonObject, JsonValue } from '../../contracts/records.ts';
import { jsonDepth } from './json-limits.ts';
import { validateJson } from './schema.ts';
import type { TaskType } from './task-type.ts';

const encoder = new TextEncoder();

/**
 * Everything that keeps a payload from becoming a task of `type`; empty where it may enter. For payloads that are parsed already: bytes
 * from a network go through `parseLimited` first. Size and depth are looked at before the schema.
 */
export function admit(type: Pick<TaskType, 'input' | 'limits'>, payload: JsonValue): Problem[] {
  const { payloadBytes, payloadDepth } = type.limits;
  const bytes = encoder.encode(JSON.stringify(payload));
  const problems: Problem[] = [];
  if (bytes.length > payloadBytes) {
    problems.push({ path: '', message: `has ${bytes.length} bytes, the limit is ${payloadBytes}` });
  }
  if (jsonDepth(bytes, payloadDepth) > payloadDepth) {
    problems.push({ path: '', message: `nests more than ${payloadDepth} levels` });
  }
  return problems.length > 0 ? problems : validateJson(type.input as JsonObject, payload);
}
