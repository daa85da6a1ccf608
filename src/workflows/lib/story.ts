import { log, setCurrentDetails, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { SEARCH_ATTRIBUTES, type Layer } from '../../contracts/names.ts';

const PHASE = defineSearchAttributeKey(SEARCH_ATTRIBUTES.phase, SearchAttributeType.KEYWORD);
const PROJECT = defineSearchAttributeKey(SEARCH_ATTRIBUTES.project, SearchAttributeType.KEYWORD);
const TASK_TYPE = defineSearchAttributeKey(SEARCH_ATTRIBUTES.taskType, SearchAttributeType.KEYWORD);
const LAYER = defineSearchAttributeKey(SEARCH_ATTRIBUTES.layer, SearchAttributeType.KEYWORD);

const KEPT_LINES = 40;

/** What a workflow tells the people who look at it in the Temporal UI: a log in plain words, newest state first. */
export interface Story {
  /** What is going on now; replaced by the next call. */
  now(line: string, phase?: string): void;
  /** Something that has happened: stays as a line of the log. */
  tell(line: string): void;
}

export function createStory(subject: { project: string; taskType?: string; layer: Layer }): Story {
  const started = workflowInfo().startTime.getTime();
  const lines: string[] = [];
  let current = 'starting';
  let phase = '';
  const show = (): void => {
    const told = lines.slice(-KEPT_LINES).map((line) => `- ${line}`);
    // Without the empty line the UI's Markdown takes the list for more of the paragraph.
    setCurrentDetails([`**${current}**`, '', ...told].join('\n').trimEnd());
  };
  const tell = (line: string): void => {
    const seconds = Math.max(0, Math.round((Date.now() - started) / 1000));
    lines.push(`\`+${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}\` ${line}`);
    log.info(line, { ...subject });
    show();
  };
  upsertSearchAttributes([
    { key: PROJECT, value: subject.project },
    { key: LAYER, value: subject.layer },
    ...(subject.taskType === undefined ? [] : [{ key: TASK_TYPE, value: subject.taskType }]),
  ]);
  return {
    now: (line, newPhase) => {
      current = line;
      if (newPhase !== undefined && newPhase !== phase) {
        phase = newPhase;
        upsertSearchAttributes([{ key: PHASE, value: phase }]);
      }
      show();
    },
    tell,
  };
}
