import { providerFailed } from './exchange.ts';

/** Pieces of answers have a few hundred characters. */
const LONGEST_LINE = 1 << 20;

/**
 * The data of each server-sent event of a stream (WHATWG HTML, section 9.2; lines end in LF or CRLF). An event that the end of
 * the stream cuts off is not one.
 * @throws {ChimeraError} CHIMERA_PROVIDER_FAILED for a line of more than 1,048,576 characters
 */
export async function* eventData(
  provider: { readonly name: string },
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<string> {
  let data: string[] = [];
  for await (const line of linesOf(provider, bytes)) {
    if (line.startsWith('data:')) data.push(line.slice(line.startsWith('data: ') ? 6 : 5));
    if (line !== '' || data.length === 0) continue;
    yield data.join('\n');
    data = [];
  }
}

async function* linesOf(provider: { readonly name: string }, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let line = '';
  const grow = (part: string): void => {
    line += part;
    if (line.length <= LONGEST_LINE) return;
    throw providerFailed(provider, `a line of its stream has more than ${LONGEST_LINE} characters`);
  };
  for await (const chunk of bytes) {
    // What has come before is not looked through again.
    const [first = '', ...others] = decoder.decode(chunk, { stream: true }).split('\n');
    grow(first);
    for (const next of others) {
      yield line.endsWith('\r') ? line.slice(0, -1) : line;
      line = '';
      grow(next);
    }
  }
}
