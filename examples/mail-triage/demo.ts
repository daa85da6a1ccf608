import type { DemoExample, Part } from '../../src/cli/demo/example.ts';
import { baselineGenome, keywordRule } from './baseline.ts';
import { loadMailTriage, type Part as MailPart } from './data.ts';
import { mailTriage } from './task-type.ts';

const PART: Record<MailPart, Part> = {
  'wave-1': 'stream-1',
  'wave-1-rollout': 'rollout-1',
  'wave-2': 'stream-2',
  'wave-2-rollout': 'rollout-2',
  judge: 'judge',
};

export const example: DemoExample = {
  title: 'Mail triage: spam or ham, on real mail in two waves',
  noun: 'mails',
  taskType: mailTriage,
  baseline: { agent: keywordRule.agent, description: keywordRule.description, genome: baselineGenome },
  async load(options) {
    const mails = await loadMailTriage(options);
    return mails.map(({ id, raw, label, part }) => ({
      id,
      payload: { raw },
      expected: { label },
      part: PART[part],
    }));
  },
  sample: {
    raw: 'From: Lucky <win@prizes.example>\nTo: you@example.org\nSubject: You are a WINNER!!!\n\nClick now to claim your free cash prize, guaranteed.\n',
  },
};
