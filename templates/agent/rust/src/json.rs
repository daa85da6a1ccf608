//! JSON in and out, as small as it can be. It reads what the host writes, so that broken JSON only ends the turn.
#![allow(dead_code)] // An agent need not use all of it.

use std::fmt;

pub enum Json {
    /// A number, true, false or null, as it is written: what nobody looks at stays as it was.
    Word(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Panics, which ends the turn, on what is no JSON.
    pub fn parse(text: &str) -> Json {
        Parser { text, at: 0 }.value()
    }

    pub fn text(value: &str) -> Json {
        Json::Text(value.into())
    }

    /// `value` is finite: JSON has no other numbers.
    pub fn number(value: f64) -> Json {
        Json::Word(value.to_string())
    }

    pub fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
        Json::Object(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }

    /// A member of an object.
    pub fn get(&self, name: &str) -> Option<&Json> {
        let Json::Object(members) = self else { return None };
        members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The items of a list; none of anything else.
    pub fn items(&self) -> &[Json] {
        if let Json::List(items) = self { items } else { &[] }
    }

    pub fn as_text(&self) -> Option<&str> {
        if let Json::Text(text) = self { Some(text) } else { None }
    }

    pub fn as_number(&self) -> Option<f64> {
        if let Json::Word(word) = self { word.parse().ok() } else { None }
    }

    pub fn as_bool(&self) -> Option<bool> {
        if let Json::Word(word) = self { word.parse().ok() } else { None }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Json::Word(word) => out.write_str(word),
            Json::Text(text) => quoted(text, out),
            Json::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    out.write_str(if index == 0 { "[" } else { "," })?;
                    item.fmt(out)?;
                }
                out.write_str(if items.is_empty() { "[]" } else { "]" })
            }
            Json::Object(members) => {
                for (index, (name, value)) in members.iter().enumerate() {
                    out.write_str(if index == 0 { "{" } else { "," })?;
                    quoted(name, out)?;
                    out.write_str(":")?;
                    value.fmt(out)?;
                }
                out.write_str(if members.is_empty() { "{}" } else { "}" })
            }
        }
    }
}

fn quoted(text: &str, out: &mut fmt::Formatter) -> fmt::Result {
    out.write_str("\"")?;
    for char in text.chars() {
        match char {
            '"' | '\\' => write!(out, "\\{char}")?,
            '\0'..' ' => write!(out, "\\u{:04x}", char as u32)?,
            _ => write!(out, "{char}")?,
        }
    }
    out.write_str("\"")
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn byte(&self) -> u8 {
        self.text.as_bytes()[self.at]
    }

    fn space(&mut self) {
        while self.at < self.text.len() && self.byte() <= b' ' {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Json {
        self.space();
        match self.byte() {
            b'"' => Json::Text(self.string()),
            b'[' => {
                let mut items = Vec::new();
                self.at += 1;
                while self.more(b']') {
                    items.push(self.value());
                }
                Json::List(items)
            }
            b'{' => {
                let mut members = Vec::new();
                self.at += 1;
                while self.more(b'}') {
                    let name = self.string();
                    self.space();
                    self.at += 1;
                    members.push((name, self.value()));
                }
                Json::Object(members)
            }
            _ => {
                let from = self.at;
                while self.at < self.text.len() && !matches!(self.byte(), 0..=b' ' | b',' | b']' | b'}') {
                    self.at += 1;
                }
                assert!(self.at > from);
                Json::Word(self.text[from..self.at].into())
            }
        }
    }

    /// Passes a comma; false, and past it, at the end of the list or object.
    fn more(&mut self, end: u8) -> bool {
        self.space();
        let byte = self.byte();
        if byte == end || byte == b',' {
            self.at += 1;
        }
        self.space();
        byte != end
    }

    fn string(&mut self) -> String {
        let mut out = String::new();
        self.at += 1;
        loop {
            let from = self.at;
            while !matches!(self.byte(), b'"' | b'\\') {
                self.at += 1;
            }
            out.push_str(&self.text[from..self.at]);
            self.at += 1;
            if self.text.as_bytes()[self.at - 1] == b'"' {
                return out;
            }
            out.push(self.escape());
        }
    }

    fn escape(&mut self) -> char {
        self.at += 1;
        match self.text.as_bytes()[self.at - 1] {
            b'u' => match self.hex() {
                high @ 0xd800..0xdc00 => {
                    self.at += 2;
                    let low = self.hex();
                    char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)).unwrap()
                }
                unit => char::from_u32(unit).unwrap(),
            },
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            other => other as char,
        }
    }

    fn hex(&mut self) -> u32 {
        self.at += 4;
        u32::from_str_radix(&self.text[self.at - 4..self.at], 16).unwrap()
    }
}
