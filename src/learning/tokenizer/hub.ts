import type { Problem } from '../../contracts/errors.ts';
import { refusal } from '../weights/problems.ts';
import { chatOf, templateOf } from './chat.ts';
import { tokenizerConfig } from './config.ts';
import { encoderOf } from './encoder.ts';
import { byteLevelDecoder, wordPieceDecoder } from './decoder.ts';
import { fewestOf } from './fewest.ts';
import { SCHEMAS, type TokenizerFile } from './schema.ts';
import { readAround, readSpecial } from './special.ts';
import type { Tokenizer } from './types.ts';
import { readMerges, readVocabulary } from './vocabulary.ts';

/**
 * The tokenizer of a Hugging Face checkpoint: `tokenizer.json`, and `tokenizer_config.json` where there is one, each as text or as
 * what it parses to. `what` names the model in errors. Special tokens are those that either file names.
 *
 * @throws `CHIMERA_INVALID_INPUT` on a file that is not JSON, that has a part which is not supported, or whose parts do not fit
 * together; every problem is named
 */
export function tokenizerOfHub(tokenizerJson: unknown, tokenizerConfigJson: unknown, what: string): Tokenizer {
  const problems: Problem[] = [];
  const file = readFile(parsed(tokenizerJson, 'tokenizer.json', what), what);
  const config = checked(
    tokenizerConfig.safeParse(parsed(tokenizerConfigJson ?? {}, 'tokenizer_config.json', what)),
    what,
  );
  const vocabulary = readVocabulary(file, problems);
  const merges = file.model.type === 'BPE' ? readMerges(file.model.merges, vocabulary, problems) : [];
  if (file.model.type === 'WordPiece' && !vocabulary.numbers.has(file.model.unk_token)) {
    problems.push({ path: '/model/unk_token', message: 'there is no such token' });
  }
  const around = readAround(file, vocabulary, problems);
  const special = readSpecial(file, config, around, vocabulary, problems);
  if (problems.length > 0) throw refusal(what, problems);

  const encode = encoderOf(file, merges);
  const hidden = new Set(file.added_tokens.filter((token) => token.special).map(({ id }) => id));
  const shown = vocabulary.tokens.map((token, number) => (hidden.has(number) ? undefined : token));
  const stream = file.decoder.type === 'ByteLevel' ? byteLevelDecoder(shown) : wordPieceDecoder(shown, file.decoder);
  const chat = chatOf(config, what);
  return {
    size: vocabulary.tokens.length,
    special,
    fewest: fewestOf(file),
    encode(text, { wrap = false, limit } = {}) {
      const { before, after } = wrap ? around : { before: [], after: [] };
      if (limit === undefined) return [...before, ...encode(text), ...after];
      const room = limit - before.length - after.length;
      if (!Number.isInteger(limit) || room < 0) {
        const least = before.length + after.length;
        throw refusal('the limit', [{ path: '/limit', message: `a whole number from ${least} is needed` }]);
      }
      return [...before, ...encode(text, room), ...after];
    },
    decode(tokens) {
      const pieces = stream();
      return tokens.map((token) => pieces.push(token)).join('') + pieces.end();
    },
    stream,
    holdsConversations: templateOf(config) !== undefined,
    chat,
  };
}

function parsed(file: unknown, name: string, what: string): unknown {
  if (typeof file !== 'string') return file;
  try {
    return JSON.parse(file);
  } catch (error) {
    throw refusal(what, [{ path: `/${name}`, message: `it is not JSON: ${(error as Error).message}` }]);
  }
}

function readFile(file: unknown, what: string): TokenizerFile {
  const model = (file as { model?: { type?: unknown } | null } | null | undefined)?.model;
  const schema = SCHEMAS.get(model?.type);
  if (schema === undefined) {
    const type = JSON.stringify(model?.type)?.slice(0, 40) ?? 'none';
    const known = [...SCHEMAS.keys()].join(', ');
    throw refusal(what, [{ path: '/model/type', message: `the type ${type} is not supported; known: ${known}` }]);
  }
  return checked<TokenizerFile>(schema.safeParse(file), what);
}

type Parsed<T> =
  | { success: true; data: T }
  | { success: false; error: { issues: readonly { path: readonly PropertyKey[]; message: string }[] } };

function checked<T>(result: Parsed<T>, what: string): T {
  if (result.success) return result.data;
  throw refusal(
    what,
    result.error.issues.map(({ path, message }) => ({ path: `/${path.map(String).join('/')}`, message })),
  );
}
