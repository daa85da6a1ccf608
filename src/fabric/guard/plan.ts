import { newNode, placeCharges } from './flow.ts';
import type { Charge, FlowEdge, FlowNode } from './flow.ts';
import { BLOCK_ONE, BLOCK_VOID, newInstruction, readInstruction } from './instruction.ts';
import { CEILINGS } from './module.ts';
import type { FunctionBody, FunctionType } from './module.ts';
import { FloatTracker } from './nan.ts';
import type { FloatShape } from './nan.ts';
import { OPCODE, SIZED_MISC } from './opcodes.ts';
import { PRICES } from './prices.ts';
import { Reader } from './reader.ts';
import { refuse } from './refusal.ts';

/** In what a priced size is counted. */
export type SizeUnit = 'pages' | 'bytes' | 'elements';

/** What the rewriter puts in at byte `at`, before the instruction that starts there; `depth`: loops around it. */
export type Insertion = { readonly at: number; readonly depth: number } & (
  | { readonly kind: Charge['place']; readonly cost: number }
  | { readonly kind: 'return'; readonly label: number }
  | { readonly kind: 'size'; readonly unit: SizeUnit }
  | { readonly kind: 'call' | 'called' }
  | { readonly kind: 'canonical'; readonly shape: FloatShape }
);

export interface FunctionPlan {
  /** Fuel that the entry charges. */
  readonly entry: number;
  /** In the order of the code. */
  readonly insertions: readonly Insertion[];
  readonly calls: boolean;
  /** Fuel of one pass through all of its code, which bounds what it costs; Infinity where it loops. */
  readonly bound: number;
  /** Highest operand stack. */
  readonly height: number;
}

interface Frame {
  opcode: number;
  /** Height of the operand stack below the block's parameters. */
  readonly base: number;
  readonly params: number;
  readonly results: number;
  /** Loops around its code, itself included. */
  readonly depth: number;
  /** Where a branch to this block goes on: the head of a loop, else what follows the end. */
  readonly target: FlowNode;
  readonly after: FlowNode;
  /** The live node that the block was begun in. */
  readonly before: FlowNode | undefined;
}

/** Of insertions at one byte: what belongs to the instruction before, then charges, then what the one here needs. */
const RANK: Readonly<Record<Insertion['kind'], number>> = {
  called: 0,
  canonical: 0,
  node: 1,
  loop: 1,
  else: 2,
  taken: 2,
  return: 2,
  size: 2,
  call: 2,
};

