// JSON in and out, as small as it can be. It reads what the host writes, so that broken JSON only ends the turn.

enum Kind {
  /** A number, true, false or null, as it is written: what nobody looks at costs nothing and stays as it was. */
  Word,
  Text,
  List,
  Object,
}

/** A JSON value. `new Json()` is an empty object. */
export class Json {
  private kind: Kind = Kind.Object;
  private string: string = '';
  private names: string[] = [];
  private items: Json[] = [];

  static parse(text: string): Json {
    return new Parser(text).value();
  }

  static text(value: string): Json {
    return Json.of(Kind.Text, value);
  }

  static num(value: f64): Json {
    return Json.of(Kind.Word, value.toString());
  }

  static bool(value: bool): Json {
    return Json.of(Kind.Word, value ? 'true' : 'false');
  }

  static list(items: Json[]): Json {
    const json = Json.of(Kind.List, '');
    json.items = items;
    return json;
  }

  static null(): Json {
    return Json.of(Kind.Word, 'null');
  }

  /** A number, true, false or null, as it is written. */
  static word(word: string): Json {
    return Json.of(Kind.Word, word);
  }

  private static of(kind: Kind, string: string): Json {
    const json = new Json();
    json.kind = kind;
    json.string = string;
    return json;
  }

  /** Adds a member to an object. */
  set(name: string, value: Json): Json {
    this.names.push(name);
    this.items.push(value);
    return this;
  }

  /** A member of an object; null where there is none. */
  get(name: string): Json {
    const index = this.names.indexOf(name);
    return index < 0 ? Json.null() : this.items[index];
  }

  /** An item of a list; null where there is none. */
  at(index: i32): Json {
    return index < 0 || index >= this.items.length ? Json.null() : this.items[index];
  }

  /** Items of a list, members of an object. */
  get length(): i32 {
    return this.items.length;
  }

  get isNull(): bool {
    return this.kind == Kind.Word && this.string == 'null';
  }

  /** The text, or "" where it is none. */
  asText(): string {
    return this.kind == Kind.Text ? this.string : '';
  }

  /** The number, or NaN where it is none. */
  asNumber(): f64 {
    return this.kind == Kind.Word ? parseFloat(this.string) : NaN;
  }

  asBool(): bool {
    return this.kind == Kind.Word && this.string == 'true';
  }

  toString(): string {
    switch (this.kind) {
      case Kind.Text:
        return quoted(this.string);
      case Kind.List:
        return '[' + this.items.map<string>((item) => item.toString()).join(',') + ']';
      case Kind.Object: {
        const members = new Array<string>(this.items.length);
        for (let i = 0; i < members.length; i++) members[i] = quoted(this.names[i]) + ':' + this.items[i].toString();
        return '{' + members.join(',') + '}';
      }
      default:
        return this.string;
    }
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function quoted(text: string): string {
  let out = '"';
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x20 && unit != QUOTE && unit != BACKSLASH) continue;
    out += text.substring(from, i);
    out += unit < 0x20 ? '\\u00' + unit.toString(16).padStart(2, '0') : '\\' + String.fromCharCode(unit);
    from = i + 1;
  }
  return out + text.substring(from) + '"';
}

class Parser {
  private at: i32 = 0;
  constructor(private text: string) {}

  value(): Json {
    this.space();
    const unit = this.text.charCodeAt(this.at);
    if (unit == QUOTE) return Json.text(this.string());
    if (unit == 0x7b) return this.object();
    if (unit == 0x5b) return this.list();
    const from = this.at;
    while (this.at < this.text.length && !this.isEnd(this.text.charCodeAt(this.at))) this.at++;
    assert(this.at > from);
    return Json.word(this.text.substring(from, this.at));
  }

  private object(): Json {
    const json = new Json();
    for (this.at++; this.more(0x7d);) {
      const name = this.string();
      this.space();
      this.at++;
      json.set(name, this.value());
    }
    return json;
  }

  private list(): Json {
    const items: Json[] = [];
    for (this.at++; this.more(0x5d);) items.push(this.value());
    return Json.list(items);
  }

  /** Passes a comma; false, and past it, at the end of the list or object. */
  private more(end: i32): bool {
    this.space();
    assert(this.at < this.text.length);
    const unit = this.text.charCodeAt(this.at);
    if (unit == end || unit == 0x2c) this.at++;
    this.space();
    return unit != end;
  }

  private space(): void {
    while (this.at < this.text.length && this.text.charCodeAt(this.at) <= 0x20) this.at++;
  }

  private isEnd(unit: i32): bool {
    return unit <= 0x20 || unit == 0x2c || unit == 0x5d || unit == 0x7d;
  }

  private string(): string {
    let out = '';
    let from = ++this.at;
    while (true) {
      assert(this.at < this.text.length);
      const unit = this.text.charCodeAt(this.at);
      if (unit == QUOTE) return out + this.text.substring(from, this.at++);
      if (unit != BACKSLASH) {
        this.at++;
        continue;
      }
      out += this.text.substring(from, this.at) + this.escape();
      from = this.at;
    }
  }

  private escape(): string {
    const unit = this.text.charCodeAt(this.at + 1);
    this.at += 2;
    if (unit == 0x75) {
      this.at += 4;
      return String.fromCharCode(<i32>parseInt(this.text.substring(this.at - 4, this.at), 16));
    }
    const index = 'bfnrt'.indexOf(String.fromCharCode(unit));
    return index < 0 ? String.fromCharCode(unit) : '\b\f\n\r\t'.charAt(index);
  }
}
