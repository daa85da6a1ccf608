/*
 * Regular expressions of a JSON Schema come from outside, and a backtracking engine lets eight characters of pattern stop a worker.
 * Here a pattern is compiled to a nondeterministic automaton whose states advance together (Thompson, "Regular
 * expression search algorithm", CACM 11, 1968): time is at most length × states. Single characters are still decided by the
 * engine's own classes, which cannot backtrack. Back references and look-around need a backtracking engine and are refused.
 */

/** A pattern that can be asked about texts. */
export interface SafePattern {
  /** Does it match anywhere in `text`? Throws RangeError where `text` times its states is over the budget. */
  test(text: string): boolean;
  toString(): string;
}

const MAX_LENGTH = 512;
const MAX_STATES = 2000;
const MAX_WORK = 20_000_000;

type Node =
  | { readonly kind: 'class'; readonly matches: (character: string) => boolean }
  | { readonly kind: 'start' | 'end' }
  | { readonly kind: 'sequence' | 'choice'; readonly nodes: readonly Node[] }
  | { readonly kind: 'repeat'; readonly node: Node; readonly least: number; readonly most: number };

/** Parses to a tree, leaving what is inside `[…]` and escapes to the engine. Throws SyntaxError. */
function parse(pattern: string): Node {
  const characters = [...pattern];
  let at = 0;
  const fail = (why: string): never => {
    throw new SyntaxError(`pattern ${JSON.stringify(pattern)}: ${why}`);
  };
  const classOf = (source: string): Node => {
    let regex: RegExp;
    try {
      regex = new RegExp(`^(?:${source})$`, 'su');
    } catch {
      return fail(`${source} is not understood`);
    }
    // Patterns of a schema have no s flag: a dot is any character but a line end.
    if (source === '.') regex = /^.$/u;
    return { kind: 'class', matches: (character) => regex.test(character) };
  };

  const escape = (): Node => {
    const next = characters[at++] ?? fail('it ends in a backslash');
    if (/[1-9kbB]/.test(next)) return fail(`\\${next} is not supported`);
    if (/[pP]/.test(next)) {
      const close = characters.indexOf('}', at);
      if (characters[at] !== '{' || close < 0) return fail(`\\${next} needs {…}`);
      const name = characters.slice(at, close + 1).join('');
      at = close + 1;
      return classOf(`\\${next}${name}`);
    }
    if (next === 'u' || next === 'x') {
      const rest = characters.slice(at).join('');
      const digits = (next === 'x' ? /^[0-9a-fA-F]{2}/ : /^(?:[0-9a-fA-F]{4}|\{[0-9a-fA-F]{1,6}\})/).exec(rest)?.[0];
      if (digits === undefined) return fail(`\\${next} needs its digits`);
      at += digits.length;
      return classOf(`\\${next}${digits}`);
    }
    return classOf(`\\${next}`);
  };

  const set = (): Node => {
    const begin = at - 1;
    while (at < characters.length && characters[at] !== ']') at += characters[at] === '\\' ? 2 : 1;
    if (at++ >= characters.length) return fail('a [ is not closed');
    return classOf(characters.slice(begin, at).join(''));
  };

  const group = (depth: number): Node => {
    if (depth > 32) return fail('its groups nest too deep');
    if (characters[at] === '?') {
      if (characters[at + 1] !== ':') return fail('look-around and named groups are not supported');
      at += 2;
    }
    const inner = choice(depth + 1);
    if (characters[at++] !== ')') return fail('a ( is not closed');
    return inner;
  };

  const atom = (depth: number): Node => {
    const character = characters[at++]!;
    if (character === '^') return { kind: 'start' };
    if (character === '$') return { kind: 'end' };
    if (character === '(') return group(depth);
    if (character === '[') return set();
    if (character === '\\') return escape();
    if (character === '.') return classOf('.');
    if ('*+?{}]'.includes(character)) return fail(`${character} has nothing to repeat`);
    return { kind: 'class', matches: (other) => other === character };
  };

  const repeated = (node: Node): Node => {
    const rest = characters.slice(at, at + 16).join('');
    const match = /^(?:\*|\+|\?|\{(\d{1,4})(,?)(\d{0,4})\})/.exec(rest);
    if (match === null) return node;
    at += match[0].length;
    // Lazy or greedy, the answer to "does it match" is the same.
    if (characters[at] === '?') at++;
    if (node.kind === 'start' || node.kind === 'end') return fail('an anchor cannot repeat');
    const [least, most] =
      match[0] === '*'
        ? [0, Infinity]
        : match[0] === '+'
          ? [1, Infinity]
          : match[0] === '?'
            ? [0, 1]
            : [Number(match[1]), match[2] === '' ? Number(match[1]) : match[3] === '' ? Infinity : Number(match[3])];
    if (most < least) return fail('a repetition has its bounds the wrong way round');
    return { kind: 'repeat', node, least, most };
  };

  const choice = (depth: number): Node => {
    const branches: Node[] = [];
    for (;;) {
      const nodes: Node[] = [];
      while (at < characters.length && characters[at] !== '|' && characters[at] !== ')')
        nodes.push(repeated(atom(depth)));
      branches.push({ kind: 'sequence', nodes });
      if (characters[at] !== '|') return branches.length === 1 ? branches[0]! : { kind: 'choice', nodes: branches };
      at++;
    }
  };

  const tree = choice(0);
  return at < characters.length ? fail('a ) is not opened') : tree;
}

