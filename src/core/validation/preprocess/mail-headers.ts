import type { BinaryText } from './charset.ts';

export interface MailHeader {
  /** Field name in lower case → the unfolded body of its first occurrence. */
  readonly fields: ReadonlyMap<string, BinaryText>;
  /** Where the body begins. */
  readonly bodyAt: number;
}

const FIELD = /^([!-9;-~]{1,76})[ \t]{0,8}:/;

/**
 * Reads the header of an RFC 5322 message, forgiving: an mbox `From ` line is skipped, so is a line that is no field.
 * Both LF and CRLF end a line.
 */
export function readHeader(message: BinaryText): MailHeader {
  const lines = new Map<string, BinaryText[]>();
  let at = 0;
  let current: BinaryText[] | undefined;
  let bodyAt = message.length;
  while (at < message.length) {
    const newline = message.indexOf('\n', at);
    const next = newline < 0 ? message.length : newline + 1;
    let end = newline < 0 ? message.length : newline;
    if (end > at && message.charCodeAt(end - 1) === 0x0d) end--;
    if (end === at) {
      bodyAt = next;
      break;
    }
    const first = message.charCodeAt(at);
    if (first === 0x20 || first === 0x09) {
      current?.push(message.slice(at, end));
    } else {
      const line = message.slice(at, end);
      const match = FIELD.exec(line);
      const name = match?.[1]?.toLowerCase();
      current = undefined;
      if (match !== null && name !== undefined && !lines.has(name)) {
        current = [line.slice(match[0].length)];
        lines.set(name, current);
      }
    }
    at = next;
  }
  const fields = new Map<string, BinaryText>();
  for (const [name, parts] of lines) fields.set(name, parts.join('').trim());
  return { fields, bodyAt };
}

/** One parameter of a structured field such as `Content-Type`, without its quotes. */
export function parameter(field: BinaryText | undefined, name: string): string | undefined {
  for (const part of (field ?? '').split(';').slice(1)) {
    const equals = part.indexOf('=');
    if (equals < 0 || part.slice(0, equals).trim().toLowerCase() !== name) continue;
    const value = part.slice(equals + 1).trim();
    return value.startsWith('"') ? value.slice(1).split('"', 1)[0] : value.split(/[\s(]/, 1)[0];
  }
  return undefined;
}
