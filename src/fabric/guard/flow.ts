/** A stretch of code that is entered at its start only and left at its end, the unit that is priced. */
export interface FlowNode {
  /** Byte at which it starts; -1 until it is known. */
  at: number;
  cost: number;
  readonly loop: boolean;
  /** How many loops it lies in. */
  readonly depth: number;
  readonly edges: FlowEdge[];
  /** Branches that come here, not counting the way in from above. */
  arrivals: number;
  /** Nothing may be paid ahead for it: somewhere on the way here is no place for a charge, or the way leaves a loop. */
  sealed: boolean;
  /** Fuel that whoever goes here has paid for already. */
  intake: number;
  /** The least that is still to pay from its start on, to where the next sealed node begins. */
  ahead: number;
}

/** Where the charge of one way out of a node can be put. */
export interface FlowEdge {
  readonly to: FlowNode;
  /** `start`: at the start of `to`, which only this edge enters; `else`: in an arm of its own; `taken`: in place of `br_if`. */
  readonly place: 'start' | 'else' | 'taken' | 'none';
  /** The `end` or the `br_if` that it lies at, where the place is one of these. */
  readonly at: number;
}

/** A charge of `cost` fuel at byte `at`; `loop` tests the counter as well. */
export interface Charge {
  readonly at: number;
  readonly place: 'node' | 'loop' | 'else' | 'taken';
  readonly cost: number;
  readonly depth: number;
}

export const newNode = (at: number, depth: number, loop = false): FlowNode => ({
  at,
  cost: 0,
  loop,
  depth,
  edges: [],
  arrivals: 0,
  sealed: false,
  intake: 0,
  ahead: 0,
});

/**
 * Places the charges of a function so that each way through it that ends without a trap pays exactly the costs of the
 * nodes on it, in as few charges as may be. Every node pays the least that can follow (`ahead`, a shortest path), so a
 * way that turns out dearer pays the rest where it parts, and the cheapest pays nothing on its way: a potential on the
 * graph, under which the sum over any path, and over any cycle, stays what it was. No charge is negative and none is made
 * that the rest of the function can avoid, so exactly the granted fuel is always enough. What only ends in a trap
 * pays nothing more, since a trap costs all the fuel anyway. `nodes` are in the order of the code, the entry first.
 */
export function placeCharges(nodes: readonly FlowNode[]): { readonly entry: number; readonly charges: Charge[] } {
  for (const node of nodes) {
    // A loop that is repeated by plain branches tests at its head: the branch back then pays for the head as well.
    if (node.loop) node.intake = node.sealed ? 0 : node.cost;
  }
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    node.ahead = node.cost + least(node);
    if (!node.loop) node.intake = node.sealed && node.ahead !== Infinity ? 0 : node.ahead;
  }
  const charges: Charge[] = [];
  for (const node of nodes) {
    const { at, depth } = node;
    const own = finite(node.ahead - node.intake);
    if (node !== nodes[0])
      charge(charges, { at, place: node.loop && node.arrivals > 0 ? 'loop' : 'node', cost: own, depth });
    const paid = least(node);
    for (const edge of node.edges) {
      const cost = finite(edge.to.intake - paid);
      if (edge.place === 'start') charge(charges, { at: edge.to.at, place: 'node', cost, depth: edge.to.depth });
      else if (edge.place !== 'none') charge(charges, { at: edge.at, place: edge.place, cost, depth });
    }
  }
  const entry = nodes[0]!;
  return { entry: entry.ahead === Infinity ? entry.cost : entry.ahead, charges };
}

const least = (node: FlowNode): number => node.edges.reduce((min, { to }) => Math.min(min, to.intake), Infinity);
const finite = (cost: number): number => (Number.isFinite(cost) ? cost : 0);

function charge(charges: Charge[], one: Charge): void {
  if (one.cost > 0 || one.place === 'loop') charges.push(one);
}
