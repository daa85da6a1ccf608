import { invalidInput } from '../../../contracts/errors.ts';
import type { JsonObject, JsonValue } from '../../../contracts/records.ts';
import { redactText } from '../../curation/redact.ts';
import type { FeatureDeclaration, PreprocessStep } from './declarations.ts';
import { createFeatureReader } from './features.ts';
import { htmlToText } from './html.ts';
import { parseMail } from './mime.ts';
import { normaliseText } from './normalise.ts';

/** What an agent gets: the normalised payload and its numeric view in the order of declaration. */
export interface Preprocessed {
  readonly payload: JsonObject;
  readonly features: Float64Array;
}

/** A compiled pipeline: same payload in, same result out, on every machine of one Unicode version. */
export type Preprocessor = (payload: JsonObject) => Promise<Preprocessed>;

const textAt = (document: JsonObject, field: string): string => {
  const value = document[field];
  return typeof value === 'string' ? value : '';
};

function requireText(document: JsonObject, field: string): string {
  const value = document[field];
  if (typeof value === 'string') return value;
  throw invalidInput('the payload', [{ path: `/${field}`, message: 'the preprocessing needs a text here' }]);
}

function composed(value: JsonValue | undefined, prefix: string): string {
  if (typeof value === 'string') return value === '' ? '' : prefix + value;
  if (typeof value === 'number' || typeof value === 'boolean') return `${prefix}${String(value)}`;
  return Array.isArray(value) ? value.map((item) => composed(item, prefix)).join(' ') : '';
}

async function apply(step: PreprocessStep, document: JsonObject): Promise<void> {
  switch (step.op) {
    case 'mime': {
      const mail = await parseMail(requireText(document, step.field), step.headers);
      delete document[step.field];
      Object.assign(document, mail);
      return;
    }
    case 'html-to-text': {
      const before = step.mode === 'replace' ? '' : textAt(document, step.to);
      if (step.mode === 'if-empty' && before.trim() !== '') return;
      const text = htmlToText(textAt(document, step.field));
      document[step.to] = before === '' ? text : text === '' ? before : `${before}\n${text}`;
      return;
    }
    case 'normalise':
      for (const field of step.fields) document[field] = normaliseText(textAt(document, field), step);
      return;
    case 'redact':
      for (const field of step.fields) document[field] = redactText(textAt(document, field)).value;
      return;
    case 'compose':
      document[step.to] = step.parts
        .map((part) => composed(document[part.field], part.prefix))
        .filter((text) => text !== '')
        .join('\n');
      return;
    case 'drop':
      // Done after the features are read.
      return;
  }
}

/**
 * Compiles the pipeline that a task type declares. The result throws `CHIMERA_INVALID_INPUT` for a payload that a step
 * cannot read (a mail that is not a mail); it never changes the payload it is given.
 */
export function createPreprocessor(
  steps: readonly PreprocessStep[],
  features: readonly FeatureDeclaration[],
): Preprocessor {
  const readFeatures = createFeatureReader(features);
  const dropped = steps.flatMap((step) => (step.op === 'drop' ? step.fields : []));
  return async (payload) => {
    const document: JsonObject = { ...payload };
    for (const step of steps) await apply(step, document);
    const values = readFeatures(document);
    for (const field of dropped) delete document[field];
    return { payload: document, features: values };
  };
}

/** {@link createPreprocessor} for a single payload. */
export async function preprocess(
  steps: readonly PreprocessStep[],
  features: readonly FeatureDeclaration[],
  payload: JsonObject,
): Promise<Preprocessed> {
  return createPreprocessor(steps, features)(payload);
}
