import { context, propagation } from '@opentelemetry/api';
import type { Client } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import { fastify, LogController, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Logger } from 'pino';
import { ChimeraError } from '../contracts/errors.ts';
import { parseLimited } from '../core/validation/json-limits.ts';
import { createLendingFabric } from '../fabric/lending.ts';
import type { Stores } from '../stores/index.ts';
import { measure } from '../telemetry/metrics.ts';
import { MAX_DEPTH, TaskTypeCache } from './admission.ts';
import { asChimeraError, errorBody, RequestRefusal } from './answers.ts';
import { readBody } from './body.ts';
import { CodecAccess } from './codec-access.ts';
import { CycleReader } from './cycles.ts';
import { DispatchMarks } from './dispatch-marks.ts';
import { noRoute } from './methods.ts';
import type { Inference } from './openai/inference.ts';
import { openApiDocument } from './openapi.ts';
import { registerRoutes, route, type Principal, type Route } from './route.ts';
import { agentRoutes } from './routes/agents.ts';
import { approvalRoutes } from './routes/approvals.ts';
import { batchRoutes } from './routes/batches.ts';
import { CODEC_PATH, codecRoutes } from './routes/codec.ts';
import { cycleRoutes } from './routes/cycles.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { executionRoutes } from './routes/executions.ts';
import { feedbackRoutes } from './routes/feedback.ts';
import { healthRoutes } from './routes/health.ts';
import { openAiRoutes } from './routes/openai.ts';
import { rolloutRoutes } from './routes/rollouts.ts';
import { taskTypeRoutes } from './routes/task-types.ts';
import { taskRoutes } from './routes/tasks.ts';
import { RunningExecutions } from './running-executions.ts';
import type { Services } from './services.ts';
import { createStarter } from './starter.ts';

export interface GatewayConfig {
  /** In front of every task queue name. */
  readonly queuePrefix?: string;
  /** Of the Temporal UI, for links to runs. */
  readonly ui?: { readonly url: string; readonly namespace: string };
  /** Serves the codec endpoints for the Temporal UI, to it and to keys of this project. */
  readonly codec?: { readonly codec: PayloadCodec; readonly project: string };
  /** Where the wasmtime library is: agents are tried on the engine that their manifest asks for. */
  readonly wasmtime?: string;
  /** How long Temporal may take to answer a start before the dispatcher is left to do it, in ms. */
  readonly startDeadlineMs?: number;
}

export interface GatewayOptions {
  readonly stores: Stores;
  readonly temporal: Client;
  readonly config?: GatewayConfig;
  /** Models that answer callers themselves: without it there are no endpoints in OpenAI's protocol. */
  readonly inference?: Inference;
  /** Prometheus text of this process. */
  readonly metrics?: () => Promise<string>;
  readonly logger?: Logger;
}

const VERSION = '0.1.0';

const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
} as const;

/** The HTTP API. The caller listens and closes; stores and Temporal client stay the caller's. */
export function createGateway(options: GatewayOptions): FastifyInstance {
  const { stores, temporal, config = {}, metrics = (): Promise<string> => Promise.resolve('') } = options;
  const app = fastify({
    ...(options.logger === undefined ? {} : { loggerInstance: options.logger as never }),
    // Calls are counted, timed and traced; a line each would drown what matters.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: (request) => requestId(request.headers['x-request-id']),
    requestTimeout: 0,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 512 },
  });
  const taskTypes = new TaskTypeCache(stores);
  const marks = new DispatchMarks(
    (project, taskIds) => stores.tasks.markDispatched(project, taskIds),
    (err) => app.log.warn({ err }, 'tasks are started but not marked; the dispatcher finds them running'),
  );
  const starter = createStarter({
    temporal,
    ...(config.queuePrefix === undefined ? {} : { queuePrefix: config.queuePrefix }),
    deadlineMs: config.startDeadlineMs ?? 2_000,
  });
  const ui = config.ui === undefined ? {} : { ui: config.ui };
  const services: Services = { stores, temporal, starter, marks, taskTypes, metrics, ...ui, log: app.log };
  // No process of it starts before something is published.
  const sandbox = createLendingFabric({
    poolSize: 1,
    resolve: (sha256) => stores.artifacts.get({ sha256 }),
    ...(config.wasmtime === undefined ? {} : { wasmtime: config.wasmtime }),
  });
  const running = new RunningExecutions({ temporal });
  const routes = [
    ...taskRoutes(services),
    ...batchRoutes(services),
    ...feedbackRoutes(services),
    ...taskTypeRoutes(services),
    ...agentRoutes({ stores, ...sandbox }),
    ...rolloutRoutes(services),
    ...deadLetterRoutes(services),
    ...cycleRoutes(services, new CycleReader({ stores, temporal, ...ui })),
    ...executionRoutes(services, running),
    ...approvalRoutes(services, running),
    ...healthRoutes(services),
  ];
  if (options.inference !== undefined) routes.push(...openAiRoutes(options.inference));
  const access = new CodecAccess(config.ui?.url);
  if (config.codec !== undefined) routes.push(...codecRoutes({ ...config.codec, access }));
  routes.push(openApiRoute(routes));

  if (config.codec !== undefined) addPreflight(app, access);
  const unrouted = (request: FastifyRequest): Error => noRoute(routes, request);
  addHooks(app, stores, unrouted);
  addParsers(app, taskTypes);
  app.setErrorHandler((error, request, reply) => fail(app, error, request, reply));
  app.setNotFoundHandler((request) => {
    throw unrouted(request);
  });
  app.addHook('onClose', () => marks.flush());
  app.addHook('onClose', () => sandbox.fabric.close());
  registerRoutes(app, routes.map(measured), principalOf);
  return app;
}

