import type { FastifyRequest } from 'fastify';
import { ChimeraError } from '../contracts/errors.ts';
import { RequestRefusal } from './answers.ts';
import type { Route } from './route.ts';

/** What a request is told whose path or method there is not: the methods of its path, where it has any. */
export function noRoute(routes: readonly Pick<Route, 'method' | 'path'>[], { method, url }: FastifyRequest): Error {
  const path = url.split('?', 1)[0]!;
  const methods = [...new Set(routes.filter((route) => patternOf(route.path).test(path)).map((route) => route.method))];
  if (methods.length === 0)
    return new ChimeraError('CHIMERA_NOT_FOUND', { what: 'route', name: 'this; see /openapi.json' });
  return new RequestRefusal(405, `${method} is not a method of ${path}, ${methods.join(' and ')} is`, {
    allow: methods.join(', '),
  });
}

const patternOf = (path: string): RegExp =>
  new RegExp(`^${path.replaceAll(/[.+*?^$()|[\]\\]/g, '\\$&').replaceAll(/\{\w+\}/g, '[^/]+')}$`);
