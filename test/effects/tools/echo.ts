import type { ToolFunction } from '../../../src/effects/tools.ts';

/** Answers in as many ways as a tool can, by the member `as` of its input. */
const echo: ToolFunction = async (input, call) => {
  const { as } = input as { as: string };
  switch (as) {
    case 'call':
      return { key: call.idempotencyKey, project: call.project, aborted: call.signal.aborted };
    case 'mutation':
      (input as { as: string }).as = 'changed';
      return input;
    case 'refusal':
      throw Object.assign(new Error('no such customer'), { name: 'ToolError' });
    case 'crash':
      throw new Error('connect ECONNREFUSED 10.0.0.5:5432');
    case 'hang':
      return new Promise(() => undefined);
    case 'abort':
      await new Promise((_, reject) => call.signal.addEventListener('abort', () => reject(new Error('stopped'))));
      return null;
    default:
      return (outputs[as] as () => never)();
  }
};

const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
const shared = (depth: number): unknown => {
  let value: unknown = [1];
  for (let i = 0; i < depth; i++) value = [value, value];
  return value;
};
const circle = (): unknown => {
  const value: { inner?: unknown } = {};
  value.inner = value;
  return value;
};

const outputs: Record<string, () => unknown> = {
  nothing: () => undefined,
  'an undefined member': () => ({ a: 1, b: undefined }),
  'a date': () => ({ at: new Date(0) }),
  'a function': () => ({ a: () => 1 }),
  'a bigint': () => 1n,
  infinity: () => [Infinity],
  'a map': () => new Map([['a', 1]]),
  'an undefined item': () => [undefined],
  'a getter that throws': () => ({
    get a(): never {
      throw new Error('no');
    },
  }),
  'too much': () => 'a'.repeat(1_048_576),
  'as much as may be': () => 'a'.repeat(1_048_574),
  'too deep': () => nested(65),
  'as deep as may be': () => nested(64),
  'more nodes than bytes are allowed': () => shared(60),
  'a circle': circle,
};

export default echo;