const principals = new WeakMap<FastifyRequest, Principal>();

function principalOf(request: FastifyRequest): Principal {
  const principal = principals.get(request);
  if (principal === undefined) throw new ChimeraError('CHIMERA_UNAUTHENTICATED');
  return principal;
}

function addHooks(app: FastifyInstance, stores: Stores, unrouted: (request: FastifyRequest) => Error): void {
  // The caller's trace goes on through the handler and, with the Temporal client's interceptor, into workflows.
  app.addHook('onRequest', (request, _reply, done) => {
    context.with(propagation.extract(context.active(), request.headers), done);
  });
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers({ ...SECURITY_HEADERS, 'x-request-id': request.id });
    const { open, admit } = (request.routeOptions.config ?? {}) as Pick<Route, 'open' | 'admit'>;
    // An unknown path asks for a key as well: without one nobody learns what there is.
    if (open === true) return;
    principals.set(request, admit?.(request) ?? (await authenticate(stores, request.headers.authorization)));
    // Before its body is looked at.
    if (request.is404) throw unrouted(request);
  });
}

/** A browser asks first whether a page may call the codec; every answer says so, an error's too. */
function addPreflight(app: FastifyInstance, access: CodecAccess): void {
  app.addHook('onRequest', (request, reply, done) => {
    if (request.url.startsWith(`${CODEC_PATH}/`)) void reply.headers(access.headers(request));
    done();
  });
  app.options(`${CODEC_PATH}/*`, { config: { open: true } }, (_request, reply) => reply.code(204).send());
}

async function authenticate(stores: Stores, header: string | undefined): Promise<Principal> {
  const key = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(header ?? '')?.[1];
  const found = key === undefined ? undefined : await stores.apiKeys.verify(key);
  if (found === undefined) throw new ChimeraError('CHIMERA_UNAUTHENTICATED');
  return { project: found.project, keyName: found.name };
}

function addParsers(app: FastifyInstance, taskTypes: TaskTypeCache): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', async (request: FastifyRequest, payload: Readable) => {
    const { bodyBytes } = (request.routeOptions.config ?? {}) as Pick<Route, 'bodyBytes'>;
    const limit = bodyBytes ?? (await taskTypes.longestBody(principalOf(request).project));
    const declared = Number(request.headers['content-length'] ?? Number.NaN);
    const bytes = await readBody(payload, limit, Number.isFinite(declared) ? declared : undefined);
    if (bytes.length === 0) return {};
    return parseLimited(bytes, { maxBytes: limit, maxDepth: MAX_DEPTH });
  });
  for (const type of ['application/x-ndjson', 'application/ndjson', 'application/jsonl'])
    app.addContentTypeParser(type, (_request: FastifyRequest, payload: Readable, done) => done(null, payload));
}

function fail(app: FastifyInstance, error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = asChimeraError(error);
  if (known.status >= 500)
    app.log.error({ err: known.cause ?? known, requestId: request.id, code: known.code }, known.message);
  if (known.code === 'CHIMERA_UNAUTHENTICATED') void reply.header('www-authenticate', 'Bearer');
  if (known instanceof RequestRefusal) void reply.headers(known.headers);
  if (known.status === 429 || known.status === 503) void reply.header('retry-after', '1');
  // What the peer still sends will not be read.
  if (!request.raw.complete) void reply.header('connection', 'close');
  const { errorFormat } = (request.routeOptions.config ?? {}) as Pick<Route, 'errorFormat'>;
  const body = errorFormat?.bodyOf(known) ?? errorBody(known, request.id);
  return reply.code(known.status).type('application/json').send(body);
}

/** Each call is an operation of layer ingestion: counted, timed, traced. */
function measured(spec: Route): Route {
  if (spec.open === true) return spec;
  return {
    ...spec,
    handle: (call) =>
      measure('ingestion', `${spec.method} ${spec.path}`, () => spec.handle(call), { project: call.principal.project }),
  };
}

function openApiRoute(routes: readonly Route[]): Route {
  let text: string | undefined;
  const self: Route = route({
    method: 'GET',
    path: '/openapi.json',
    tag: 'health',
    summary: 'This document',
    open: true,
    responses: { 200: { description: 'OpenAPI 3.1.', type: 'application/json' } },
    handle: () => {
      text ??= JSON.stringify(openApiDocument([...routes, self], VERSION));
      return Promise.resolve({ status: 200, body: text, type: 'application/json; charset=utf-8' });
    },
  });
  return self;
}

function requestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
}
