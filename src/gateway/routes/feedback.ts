import { ChimeraError, invalidInput } from '../../contracts/errors.ts';
import type { FeedbackSubmission } from '../../contracts/records.ts';
import { parseLimited } from '../../core/validation/json-limits.ts';
import { DEFAULT_BODY_BYTES, MAX_DEPTH } from '../admission.ts';
import { chunked, readLines, tooLarge, type Line } from '../body.ts';
import { parse } from '../parse.ts';
import { ProblemList } from '../problems.ts';
import { route, type Route } from '../route.ts';
import { feedbackAccepted, feedbackSubmission } from '../schemas.ts';
import type { Services } from '../services.ts';

const CHUNK_LINES = 500;
/** Feedback is small; all of it is held, so that it is taken whole or not at all. */
const MAX_BYTES = 64 * 2 ** 20;

export function feedbackRoutes({ stores }: Services): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/feedback',
      tag: 'feedback',
      summary: 'Give feedback: one as JSON, or many as NDJSON',
      description: 'The same feedback again is taken once. All of it is checked before any is taken.',
      body: feedbackSubmission,
      lines: feedbackSubmission,
      responses: { 202: { description: 'All of it is taken.', schema: feedbackAccepted } },
      errors: ['CHIMERA_MALFORMED_JSON', 'CHIMERA_TOO_LARGE', 'CHIMERA_CONFLICT'],
      handle: async ({ body, stream, principal }) => {
        const items = stream === undefined ? [body] : await readMany(stream);
        // One transaction where it is one piece; long lists go in order, and the same list again skips what is there.
        for (let from = 0; from < items.length; from += CHUNK_LINES)
          await stores.feedback.addMany(principal.project, items.slice(from, from + CHUNK_LINES));
        return { status: 202, body: { accepted: items.length } };
      },
    }),
  ];
}

async function readMany(stream: AsyncIterable<Uint8Array>): Promise<FeedbackSubmission[]> {
  const problems = new ProblemList();
  const items: FeedbackSubmission[] = [];
  let bytes = 0;
  for await (const chunk of chunked(readLines(stream, DEFAULT_BODY_BYTES), CHUNK_LINES)) {
    for (const line of chunk) {
      bytes += line.bytes?.length ?? 0;
      if (bytes > MAX_BYTES) throw tooLarge('the feedback', bytes, MAX_BYTES);
      const item = readLine(line, problems);
      if (item !== undefined) items.push(item);
    }
  }
  if (items.length === 0 && problems.count === 0) problems.add({ path: '', message: 'there is no feedback in it' });
  if (problems.count > 0) throw invalidInput('the feedback', problems.list());
  return items;
}

function readLine({ number, bytes }: Line, problems: ProblemList): FeedbackSubmission | undefined {
  const where = `line ${number}`;
  if (bytes === undefined) {
    problems.add({ path: where, message: `longer than ${DEFAULT_BODY_BYTES} bytes` });
    return undefined;
  }
  try {
    const value = parseLimited(bytes, { maxBytes: DEFAULT_BODY_BYTES, maxDepth: MAX_DEPTH, what: 'the line' });
    return parse(feedbackSubmission, value, 'the line');
  } catch (error) {
    if (!(error instanceof ChimeraError)) throw error;
    for (const { path, message } of error.details.problems ?? [{ path: '', message: error.message }])
      problems.add({ path: `${where}${path}`, message });
    return undefined;
  }
}
