import PostalMime, { addressParser, decodeWords } from 'postal-mime';
import { invalidInput } from '../../../contracts/errors.ts';
import { binaryTextToBytes, decodeText, toBinaryText, type BinaryText } from './charset.ts';
import { parameter, readHeader } from './mail-headers.ts';
import { decodeTransfer } from './transfer.ts';

/** What the `mime` step makes of a raw message. Everything is text, counts or flags: a plain JSON object. */
export interface Mail {
  /** Lower-case domain of the first sender address, empty where there is none. */
  readonly from: string;
  /** Lower-case domain that an answer would go to; empty where the mail does not say. */
  readonly replyTo: string;
  readonly subject: string;
  /** Lower-case media type of the whole message. */
  readonly type: string;
  /** Plain-text parts. */
  readonly text: string;
  /** HTML parts. */
  readonly html: string;
  /** Parts that are neither. */
  readonly attachments: number;
  /** Names of the asked-for header fields that are present, in the order asked. */
  readonly present: readonly string[];
}

const MAIL_FIELDS = ['from', 'to', 'subject', 'date', 'received', 'message-id'] as const;

const domainOf = (field: string | undefined): string => {
  if (field === undefined) return '';
  const address = addressParser(field.slice(0, 1024), { flatten: true })[0]?.address ?? '';
  const at = address.lastIndexOf('@');
  return at < 0 ? '' : address.slice(at + 1).toLowerCase();
};

async function multipartBody(
  contentType: BinaryText,
  body: BinaryText,
): Promise<Pick<Mail, 'text' | 'html' | 'attachments'>> {
  // Only the structure goes to the library: the header is read already, and most of its time would go into trace fields.
  const message = binaryTextToBytes(`Content-Type: ${contentType}\n\n${body}`);
  try {
    const mail = await PostalMime.parse(message, { maxNestingDepth: 32, maxRfc822NestingDepth: 3 });
    return { text: mail.text ?? '', html: mail.html ?? '', attachments: mail.attachments.length };
  } catch (error) {
    throw invalidInput('the mail', [{ path: '', message: error instanceof Error ? error.message : String(error) }]);
  }
}

/**
 * Parses a raw RFC 5322 message. A message of several parts, encoded words and addresses are read by postal-mime; a
 * message of one part is decoded here, since the library's buffers cost more than the mail. Broken charsets and
 * transfer encodings are repaired, never refused. Throws `CHIMERA_INVALID_INPUT` where `raw` is no mail at all or nests
 * its parts too deep. `fields` are header field names (lower case) whose presence is reported.
 */
export async function parseMail(raw: string, fields: readonly string[] = []): Promise<Mail> {
  const message = toBinaryText(raw);
  const header = readHeader(message);
  if (!MAIL_FIELDS.some((name) => header.fields.has(name))) {
    throw invalidInput('the mail', [
      { path: '', message: `no header field ${MAIL_FIELDS.join(', ')}: this is not an RFC 5322 message` },
    ]);
  }
  const field = (name: string): string | undefined => {
    const value = header.fields.get(name);
    return value === undefined ? undefined : decodeText(value, undefined);
  };
  const contentType = header.fields.get('content-type') ?? 'text/plain';
  const type = contentType.split(/[;\s]/, 1)[0]!.toLowerCase();
  const body = message.slice(header.bodyAt);
  const facts = {
    from: domainOf(field('from')),
    replyTo: domainOf(field('reply-to')),
    subject: decodeWords(field('subject') ?? ''),
    type,
    present: fields.filter((name) => header.fields.has(name)),
  };
  if (type.startsWith('multipart/') || type.startsWith('message/')) {
    return { ...facts, ...(await multipartBody(contentType, body)) };
  }
  // An unknown or broken type is read as text: mail that states nonsense is still mail with words in it.
  const readable = type.startsWith('text/') || !type.includes('/');
  if (!readable) return { ...facts, text: '', html: '', attachments: 1 };
  const decoded = decodeText(
    decodeTransfer(body, header.fields.get('content-transfer-encoding')),
    parameter(contentType, 'charset'),
  );
  const html = type === 'text/html';
  return { ...facts, text: html ? '' : decoded, html: html ? decoded : '', attachments: 0 };
}