type State =
  | { readonly kind: 'class'; readonly matches: (character: string) => boolean; next: number }
  | { readonly kind: 'start' | 'end'; next: number }
  | { readonly kind: 'split'; readonly ways: number[] }
  | { readonly kind: 'match' };

/** The automaton of `tree`, built from its end: each node is given the state that follows it. */
function build(tree: Node, pattern: string): { states: State[]; first: number } {
  const states: State[] = [{ kind: 'match' }];
  const add = (state: State): number => {
    if (states.length >= MAX_STATES)
      throw new SyntaxError(`pattern ${JSON.stringify(pattern)}: it has too many states`);
    states.push(state);
    return states.length - 1;
  };
  const before = (node: Node, next: number): number => {
    switch (node.kind) {
      case 'class':
      case 'start':
      case 'end':
        return add({ ...node, next });
      case 'sequence':
        return node.nodes.reduceRight((after, inner) => before(inner, after), next);
      case 'choice':
        return add({ kind: 'split', ways: node.nodes.map((inner) => before(inner, next)) });
      case 'repeat': {
        let after = next;
        if (node.most === Infinity) {
          const ways = [next];
          after = add({ kind: 'split', ways });
          ways.push(before(node.node, after));
        } else {
          for (let i = node.least; i < node.most; i++) {
            after = add({ kind: 'split', ways: [next, before(node.node, after)] });
          }
        }
        for (let i = 0; i < node.least; i++) after = before(node.node, after);
        return after;
      }
    }
  };
  const first = before(tree, 0);
  return { states, first };
}

/** Compiles a pattern of a schema, or throws SyntaxError that says what is not supported. */
export function compilePattern(pattern: string): SafePattern {
  if (pattern.length > MAX_LENGTH)
    throw new SyntaxError(`a pattern of ${pattern.length} characters; the limit is ${MAX_LENGTH}`);
  const { states, first } = build(parse(pattern), pattern);

  /** Adds `state` and what is reached from it without a character. */
  const enter = (set: Set<number>, from: number, atStart: boolean, atEnd: boolean): void => {
    const pending = [from];
    for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
      if (set.has(index)) continue;
      set.add(index);
      const state = states[index]!;
      if (state.kind === 'split') pending.push(...state.ways);
      else if ((state.kind === 'start' && atStart) || (state.kind === 'end' && atEnd)) pending.push(state.next);
    }
  };

  return {
    test(text) {
      if (text.length * states.length > MAX_WORK) throw new RangeError('the text is too long for its pattern');
      const characters = [...text];
      let current = new Set<number>();
      for (let at = 0; ; at++) {
        const last = at === characters.length;
        // The entered sets of a step know whether they are at the end, so a state is entered at its own position.
        const entered = new Set<number>();
        for (const index of current) enter(entered, index, at === 0, last);
        enter(entered, first, at === 0, last);
        if (entered.has(0)) return true;
        if (last) return false;
        current = new Set();
        for (const index of entered) {
          const state = states[index]!;
          if (state.kind === 'class' && state.matches(characters[at]!)) current.add(state.next);
        }
      }
    },
    toString: () => pattern,
  };
}
