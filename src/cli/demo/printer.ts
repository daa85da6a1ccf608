import type { Io } from '../output.ts';
import type { PlanEvent } from './plan.ts';
import type { Part } from './example.ts';

export interface Printer {
  line(text: string): void;
  /** How far a part of the start is: gone with the next line. */
  part(name: string, text: string): void;
  event(event: PlanEvent, noun: string): void;
  close(): void;
}

const TITLES: Record<Part, string> = {
  'stream-1': 'The first wave comes in, the keyword agent serves it',
  'rollout-1': 'Cycle 1 learns from the feedback; its challenger must prove itself on live traffic',
  'stream-2': 'The second wave comes in, champion 1 serves it',
  'rollout-2': 'Cycle 2 adapts to what has changed',
  judge: 'The judge',
};
const BAR = 30;

/** Progress on a terminal: one line that is redrawn while something moves; elsewhere only lines that stay. */
export function createPrinter(io: Io): Printer {
  const terminal = process.stderr.isTTY;
  let drawn = false;
  const clear = (): void => {
    if (drawn) io.err('\r\x1b[2K');
    drawn = false;
  };
  const line = (text: string): void => {
    clear();
    io.err(`${text}\n`);
  };
  const draw = (text: string): void => {
    if (!terminal) return;
    io.err(`\r\x1b[2K${text}`);
    drawn = true;
  };
  return {
    line,
    part: (name, text) => draw(`… ${name.padEnd(9)} ${text}`),
    close: clear,
    event(event, noun) {
      switch (event.kind) {
        case 'part':
          line(`\n${TITLES[event.part]} (${event.items} ${noun})${event.done ? ': done before, reused' : ''}`);
          return;
        case 'progress':
          if (event.done >= event.total) line(`  ${bar(1)} ${event.total} ${noun} ${event.label}`);
          else draw(`  ${bar(event.done / event.total)} ${event.done} of ${event.total} ${noun} ${event.label}`);
          return;
        case 'drift':
          line(`  ! ${event.text}`);
          return;
        case 'cycle':
          if (event.text !== '') line(`  cycle ${event.number}: ${event.text}`);
          return;
      }
    },
  };
}

function bar(share: number): string {
  const full = Math.round(BAR * Math.max(0, Math.min(1, share)));
  return '█'.repeat(full) + '░'.repeat(BAR - full);
}
