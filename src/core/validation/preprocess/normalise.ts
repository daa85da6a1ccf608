import { isAscii } from './charset.ts';

export interface NormaliseOptions {
  /** Lower-case everything. */
  readonly lower?: boolean | undefined;
  /** Keep at most so many UTF-16 code units; a surrogate pair is never cut. */
  readonly maxLength?: number | undefined;
}

const CONTROL = /[\0-\x08\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]/;
const CONTROLS = new RegExp(CONTROL, 'g');

const BLANK = 0x20;
const NEWLINE = 0x0a;

/** White space of ASCII; what is beyond is `\s` of the regular expressions. */
const isBlank = (code: number): boolean => code === BLANK || (code >= 0x09 && code <= 0x0d);

/** Each run of white space in an ASCII text as one blank, or one newline where the run holds one. */
function withoutRuns(text: string): string {
  let out = '';
  let done = 0;
  for (let i = 0; i < text.length; i++) {
    const first = text.charCodeAt(i);
    if (first > BLANK || !isBlank(first)) continue;
    let end = i + 1;
    let newline = first === NEWLINE;
    for (let code = text.charCodeAt(end); isBlank(code); code = text.charCodeAt(++end)) newline ||= code === NEWLINE;
    // Single blanks and newlines, nearly all there are, need no work.
    if (end > i + 1 || (first !== BLANK && first !== NEWLINE)) {
      out += text.slice(done, i) + (newline ? '\n' : ' ');
      done = end;
    }
    i = end - 1;
  }
  return out + text.slice(done);
}

/**
 * Text in one form: Unicode NFKC, no control or invisible characters, each run of white space a single blank (a newline
 * where the run holds one), well formed, capped. Idempotent but for the cap.
 */
export function normaliseText(text: string, options: NormaliseOptions = {}): string {
  // A cap before the work keeps the cost of a huge text bounded; NFKC can lengthen but hardly ever shortens fourfold.
  const cap = options.maxLength ?? text.length;
  let out = text.length > cap * 4 ? text.slice(0, cap * 4) : text;
  const ascii = isAscii(out);
  if (!ascii) out = out.toWellFormed().normalize('NFKC');
  if (CONTROL.test(out)) out = out.replace(CONTROLS, '');
  out = ascii ? withoutRuns(out) : out.replace(/\s{2,}|[^\S \n]/g, (run) => (run.includes('\n') ? '\n' : ' '));
  if (options.lower === true) out = out.toLowerCase();
  out = out.trim();
  if (out.length <= cap) return out;
  const cut = out.slice(0, cap);
  return (cut.isWellFormed() ? cut : cut.slice(0, -1)).trim();
}
