// A treap: random insertions, look-ups, ordered walks; then the trees of the Computer Language Benchmarks Game.

class Node {
  left: Node | null = null;
  right: Node | null = null;
  constructor(
    public key: i32,
    public priority: u32,
  ) {}
}

let state: u32 = 1;
function random(): u32 {
  state = state * 1664525 + 1013904223;
  return state;
}

function insert(node: Node | null, key: i32): Node {
  if (node == null) return new Node(key, random());
  if (key < node.key) {
    const left = insert(node.left, key);
    node.left = left;
    if (left.priority > node.priority) {
      node.left = left.right;
      left.right = node;
      return left;
    }
  } else if (key > node.key) {
    const right = insert(node.right, key);
    node.right = right;
    if (right.priority > node.priority) {
      node.right = right.left;
      right.left = node;
      return right;
    }
  }
  return node;
}

function find(root: Node, key: i32): bool {
  let node: Node | null = root;
  while (node != null) {
    if (key == node.key) return true;
    node = key < node.key ? node.left : node.right;
  }
  return false;
}

function sum(node: Node | null, depth: i32): i32 {
  if (node == null) return depth;
  return (sum(node.left, depth + 1) ^ node.key) + sum(node.right, depth + 1);
}

function full(depth: i32): Node {
  const node = new Node(depth, 0);
  if (depth > 0) {
    node.left = full(depth - 1);
    node.right = full(depth - 1);
  }
  return node;
}

export function run(rounds: i32): i32 {
  let result = 0;
  for (let round = 0; round < rounds; round++) {
    heap.reset();
    state = 42 + round;
    let root = new Node(0, 0);
    for (let i = 0; i < 5000; i++) root = insert(root, (random() >> 8) as i32);
    for (let i = 0; i < 20000; i++) result += find(root, (random() >> 8) as i32) ? 7 : 1;
    result = result * 31 + sum(root, 0);
    for (let i = 0; i < 4; i++) result = result * 31 + sum(full(11), 0);
  }
  return result;
}
