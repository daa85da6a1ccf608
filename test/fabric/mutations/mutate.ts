import type { Stream } from '../../../src/core/random/random.ts';
import { newInstruction, readInstruction } from '../../../src/fabric/guard/instruction.ts';
import { isComponent } from '../../../src/fabric/guard/component.ts';
import { SECTION } from '../../../src/fabric/guard/module.ts';
import { Reader } from '../../../src/fabric/guard/reader.ts';
import { cut, join, leb, lebAt, splice } from './sections.ts';
import type { Section } from './sections.ts';

type Bytes = Uint8Array<ArrayBuffer>;
/** One change of a module or a component; `others` are agents that a part may be taken from. */
type Mutation = (bytes: Uint8Array, random: Stream, others: readonly Uint8Array[]) => Bytes;

/** Section of a component that holds a core module. */
const CORE_MODULE = 1;
/** Counts, lengths and indices at which something could go over. */
const EDGES = [0, 1, 2, 63, 64, 127, 128, 255, 256, 16_383, 16_384, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
/** Names that something in the host could take for its own. */
const NAMES = [
  '',
  'step',
  'memory',
  'cabi_realloc',
  '__proto__',
  'constructor',
  'chimera:fuel',
  "';//",
  '\0',
  'a'.repeat(300),
];

const numbers = (random: Stream, count: number): number[] => Array.from({ length: count }, () => random.integer(256));
const place = (random: Stream, bytes: Uint8Array): number => random.integer(Math.max(1, bytes.length));

/** The same number in more bytes than it needs, or in more than there may be. */
function overlong(random: Stream, value: number): number[] {
  const bytes = [...leb(value)];
  bytes[bytes.length - 1]! |= 0x80;
  for (let more = random.integer(8); more > 0; more--) bytes.push(0x80);
  return [...bytes, 0];
}

const anyLeb = (random: Stream, value: number): ArrayLike<number> => {
  const how = random.integer(5);
  if (how === 0) return overlong(random, value);
  if (how === 1) return leb(random.pick(EDGES));
  if (how === 2) return leb(Math.max(0, value + random.pick([-1, 1])));
  if (how === 3) return leb(random.integer(16));
  return leb(random.u32());
};

/** Changes one section in place; an agent without sections stays as it is. */
function onSection(change: (section: Section, random: Stream) => Section | readonly Section[]): Mutation {
  return (bytes, random) => {
    const { header, sections } = cut(bytes);
    const at = place(random, new Uint8Array(sections.length));
    return join({ header, sections: sections.flatMap((one, i) => (i === at ? change(one, random) : one)) });
  };
}

const onBody = (change: (body: Uint8Array, random: Stream) => Uint8Array): Mutation =>
  onSection(({ id, body }, random) => ({ id, body: body.length === 0 ? body : change(body, random) }));

type CodeChange = (code: Uint8Array, starts: readonly number[], random: Stream) => Uint8Array;

/** Changes one function's instructions, in a component those of its core module; the sizes around it fit. */
const onCode =
  (change: CodeChange): Mutation =>
  (bytes, random, others) =>
    isComponent(bytes)
      ? inCoreModule(bytes, (core) => onCode(change)(core, random, others))
      : inSection(bytes, SECTION.code, (body) => onFunction(body, random, change));

const inCoreModule = (component: Uint8Array, change: (core: Uint8Array) => Uint8Array): Bytes =>
  inSection(component, CORE_MODULE, change);

function inSection(bytes: Uint8Array, which: number, change: (body: Uint8Array) => Uint8Array): Bytes {
  const { header, sections } = cut(bytes);
  return join({ header, sections: sections.map(({ id, body }) => ({ id, body: id === which ? change(body) : body })) });
}

function onFunction(body: Uint8Array, random: Stream, change: CodeChange): Uint8Array {
  const { value: count, end } = lebAt(body, 0);
  if (count === 0) return body;
  let at = end;
  for (let skip = random.integer(count); skip > 0; skip--) {
    const size = lebAt(body, at);
    at = size.end + size.value;
  }
  const size = lebAt(body, at);
  const code = body.subarray(size.end, size.end + size.value);
  const reader = new Reader(code);
  for (let groups = reader.u32(); groups > 0; groups--) {
    reader.u32();
    reader.byte();
  }
  const starts: number[] = [];
  for (const instruction = newInstruction(); !reader.done; readInstruction(reader, instruction)) starts.push(reader.at);
  const changed = change(code, starts, random);
  return splice(body, at, size.end - at + size.value, [...leb(changed.length), ...changed]);
}

const MUTATIONS: readonly Mutation[] = [
  // Bytes, wherever they are.
  (bytes, random) => {
    const out = new Uint8Array(bytes);
    for (let left = 1 + random.integer(4); left > 0; left--) out[place(random, out)] = random.integer(256);
    return out;
  },
  (bytes, random) => {
    const out = new Uint8Array(bytes);
    out[place(random, out)]! ^= 1 << random.integer(8);
    return out;
  },
  (bytes, random) => splice(bytes, place(random, bytes), random.integer(8), numbers(random, random.integer(8))),
  (bytes, random) => {
    const from = place(random, bytes);
    return splice(bytes, place(random, bytes), 0, bytes.subarray(from, from + random.integer(64)));
  },
  (bytes, random) => new Uint8Array(bytes.subarray(0, place(random, bytes))),
  // Sections: length, number, order, absence.
  onSection(({ id, body }, random) => ({ id, body, length: Uint8Array.from(anyLeb(random, body.length)) })),
  onSection(({ body }, random) => ({ id: random.pick([...Array(14).keys(), 77, 255]), body })),
  onSection((section, random) => (random.chance(0.5) ? [] : [section, section])),
  onSection(({ id }) => ({ id, body: new Uint8Array(0) })),
  (bytes, random) => {
    const { header, sections } = cut(bytes);
    return join({ header, sections: random.shuffle(sections) });
  },
  (bytes, random, others) => {
    const { header, sections } = cut(bytes);
    const foreign = random.pick(cut(random.pick(others)).sections);
    const at = place(random, new Uint8Array(sections.length));
    const same = sections.findIndex(({ id }) => id === foreign.id);
    if (same >= 0 && random.chance(0.7)) return join({ header, sections: sections.with(same, foreign) });
    return join({ header, sections: sections.toSpliced(at, 0, foreign) });
  },
  // Counts and other numbers in a section whose length stays right.
  onBody((body, random) => {
    const { value, end } = lebAt(body, 0);
    return splice(body, 0, end, anyLeb(random, value));
  }),
  onBody((body, random) => {
    const at = place(random, body);
    const { value, end } = lebAt(body, at);
    return splice(body, at, end - at, anyLeb(random, value));
  }),
  // Names: of exports, of imports, of what a component wraps.
  (bytes, random) => {
    const { header, sections } = cut(bytes);
    const named = sections.flatMap(({ id }, at) => ([7, 10, 11, 2, 0].includes(id) ? [at] : []));
    if (named.length === 0) return new Uint8Array(bytes);
    const at = random.pick(named);
    const { id, body } = sections[at]!;
    return join({ header, sections: sections.with(at, { id, body: rename(body, random) }) });
  },
  // Instructions.
  onCode((code, starts, random) => {
    const at = random.pick(starts);
    return splice(code, at, 1, [random.chance(0.5) ? random.integer(256) : 0x45 + random.integer(0x80)]);
  }),
  onCode((code, starts, random) => {
    const at = random.integer(starts.length);
    return splice(code, starts[at]!, (starts[at + 1] ?? code.length) - starts[at]!, []);
  }),
  onCode((code, starts, random) => {
    const [from, to] = [random.integer(starts.length), random.pick(starts)] as const;
    return splice(code, to, 0, code.subarray(starts[from]!, starts[from + 1] ?? code.length));
  }),
  onCode((code, starts, random) => {
    const at = random.pick(starts) + 1;
    if (at >= code.length) return code;
    const { value, end } = lebAt(code, at);
    return splice(code, at, end - at, anyLeb(random, value));
  }),
  // Constants, most of which keep a module valid.
  onCode((code, starts, random) => {
    const constants = starts.filter((at) => code[at] === 0x41);
    if (constants.length === 0) return code;
    const at = random.pick(constants) + 1;
    const { end } = lebAt(code, at);
    return splice(
      code,
      at,
      end - at,
      random.pick([[0], [1], [0x7f], [0xc0, 0], [0x80, 0x80, 4], [0x80, 0x80, 0x80, 0x80, 0x78]]),
    );
  }),
];

/** One of the names in a section, if one is found, made another. */
function rename(body: Uint8Array, random: Stream): Uint8Array {
  const found: number[] = [];
  for (let at = 0; at < body.length; at++) {
    const { value, end } = lebAt(body, at);
    const text = body.subarray(end, end + value);
    if (value > 2 && text.length === value && text.every((byte) => byte >= 0x20 && byte < 0x7f)) found.push(at);
  }
  if (found.length === 0) return body;
  const at = random.pick(found);
  const { value, end } = lebAt(body, at);
  const name = random.chance(0.3) ? numbers(random, 1 + random.integer(6)) : Buffer.from(random.pick(NAMES));
  return splice(body, at, end - at + value, [...leb(name.length), ...name]);
}

/**
 * An agent with a few things wrong with it: random bytes, or a part of its structure and the rest made to fit. Of a
 * component either the wrapping is changed or the core module inside.
 */
export function mutate(agent: Uint8Array, random: Stream, others: readonly Uint8Array[]): Bytes {
  if (isComponent(agent) && random.chance(0.5)) {
    return inCoreModule(agent, (core) => mutateOnce(core, random, others));
  }
  return mutateOnce(agent, random, others);
}

/** Mostly one mutation. A second one is of bytes only: what the first leaves may not be cut into sections any more. */
function mutateOnce(bytes: Uint8Array, random: Stream, others: readonly Uint8Array[]): Bytes {
  const once = random.pick(MUTATIONS)(bytes, random, others);
  return random.chance(0.15) && once.length > 0 ? random.pick(MUTATIONS.slice(0, 4))(once, random, others) : once;
}
