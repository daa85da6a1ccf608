// Writes a document of nested objects as JSON, parses it into a tree of nodes, and writes that again.

class Node {
  kind: i32 = 0;
  number: f64 = 0;
  text: string = '';
  names: Array<string> = [];
  items: Array<Node> = [];
}

const NULL = 0, NUMBER = 1, TEXT = 2, LIST = 3, OBJECT = 4;

class Parser {
  at: i32 = 0;
  constructor(public source: string) {}

  private space(): void {
    while (this.at < this.source.length && this.source.charCodeAt(this.at) <= 32) this.at++;
  }

  parse(): Node {
    this.space();
    const node = new Node();
    const c = this.source.charCodeAt(this.at);
    if (c == 0x7b) {
      node.kind = OBJECT;
      this.at++;
      this.space();
      while (this.source.charCodeAt(this.at) != 0x7d) {
        this.space();
        node.names.push(this.string());
        this.space();
        this.at++;
        node.items.push(this.parse());
        this.space();
        if (this.source.charCodeAt(this.at) == 0x2c) this.at++;
      }
      this.at++;
    } else if (c == 0x5b) {
      node.kind = LIST;
      this.at++;
      this.space();
      while (this.source.charCodeAt(this.at) != 0x5d) {
        node.items.push(this.parse());
        this.space();
        if (this.source.charCodeAt(this.at) == 0x2c) this.at++;
      }
      this.at++;
    } else if (c == 0x22) {
      node.kind = TEXT;
      node.text = this.string();
    } else if (c == 0x6e) {
      node.kind = NULL;
      this.at += 4;
    } else {
      node.kind = NUMBER;
      node.number = this.number();
    }
    return node;
  }

  private string(): string {
    const from = ++this.at;
    let escaped = false;
    while (this.source.charCodeAt(this.at) != 0x22) {
      if (this.source.charCodeAt(this.at) == 0x5c) {
        escaped = true;
        this.at++;
      }
      this.at++;
    }
    const raw = this.source.substring(from, this.at++);
    return escaped ? raw.replaceAll('\\"', '"') : raw;
  }

  private number(): f64 {
    let sign = 1.0;
    if (this.source.charCodeAt(this.at) == 0x2d) {
      sign = -1;
      this.at++;
    }
    let value = 0.0;
    let scale = 0.0;
    for (; this.at < this.source.length; this.at++) {
      const c = this.source.charCodeAt(this.at);
      if (c == 0x2e) scale = 1;
      else if (c >= 0x30 && c <= 0x39) {
        value = value * 10 + (c - 0x30);
        scale *= 10;
      } else break;
    }
    return (sign * value) / (scale > 0 ? scale : 1);
  }
}

class Writer {
  private buffer: StaticArray<u16> = new StaticArray<u16>(65536);
  length: i32 = 0;

  put(c: i32): void {
    this.buffer[this.length++] = c as u16;
  }

  string(text: string): void {
    this.put(0x22);
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i);
      if (c == 0x22 || c == 0x5c) this.put(0x5c);
      this.put(c);
    }
    this.put(0x22);
  }

  integer(value: i32): void {
    if (value < 0) {
      this.put(0x2d);
      value = -value;
    }
    if (value >= 10) this.integer(value / 10);
    this.put(0x30 + (value % 10));
  }

  write(node: Node): void {
    if (node.kind == NUMBER) {
      this.integer(node.number as i32);
      const rest = (Math.abs(node.number) * 100) as i32 % 100;
      if (rest > 0) {
        this.put(0x2e);
        this.put(0x30 + rest / 10);
        if (rest % 10 > 0) this.put(0x30 + (rest % 10));
      }
    } else if (node.kind == TEXT) this.string(node.text);
    else if (node.kind == NULL) {
      this.put(0x6e);
      this.put(0x75);
      this.put(0x6c);
      this.put(0x6c);
    } else {
      this.put(node.kind == LIST ? 0x5b : 0x7b);
      for (let i = 0; i < node.items.length; i++) {
        if (i > 0) this.put(0x2c);
        if (node.kind == OBJECT) {
          this.string(node.names[i]);
          this.put(0x3a);
        }
        this.write(node.items[i]);
      }
      this.put(node.kind == LIST ? 0x5d : 0x7d);
    }
  }

  hash(): i32 {
    let hash = 0x811c9dc5 as i32;
    for (let i = 0; i < this.length; i++) hash = (hash ^ this.buffer[i]) * 16777619;
    return hash;
  }
}

function record(index: i32): string {
  return (
    '{"id": ' + index.toString() + ', "name": "person \\"' + index.toString() + '\\"", "score": -' + (index % 90).toString() +
    '.25, "tags": ["red", "green", null, "a longer piece of text that people write"], "nested": {"x": [1, 2, [3, 4.5]], "y": {}}}'
  );
}

export function run(rounds: i32): i32 {
  let result = 0;
  for (let round = 0; round < rounds; round++) {
    heap.reset();
    let source = '[';
    for (let i = 0; i < 60; i++) source += (i > 0 ? ',\n ' : '') + record(i + round);
    const tree = new Parser(source + ']').parse();
    const writer = new Writer();
    writer.write(tree);
    result = result * 31 + writer.hash();
  }
  return result;
}
