import { EFFECT_KINDS, type EffectKind, type JsonObject, type JsonValue } from '../../src/contracts/records.ts';
import { parseTaskType, type TaskType } from '../../src/core/validation/task-type.ts';

/** The task type of `test/agents/scripted.as`: the payload says which effects the agent asks for. */
export const SCRIPTS: TaskType = parseTaskType({
  name: 'scripts',
  version: 1,
  title: 'Do what the script says',
  input: { type: 'object', required: ['script'] },
  output: { type: 'object', required: ['seen'] },
  scorer: { kind: 'exact' },
  objectives: [{ kpi: 'accuracy', direction: 'maximise' }],
  limits: { outputBytes: 65_536 },
});

/** An effect of a script. */
export const effect = (kind: EffectKind, request: JsonValue): JsonObject => ({
  kind: EFFECT_KINDS.indexOf(kind),
  request,
});
