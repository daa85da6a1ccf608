import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../contracts/errors.ts';
import type { ResponseSpec, Route } from './route.ts';
import { apiSchemas, errorAnswer } from './schemas.ts';

export type OpenApiDocument = {
  openapi: '3.1.0';
  paths: Record<string, Record<string, unknown>>;
  [part: string]: unknown;
};

/** Errors that any route under /v1 can answer. */
const COMMON: readonly ErrorCode[] = [
  'CHIMERA_INVALID_INPUT',
  'CHIMERA_UNAUTHENTICATED',
  'CHIMERA_INTERNAL',
  'CHIMERA_STORE_UNAVAILABLE',
];

/** The OpenAPI 3.1 document of `routes`, from the very schemas that parse their inputs. */
export function openApiDocument(routes: readonly Route[], version: string): OpenApiDocument {
  const paths: OpenApiDocument['paths'] = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Chimera',
      version,
      description: 'Tasks in, answers out; feedback in, better agents out.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ apiKey: [] }],
    tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: { apiKey: { type: 'http', scheme: 'bearer', description: 'An API key of the project.' } },
      schemas: componentSchemas(),
    },
  };
}

function componentSchemas(): Record<string, unknown> {
  const { schemas } = z.toJSONSchema(apiSchemas, { uri: reference, io: 'input', unrepresentable: 'any' });
  return Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, bare(schema)]));
}

const reference = (id: string): string => `#/components/schemas/${id}`;

/** Without what holds for the whole document (`$schema`) or would clash with the reference (`$id`, `id`). */
function bare(schema: object): Record<string, unknown> {
  const { $schema: _dialect, $id: _id, id: _name, ...rest } = schema as Record<string, unknown>;
  return rest;
}

function schemaOf(schema: z.ZodType): Record<string, unknown> {
  const entry = apiSchemas.get(schema);
  return entry === undefined
    ? bare(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }))
    : { $ref: reference(entry.id) };
}

function operation(route: Route): Record<string, unknown> {
  const errors = [...(route.open === true ? [] : COMMON), ...(route.errors ?? [])];
  return {
    tags: [route.tag],
    operationId: route.operationId ?? operationId(route),
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    ...(route.open === true ? { security: [] } : {}),
    parameters: parameters(route),
    ...requestBody(route),
    responses: {
      ...Object.fromEntries(Object.entries(route.responses).map(([status, response]) => [status, answer(response)])),
      ...errorAnswers(errors, route.errorFormat?.schema ?? errorAnswer),
      ...(route.body === undefined && route.lines === undefined
        ? {}
        : mediaTypeAnswer(route.errorFormat?.schema ?? errorAnswer)),
    },
  };
}

function operationId({ method, path }: Route): string {
  const words = path.split('/').filter((word) => word !== '' && word !== 'v1');
  const camel = words.map((word) =>
    word.replace(/^\{(\w+)\}$/, 'by-$1').replaceAll(/(?:^|[-.])(\w)/g, (_, letter: string) => letter.toUpperCase()),
  );
  return method.toLowerCase() + camel.join('');
}

function parameters({ params, query, headers = {} }: Route): unknown[] {
  const of = (place: string, shape: z.ZodObject | undefined): unknown[] => {
    if (shape === undefined) return [];
    const { properties = {}, required = [] } = z.toJSONSchema(shape, { io: 'input', unrepresentable: 'any' });
    return Object.entries(properties).map(([name, schema]) => {
      const { description, ...rest } = schema as Record<string, unknown>;
      const isRequired = place === 'path' || required.includes(name);
      return {
        name,
        in: place,
        required: isRequired,
        ...(description === undefined ? {} : { description }),
        schema: rest,
      };
    });
  };
  const headerEntries = Object.entries(headers).map(([name, description]) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string' },
  }));
  return [...of('path', params), ...of('query', query), ...headerEntries];
}

function requestBody({ body, lines }: Route): Record<string, unknown> {
  if (body === undefined && lines === undefined) return {};
  const content = {
    ...(body === undefined ? {} : { 'application/json': { schema: schemaOf(body) } }),
    ...(lines === undefined ? {} : { 'application/x-ndjson': { schema: schemaOf(lines) } }),
  };
  const description = lines === undefined ? {} : { description: 'NDJSON: one value of this schema a line.' };
  return { requestBody: { required: true, ...description, content } };
}

function answer({ description, schema, type = 'application/json', event }: ResponseSpec): Record<string, unknown> {
  const content = {
    [type]: { schema: schema === undefined ? { type: 'string' } : schemaOf(schema) },
    ...(event === undefined ? {} : { 'text/event-stream': { schema: schemaOf(event) } }),
  };
  return { description, content };
}

/** A body of another media type. */
const mediaTypeAnswer = (schema: z.ZodType): Record<string, unknown> => ({
  415: { description: 'CHIMERA_INVALID_INPUT', content: { 'application/json': { schema: schemaOf(schema) } } },
});

function errorAnswers(codes: readonly ErrorCode[], schema: z.ZodType): Record<string, unknown> {
  const byStatus = Map.groupBy(new Set(codes), (code) => ERRORS[code].status);
  const content = { 'application/json': { schema: schemaOf(schema) } };
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [String(status), { description: group.join(', '), content }]),
  );
}
