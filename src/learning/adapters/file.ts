import { z } from 'zod';
import { invalidInput, type Problem } from '../../contracts/errors.ts';
import { decodeTensorFile, encodeTensorFile, type TensorData } from '../../core/training/tensor-file.ts';
import { adapterProblems } from './check.ts';
import type { Adapter } from './types.ts';

/** How an adapter's bytes begin. */
export const ADAPTER_MAGIC = 'CHAD';
const WHAT = 'the adapter file';

const header = z.strictObject({
  format: z.literal(1),
  base: z.strictObject({ name: z.string(), sha256: z.string() }),
  task: z.enum(['classification', 'causal', 'preference']),
  rank: z.number(),
  alpha: z.number(),
  rankStabilised: z.boolean(),
  maxTokens: z.number().int().min(1).optional(),
  targets: z.array(z.strictObject({ module: z.string(), inputs: z.number(), outputs: z.number() })),
  labels: z.array(z.string()).optional(),
});

const aOf = (module: string): string => `${module}.a`;
const bOf = (module: string): string => `${module}.b`;
const HEAD = { weight: 'head.weight', bias: 'head.bias' };

/** The bytes of an adapter: the same content is always the same bytes. Throws `CHIMERA_INVALID_INPUT` that names every problem. */
export function encodeAdapter(adapter: Adapter): Uint8Array {
  refuse('the adapter', adapterProblems(adapter));
  const { base, task, rank, alpha, rankStabilised, maxTokens, targets, head } = adapter;
  const updates = targets.flatMap(({ module, a, b }) => [[aOf(module), a] as const, [bOf(module), b] as const]);
  return encodeTensorFile(
    ADAPTER_MAGIC,
    {
      format: 1,
      ...{ base: { name: base.name, sha256: base.sha256 }, task, rank, alpha, rankStabilised },
      maxTokens,
      targets: targets.map(({ module, inputs, outputs }) => ({ module, inputs, outputs })),
      labels: head?.labels,
    },
    {
      ...Object.fromEntries(updates),
      ...(head === undefined ? {} : { [HEAD.weight]: head.weight, [HEAD.bias]: head.bias }),
    },
  );
}

/**
 * Reads and checks the bytes of an adapter. Throws `CHIMERA_INVALID_INPUT` on bytes that are cut off, foreign or not finite, and
 * on tensors that do not have the shapes that the header says.
 */
export function decodeAdapter(bytes: Uint8Array): Adapter {
  const file = decodeTensorFile(ADAPTER_MAGIC, bytes, WHAT);
  const parsed = header.safeParse(file.header);
  if (!parsed.success) {
    throw invalidInput(
      WHAT,
      parsed.error.issues.map(({ path, message }) => ({ path: `/${path.join('/')}`, message })),
    );
  }
  const { format: _, targets, labels, maxTokens, ...rest } = parsed.data;
  const problems: Problem[] = [];
  const unread = new Map(file.tensors);
  const take = (name: string): Float32Array => {
    const data: TensorData | undefined = unread.get(name);
    unread.delete(name);
    if (data instanceof Float32Array) return data;
    problems.push({ path: `/tensors/${name}`, message: 'this tensor is missing or of another type' });
    return new Float32Array();
  };
  const adapter: Adapter = {
    ...rest,
    ...(maxTokens === undefined ? {} : { maxTokens }),
    targets: targets.map((target) => ({ ...target, a: take(aOf(target.module)), b: take(bOf(target.module)) })),
    ...(labels === undefined ? {} : { head: { labels, weight: take(HEAD.weight), bias: take(HEAD.bias) } }),
  };
  for (const name of unread.keys()) problems.push({ path: `/tensors/${name}`, message: 'nothing uses this tensor' });
  refuse(WHAT, problems);
  refuse(WHAT, adapterProblems(adapter));
  return adapter;
}

function refuse(what: string, problems: readonly Problem[]): void {
  if (problems.length > 0) throw invalidInput(what, problems);
}
