import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import type { z } from 'zod';
import type { ChimeraError, ErrorCode } from '../contracts/errors.ts';
import { addClosing } from './closing.ts';
import { parse } from './parse.ts';

/** Who calls: the project that the key belongs to, and the key's name for the audit log. */
export interface Principal {
  readonly project: string;
  readonly keyName: string;
}

export interface Context<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  /** Parsed JSON; for an NDJSON body use `stream`. */
  readonly body: B;
  /** The body as it comes in, where it is NDJSON. */
  readonly stream: Readable | undefined;
  readonly principal: Principal;
  readonly headers: FastifyRequest['headers'];
  readonly requestId: string;
  /** Aborted when the caller goes away, and when the gateway closes. */
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  /** JSON unless `type` says otherwise; a stream is sent as it comes. */
  readonly body: unknown;
  readonly type?: string;
  readonly headers?: Record<string, string>;
}

export interface ResponseSpec {
  readonly description: string;
  readonly schema?: z.ZodType;
  /** Media type; default JSON. */
  readonly type?: string;
  /** Of each server-sent event, where the caller may ask for those instead. */
  readonly event?: z.ZodType;
}

/** How a route tells its errors, where that is not the API's own way. */
export interface ErrorFormat {
  readonly schema: z.ZodType;
  readonly bodyOf: (error: ChimeraError) => unknown;
}

type Shape = z.ZodObject;

export interface RouteSpec<P extends Shape, Q extends Shape, B extends z.ZodType> {
  readonly method: 'GET' | 'POST';
  /** With `{name}` for parameters, as OpenAPI writes them. */
  readonly path: string;
  readonly tag: string;
  /** Name in the OpenAPI document, where the one that follows from the path is taken. */
  readonly operationId?: string;
  readonly summary: string;
  readonly description?: string;
  /** Reachable without a key. */
  readonly open?: boolean;
  /** Whom it serves without a key, and as whom. */
  readonly admit?: (request: FastifyRequest) => Principal | undefined;
  readonly params?: P;
  readonly query?: Q;
  /** Request headers worth documenting: name → description. */
  readonly headers?: Record<string, string>;
  readonly body?: B;
  /** Bytes that the body may have; default: the most that a task type of the project allows. */
  readonly bodyBytes?: number;
  /** The handler gets any JSON and checks it itself, with all else that it knows: `body` is for the document. */
  readonly unchecked?: boolean;
  /** One JSON value a line; may stand beside `body`. */
  readonly lines?: z.ZodType;
  readonly responses: Record<number, ResponseSpec>;
  /** Errors besides those of every route. */
  readonly errors?: readonly ErrorCode[];
  readonly errorFormat?: ErrorFormat;
  readonly handle: (context: Context<z.output<P>, z.output<Q>, z.output<B>>) => Promise<Answer>;
}

/** A route with its types erased: what is registered and what the OpenAPI document is made from. */
export type Route = Omit<RouteSpec<Shape, Shape, z.ZodType>, 'handle'> & {
  readonly handle: (context: Context<unknown, unknown, unknown>) => Promise<Answer>;
};

/** Checks a handler against the schemas of its own route. */
export function route<P extends Shape, Q extends Shape, B extends z.ZodType>(spec: RouteSpec<P, Q, B>): Route {
  return spec as unknown as Route;
}

/** Serves `routes`. Inputs are parsed by the schemas that the OpenAPI document shows. */
export function registerRoutes(
  app: FastifyInstance,
  routes: readonly Route[],
  principalOf: (request: FastifyRequest) => Principal,
): void {
  const closing = addClosing(app);
  for (const spec of routes) {
    app.route({
      method: spec.method,
      url: spec.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      config: {
        open: spec.open === true,
        admit: spec.admit,
        bodyBytes: spec.bodyBytes,
        errorFormat: spec.errorFormat,
      },
      handler: (request, reply) => serve(spec, request, reply, { principalOf, closing }),
    });
  }
}

const bodyOf = ({ unchecked = false }: Route, schema: z.ZodType, body: unknown): unknown =>
  unchecked ? body : parse(schema, body, 'the body');

async function serve(
  spec: Route,
  request: FastifyRequest,
  reply: FastifyReply,
  { principalOf, closing }: { principalOf: (request: FastifyRequest) => Principal; closing: AbortSignal },
): Promise<FastifyReply> {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(new Error('the caller went away'));
  });
  const isStream = typeof (request.body as Readable | undefined)?.pipe === 'function';
  const answer = await spec.handle({
    params: spec.params === undefined ? {} : parse(spec.params, request.params, 'the path'),
    query: spec.query === undefined ? {} : parse(spec.query, request.query, 'the query'),
    body: spec.body === undefined || isStream ? undefined : bodyOf(spec, spec.body, request.body ?? {}),
    stream: isStream ? (request.body as Readable) : undefined,
    principal: spec.open === true ? { project: '', keyName: '' } : principalOf(request),
    headers: request.headers,
    requestId: request.id,
    signal: AbortSignal.any([gone.signal, closing]),
  });
  void reply.code(answer.status);
  if (answer.headers !== undefined) void reply.headers(answer.headers);
  if (answer.type !== undefined) void reply.type(answer.type);
  return reply.send(answer.body);
}