/** Finds what a function costs, where that is best charged, and its highest operand stack. */
export function planFunction(
  body: FunctionBody,
  type: FunctionType,
  types: readonly FunctionType[],
  typeOf: readonly number[],
): FunctionPlan {
  const code = new Reader(body.code.bytes, body.code.at, body.code.end);
  const insertions: Insertion[] = [];
  const exit: FlowNode = { ...newNode(-1, 0), sealed: true };
  const entry = newNode(code.at, 0);
  entry.cost = PRICES.entry + (body.locals >>> PRICES.localsShift);
  const nodes = [entry];
  const frames: Frame[] = [
    {
      opcode: OPCODE.block,
      base: 0,
      params: 0,
      results: type.results.length,
      depth: 0,
      target: exit,
      after: exit,
      before: entry,
    },
  ];
  const instruction = newInstruction();
  const floats = new FloatTracker(type.params.length);
  let node: FlowNode | undefined = entry;
  let height = 0;
  let highest = 0;
  let calls = false;

  const begin = (next: FlowNode): void => {
    next.at = code.at;
    nodes.push(next);
    node = next;
  };
  const follow = (from: FlowNode | undefined, to: FlowNode, place: FlowEdge['place'] = 'none', at = 0): void => {
    from?.edges.push({ to, place, at });
  };
  /** A branch to `label` from the node at hand. */
  const branch = (label: number, place: FlowEdge['place'], at: number): Frame => {
    const frame = frames[frames.length - 1 - label];
    if (frame === undefined) return refuse('malformed', `label ${label} does not exist`);
    if (node !== undefined) {
      frame.target.arrivals++;
      if (node.depth > frame.target.depth) frame.target.sealed = true;
      follow(node, frame.target, place, at);
      floats.observe(frame.opcode === OPCODE.loop ? frame.params : frame.results);
    }
    return frame;
  };
  const dead = (): void => {
    node = undefined;
    height = frames[frames.length - 1]!.base;
    floats.resize(height);
  };

  /** Values from here and there meet: nothing is known of them any more. */
  const refill = (base: number, top: number): void => {
    floats.resize(base);
    floats.resize(top);
  };

  while (!code.done) {
    const at = code.at;
    readInstruction(code, instruction);
    const { opcode, index } = instruction;
    if (node !== undefined) node.cost += instruction.price;
    height += instruction.delta;
    const frame = frames[frames.length - 1];
    if (frame === undefined) return refuse('malformed', 'code after the last end');
    const { depth } = frame;
    if (node !== undefined) {
      if (opcode > OPCODE.callIndirect) floats.step(instruction, code.at, depth, code.bytes);
      else if (opcode === OPCODE.brIf || opcode === OPCODE.brTable || opcode >= OPCODE.call) floats.resize(height);
    }
    switch (opcode) {
      case OPCODE.block:
      case OPCODE.loop:
      case OPCODE.if: {
        const { params, results } = blockArity(index, types);
        if (frames.length > CEILINGS.nesting) refuse('limit', `blocks nested over ${CEILINGS.nesting} deep`);
        const inner = opcode === OPCODE.loop ? depth + 1 : depth;
        const after = newNode(-1, depth);
        if (node !== undefined) {
          floats.resize(height);
          floats.observe(params);
          refill(height - params, height);
        }
        const head = opcode === OPCODE.block ? undefined : newNode(code.at, inner, opcode === OPCODE.loop);
        const target = opcode === OPCODE.loop ? head! : after;
        const base = Math.max(0, height - params);
        frames.push({ opcode, base, params, results, depth: inner, target, after, before: node });
        if (head !== undefined && node !== undefined) {
          follow(node, head, opcode === OPCODE.if ? 'start' : 'none');
          begin(head);
        }
        break;
      }
      case OPCODE.else: {
        frame.opcode = OPCODE.else;
        height = frame.base + frame.params;
        if (node !== undefined) floats.observe(frame.results);
        refill(frame.base, height);
        if (node !== undefined) frame.after.arrivals++;
        follow(node, frame.after);
        if (frame.before !== undefined) {
          const arm = newNode(code.at, depth);
          follow(frame.before, arm, 'start');
          begin(arm);
        }
        break;
      }
      case OPCODE.end: {
        frames.pop();
        height = frame.base + frame.results;
        if (node !== undefined) floats.observe(frame.results);
        refill(frame.base, height);
        if (frame.opcode === OPCODE.if && frame.before !== undefined) {
          frame.after.arrivals++;
          follow(frame.before, frame.after, 'else', at);
        }
        if (frame.opcode === OPCODE.loop) frame.after.sealed = true;
        if (frames.length === 0) follow(node, exit);
        else if (frame.after.arrivals > 0 || (frame.opcode === OPCODE.loop && node !== undefined)) {
          follow(node, frame.after);
          begin(frame.after);
        }
        break;
      }
      case OPCODE.br:
        branch(index, 'none', at);
        dead();
        break;
      case OPCODE.brIf: {
        const { opcode: kind, results, target } = branch(index, 'taken', at);
        // A branch that repeats a loop, or one with values on the stack, leaves no place to charge its way.
        if (kind === OPCODE.loop || results > 0) target.sealed = true;
        if (node === undefined) break;
        const next = newNode(code.at, depth);
        follow(node, next, 'start');
        begin(next);
        break;
      }
      case OPCODE.brTable:
        for (const label of instruction.labels) branch(label, 'none', at).target.sealed = true;
        dead();
        break;
      case OPCODE.return:
        follow(node, exit);
        if (node !== undefined) insertions.push({ at, depth, kind: 'return', label: frames.length - 1 });
        floats.observe(type.results.length);
        dead();
        break;
      case OPCODE.unreachable:
        dead();
        break;
      case OPCODE.call:
      case OPCODE.callIndirect: {
        calls = true;
        const callee = types[opcode === OPCODE.call ? (typeOf[index] ?? -1) : index];
        if (callee === undefined) return refuse('malformed', `call of an unknown function ${index}`);
        height += callee.results.length - callee.params.length;
        if (node === undefined) break;
        floats.observe(callee.params.length);
        refill(height - callee.results.length, height);
        insertions.push({ at, depth, kind: 'call' }, { at: code.at, depth, kind: 'called' });
        break;
      }
      case OPCODE.memoryGrow:
        if (node !== undefined) insertions.push({ at, depth, kind: 'size', unit: 'pages' });
        break;
      case OPCODE.misc: {
        const unit = SIZED_MISC.get(instruction.sub);
        if (unit !== undefined && node !== undefined) insertions.push({ at, depth, kind: 'size', unit });
        break;
      }
    }
    height = Math.max(height, frames.at(-1)?.base ?? 0);
    if (node !== undefined && height > highest) highest = height;
  }
  if (frames.length > 0) refuse('malformed', 'a function without its end');
  const placed = placeCharges(nodes);
  for (const { at, shape } of floats.finish()) insertions.push({ at, depth: 0, kind: 'canonical', shape });
  for (const { at, place, cost, depth } of placed.charges) insertions.push({ at, depth, kind: place, cost });
  insertions.sort((a, b) => a.at - b.at || RANK[a.kind] - RANK[b.kind]);
  const loops = nodes.some(({ loop, arrivals }) => loop && arrivals > 0);
  const bound = loops ? Infinity : nodes.reduce((sum, { cost }) => sum + cost, 0);
  return { entry: placed.entry, insertions, calls, bound, height: highest };
}

function blockArity(index: number, types: readonly FunctionType[]): { params: number; results: number } {
  if (index === BLOCK_VOID) return { params: 0, results: 0 };
  if (index === BLOCK_ONE) return { params: 0, results: 1 };
  const type = types[index];
  if (type === undefined) return refuse('malformed', `block type ${index} does not exist`);
  return { params: type.params.length, results: type.results.length };
}
