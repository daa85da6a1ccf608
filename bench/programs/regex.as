// A backtracking matcher of characters, classes, dots, groups' alternatives and the quantifiers * + ?, over lines of text.

class Matcher {
  constructor(
    public pattern: string,
    public text: string,
  ) {}

  private atomEnd(p: i32): i32 {
    const c = this.pattern.charCodeAt(p);
    if (c == 0x5c) return p + 2;
    if (c == 0x5b) return this.pattern.indexOf(']', p) + 1;
    if (c == 0x28) return this.pattern.indexOf(')', p) + 1;
    return p + 1;
  }

  private one(p: i32, t: i32): bool {
    if (t >= this.text.length) return false;
    const c = this.text.charCodeAt(t);
    const atom = this.pattern.charCodeAt(p);
    if (atom == 0x2e) return true;
    if (atom == 0x5c) {
      const kind = this.pattern.charCodeAt(p + 1);
      if (kind == 0x64) return c >= 0x30 && c <= 0x39;
      if (kind == 0x77) return (c >= 0x61 && c <= 0x7a) || (c >= 0x41 && c <= 0x5a) || (c >= 0x30 && c <= 0x39) || c == 0x5f;
      if (kind == 0x73) return c == 0x20 || (c >= 9 && c <= 13);
      return kind == c;
    }
    if (atom == 0x5b) {
      let at = p + 1;
      const negated = this.pattern.charCodeAt(at) == 0x5e;
      if (negated) at++;
      let found = false;
      while (this.pattern.charCodeAt(at) != 0x5d) {
        const low = this.pattern.charCodeAt(at);
        if (this.pattern.charCodeAt(at + 1) == 0x2d) {
          if (c >= low && c <= this.pattern.charCodeAt(at + 2)) found = true;
          at += 3;
        } else {
          if (c == low) found = true;
          at++;
        }
      }
      return found != negated;
    }
    return atom == c;
  }

  /** Length that a group's first fitting alternative takes at t, or -1. */
  private group(p: i32, t: i32): i32 {
    let at = p + 1;
    while (true) {
      let length = 0;
      let fits = true;
      while (this.pattern.charCodeAt(at) != 0x7c && this.pattern.charCodeAt(at) != 0x29) {
        if (fits && this.one(at, t + length)) length++;
        else fits = false;
        at = this.atomEnd(at);
      }
      if (fits) return length;
      if (this.pattern.charCodeAt(at) == 0x29) return -1;
      at++;
    }
    return -1;
  }

  private atom(p: i32, t: i32): i32 {
    if (this.pattern.charCodeAt(p) == 0x28) return this.group(p, t);
    return this.one(p, t) ? 1 : -1;
  }

  /** Where a match from (p, t) ends, or -1. */
  match(p: i32, t: i32): i32 {
    if (p >= this.pattern.length) return t;
    const next = this.atomEnd(p);
    const quantifier = next < this.pattern.length ? this.pattern.charCodeAt(next) : 0;
    if (quantifier == 0x2a || quantifier == 0x2b || quantifier == 0x3f) {
      const taken = this.atom(p, t);
      if (taken > 0) {
        const rest = quantifier == 0x3f ? this.match(next + 1, t + taken) : this.star(p, next, t + taken);
        if (rest >= 0) return rest;
      }
      return quantifier == 0x2b ? -1 : this.match(next + 1, t);
    }
    const taken = this.atom(p, t);
    return taken < 0 ? -1 : this.match(next, t + taken);
  }

  private star(p: i32, next: i32, t: i32): i32 {
    const taken = this.atom(p, t);
    if (taken > 0) {
      const rest = this.star(p, next, t + taken);
      if (rest >= 0) return rest;
    }
    return this.match(next + 1, t);
  }

  count(): i32 {
    let found = 0;
    for (let t = 0; t < this.text.length; ) {
      const end = this.match(0, t);
      if (end > t) {
        found += end;
        t = end;
      } else t++;
    }
    return found;
  }
}

const TEXT =
  'From: Ada Lovelace <ada@engine.example> on 1843-07-10 at 12:30. Call +44 20 7946 0018 or see http://notes.example/a?b=c&d=42; ' +
  'the analytical engine weaves algebraical patterns just as the Jacquard loom weaves flowers and leaves, she wrote, 17 times over. ' +
  'colour color grey gray 192.168.0.1 10.0.0.255 foo_bar42 x=1;y=22;z=333; (parentheses) [brackets] {braces} THE END 2026-11-22';

export function run(rounds: i32): i32 {
  let result = 0;
  for (let round = 0; round < rounds; round++) {
    heap.reset();
    result = result * 31 + new Matcher('[a-z]+@[a-z]+\\.[a-z]+', TEXT).count();
    result = result * 31 + new Matcher('\\d\\d\\d\\d-\\d\\d-\\d\\d', TEXT).count();
    result = result * 31 + new Matcher('\\d+\\.\\d+\\.\\d+\\.\\d+', TEXT).count();
    result = result * 31 + new Matcher('gr(a|e)y|colou?r', TEXT).count();
    result = result * 31 + new Matcher('https?://[^\\s;]+', TEXT).count();
    result = result * 31 + new Matcher('\\w+\\s\\w+\\s.*over', TEXT).count();
  }
  return result;
}
