/** The sandbox process: the fabric's loop, composed with preparation, schema checks and models. */
import { invalidInput } from '../../contracts/errors.ts';
import type { JsonValue } from '../../contracts/records.ts';
import { loadLinearModel } from '../../core/training/linear/model.ts';
import { createPreprocessor } from '../../core/validation/preprocess/pipeline.ts';
import { compileJsonSchema } from '../../core/validation/schema.ts';
import { useNativeSha256 } from '../native-sha256.ts';
import { useGatheredBlobs } from './gathered-blob.ts';
import { serve } from './serve.ts';
import type { InferenceModel } from './services.ts';

useNativeSha256();
useGatheredBlobs();

/** A linear text model: its answer is the likeliest label and every label's probability. */
function linearModel(bytes: Uint8Array): InferenceModel {
  const { labels, score } = loadLinearModel(bytes);
  return {
    infer(input: JsonValue) {
      if (typeof input !== 'string') throw invalidInput('the model input', [{ path: '', message: 'must be a text' }]);
      return { labels, scores: score(input) };
    },
  };
}

serve({
  preparation: ({ preprocess, features }) => createPreprocessor(preprocess, features),
  validator: (schema) => compileJsonSchema(schema, 'the output schema'),
  model: linearModel,
});
