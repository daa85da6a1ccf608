import { z } from 'zod';
import type { GenerationRequest } from '../../learning/inference/types.ts';
import {
  chatChunk,
  chatCompletion,
  classificationList,
  embeddingList,
  modelList,
  modelView,
  viewClassifications,
  viewCompletion,
  viewEmbeddings,
  viewModel,
  type AnswerHead,
} from '../openai/answers.ts';
import { OPENAI_ERRORS } from '../openai/errors.ts';
import { InferenceSlots, modelsOf, requireModel, serviceFor, type Inference } from '../openai/inference.ts';
import { chatRequest, classificationRequest, embeddingRequest, parseRequest } from '../openai/requests.ts';
import { streamCompletion } from '../openai/stream.ts';
import { route, type Route } from '../route.ts';

/** Of a request: a long conversation, or OpenAI's most texts at 2 KB each. */
const BODY_BYTES = 4 << 20;

const asking = {
  tag: 'models',
  bodyBytes: BODY_BYTES,
  unchecked: true,
  errorFormat: OPENAI_ERRORS,
  errors: [
    'CHIMERA_MALFORMED_JSON',
    'CHIMERA_TOO_LARGE',
    'CHIMERA_NOT_FOUND',
    'CHIMERA_RATE_LIMITED',
    'CHIMERA_PROVIDER_FAILED',
    'CHIMERA_UNREACHABLE',
    'CHIMERA_WALL_DEADLINE',
  ],
} as const;

const headOf = (kind: string, requestId: string, model: string): AnswerHead => ({
  id: `${kind}-${requestId}`,
  created: Math.floor(Date.now() / 1000),
  model,
});

/** Models in OpenAI's protocol, so that its clients work with this API as base URL. */
export function openAiRoutes(inference: Inference): Route[] {
  const slots = new InferenceSlots(inference.limits);
  return [
    route({
      method: 'GET',
      path: '/v1/models',
      tag: 'models',
      summary: 'Models that answer',
      description:
        'In the form of OpenAI, and what each is for. A base model by its name, an adapter as name@ and the first eight digits of its id.',
      responses: { 200: { description: 'The models.', schema: modelList } },
      errorFormat: OPENAI_ERRORS,
      handle: async ({ principal }) => {
        const models = await modelsOf(inference, principal.project);
        return { status: 200, body: { object: 'list', data: models.map(viewModel) } };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/models/{model}',
      tag: 'models',
      summary: 'A model that answers',
      params: z.strictObject({ model: z.string().min(1).max(256) }),
      responses: { 200: { description: 'The model.', schema: modelView } },
      errors: ['CHIMERA_NOT_FOUND'],
      errorFormat: OPENAI_ERRORS,
      handle: async ({ params, principal }) => {
        const model = await requireModel(inference, principal.project, params.model);
        return { status: 200, body: viewModel(model) };
      },
    }),
    route({
      ...asking,
      method: 'POST',
      path: '/v1/embeddings',
      summary: 'Vectors of texts',
      description: 'In the form of OpenAI. A parameter that is not supported is refused, never ignored.',
      body: embeddingRequest,
      responses: { 200: { description: 'A vector for each text, of length 1.', schema: embeddingList } },
      handle: async ({ body, principal, signal, requestId }) => {
        const { model: name, input, encoding_format: format } = parseRequest(embeddingRequest, body);
        const { choice: model } = await requireModel(inference, principal.project, name, 'embedding');
        const answer = await slots.run(principal.project, () =>
          serviceFor(inference, principal, requestId).embed({ model, texts: input, signal }),
        );
        return { status: 200, body: viewEmbeddings(name, format, answer) };
      },
    }),
    route({
      ...asking,
      method: 'POST',
      path: '/v1/classify',
      summary: 'Labels of texts',
      description:
        'In the form of vLLM. By an adapter that classifies. A text longer than those it was trained on is cut; the usage counts what was read.',
      body: classificationRequest,
      responses: { 200: { description: 'The likeliest label of each text.', schema: classificationList } },
      handle: async ({ body, principal, signal, requestId }) => {
        const { model: name, input } = parseRequest(classificationRequest, body);
        const { choice } = await requireModel(inference, principal.project, name, 'classification');
        // Only adapters classify.
        const model = { ...choice, adapter: choice.adapter! };
        const answer = await slots.run(principal.project, () =>
          serviceFor(inference, principal, requestId).classify({ model, texts: input, signal }),
        );
        return { status: 200, body: viewClassifications(headOf('classify', requestId, name), answer) };
      },
    }),
    route({
      ...asking,
      method: 'POST',
      path: '/v1/chat/completions',
      summary: 'Go on with a conversation',
      description:
        'In the form of OpenAI, as one answer or as server-sent events. A parameter that is not supported is refused, never ignored. A caller that goes away ends the generation.',
      body: chatRequest,
      responses: { 200: { description: 'The answer.', schema: chatCompletion, event: chatChunk } },
      handle: async ({ body, principal, signal, requestId }) => {
        const { model: name, messages, maxTokens, temperature, ...rest } = parseRequest(chatRequest, body);
        const { choice: model } = await requireModel(inference, principal.project, name, 'generation');
        const request: GenerationRequest = {
          model,
          prompt: messages,
          maxTokens,
          temperature,
          topP: rest.top_p,
          stop: rest.stop,
          ...(rest.seed == null ? {} : { seed: String(rest.seed) }),
          signal,
        };
        const service = serviceFor(inference, principal, requestId);
        const generate = (onText?: (text: string) => void): ReturnType<typeof service.generate> =>
          slots.run(principal.project, () => service.generate(onText === undefined ? request : { ...request, onText }));
        const head = headOf('chatcmpl', requestId, name);
        if (!rest.stream) return { status: 200, body: viewCompletion(head, await generate()) };
        const includeUsage = rest.stream_options?.include_usage ?? false;
        const events = await streamCompletion(head, includeUsage, generate);
        return { status: 200, body: events, type: 'text/event-stream; charset=utf-8' };
      },
    }),
  ];
}
