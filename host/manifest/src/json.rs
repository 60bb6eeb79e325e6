//! JSON in and out (RFC 8259): strict reading into [`Value`], canonical writing.
//!
//! Canonical means: members sorted by the bytes of their names, no white space, integers exact and never in exponent
//! form, other numbers as Go prints them, text escaped only where JSON demands it.

use std::fmt::{self, Write as _};

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::error::Position;
use crate::value::{Map, Number, Value};

/// How deep maps and lists may nest, in YAML as well.
pub(crate) const MAX_DEPTH: usize = 512;

/// How many bytes a key may have, in YAML as well.
pub(crate) const MAX_KEY_BYTES: usize = 64 << 10;

/// Text that is no JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct JsonError {
    /// What is wrong; holds no piece of the text.
    pub message: String,
    /// Where.
    pub at: Position,
}

impl JsonError {
    /// Whether the text is JSON but for what its values are: nothing that another reader may judge.
    pub(crate) fn only_json_could_know(&self) -> bool {
        ["number out of range", "stands there twice", "nest deeper", "a key has more than"]
            .iter()
            .any(|told| self.message.contains(told))
    }
}

impl JsonError {
    /// What serde says, of this text.
    fn new(error: &serde_json::Error, text: &str) -> Self {
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(head, _)| head);
        // It counts columns in bytes.
        let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
        let before = line.get(..error.column().saturating_sub(1)).unwrap_or(line);
        let at = Position { line: error.line().max(1), column: before.chars().count() + 1 };
        Self { message: format!("this is no JSON: {}", message.replace("ident", "word")), at }
    }
}

/// Reads one value; anything but white space behind it is an error, and so is a repeated member.
pub fn parse(text: &str) -> Result<Value, JsonError> {
    let mut deserializer = deserializer(text);
    let value = Value::deserialize(&mut deserializer).map_err(|error| JsonError::new(&error, text))?;
    deserializer.end().map_err(|error| JsonError::new(&error, text))?;
    Ok(value)
}

/// One that leaves the bound on depth to [`Nested`].
fn deserializer(text: &str) -> serde_json::Deserializer<serde_json::de::StrRead<'_>> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.disable_recursion_limit();
    deserializer
}

/// A value of a stream.
pub(crate) struct Streamed {
    pub(crate) value: Value,
    /// Where it starts.
    pub(crate) at: Position,
    /// How many bytes it takes.
    pub(crate) length: usize,
}

/// Reads values that follow one another; an error comes with the number of the value, from 1.
pub(crate) fn stream(text: &str) -> Result<Vec<Streamed>, (usize, JsonError)> {
    let mut values = Vec::new();
    let mut stream = deserializer(text).into_iter::<Value>();
    let (mut at, mut counted) = (Position { line: 1, column: 1 }, 0);
    loop {
        let offset = stream.byte_offset();
        let start = text.len() - text[offset..].trim_start().len();
        let Some(value) = stream.next() else { return Ok(values) };
        let passed = &text[counted..start];
        counted = start;
        match passed.rsplit_once('\n') {
            Some((lines, last)) => {
                at.line += lines.matches('\n').count() + 1;
                at.column = last.chars().count() + 1;
            }
            None => at.column += passed.chars().count(),
        }
        let value = value.map_err(|error| (values.len() + 1, JsonError::new(&error, text)))?;
        values.push(Streamed { value, at, length: stream.byte_offset() - start });
    }
}

/// Canonical JSON text of a value.
pub fn to_string(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value);
    out
}

/// Appends the canonical JSON text of a value.
pub fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => push(out, number),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (index, (key, value)) in map.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(out, key);
                out.push(':');
                write_value(out, value);
            }
            out.push('}');
        }
    }
}

/// Appends a JSON string: `"`, `\` and control characters escaped, all else as it is.
pub fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0x00..=0x1f => "",
            _ => continue,
        };
        out.push_str(&text[plain_from..at]);
        if escape.is_empty() {
            push(out, format_args!("\\u{byte:04x}"));
        } else {
            out.push_str(escape);
        }
        plain_from = at + 1;
    }
    out.push_str(&text[plain_from..]);
    out.push('"');
}

fn push(out: &mut String, text: impl fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{text}");
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Nested { room: MAX_DEPTH }.deserialize(deserializer)
    }
}

/// A value in which so many levels of lists and maps may stand.
#[derive(Clone, Copy)]
struct Nested {
    room: usize,
}

impl Nested {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        let deeper = || E::custom(format_args!("maps and lists nest deeper than {MAX_DEPTH} levels"));
        Ok(Self { room: self.room.checked_sub(1).ok_or_else(deeper)? })
    }
}

impl<'de> DeserializeSeed<'de> for Nested {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(Number::Int(value)))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(Number::from_u64(value)))
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }
    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.into()))
    }
    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text.into()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let (inner, mut items) = (self.inner()?, Vec::new());
        while let Some(item) = access.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let (inner, mut entries) = (self.inner()?, Vec::new());
        while let Some(key) = access.next_key::<String>()? {
            if key.len() > MAX_KEY_BYTES {
                return Err(A::Error::custom(format_args!("a key has more than {MAX_KEY_BYTES} bytes")));
            }
            entries.push((key.into(), access.next_value_seed(inner)?));
        }
        // Not by name, which may be a Secret's; the place is the end of the object.
        let twice = |_| A::Error::custom("a member stands there twice in the object that ends here");
        Map::from_entries(entries).map(Value::Object).map_err(twice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_canonical() {
        let value = parse("{\"b\": [1.0, 1e3, 18446744073709551615, \"\\u0001\\/ü\"], \"a\": -0.5}").unwrap();
        assert_eq!(to_string(&value), "{\"a\":-0.5,\"b\":[1,1000,18446744073709551615,\"\\u0001/ü\"]}");
    }

    #[test]
    fn repeated_members_and_trailing_text_are_refused() {
        assert!(parse(r#"{"a":1,"a":2}"#).unwrap_err().message.contains("a member stands there twice"));
        assert!(parse("{} x").is_err());
    }

    #[test]
    fn a_stream_tells_where_each_value_starts() {
        let values = stream("{}\n\n  {\"a\":1}{}").unwrap();
        let starts: Vec<_> = values.iter().map(|one| (one.at.line, one.at.column, one.length)).collect();
        assert_eq!(starts, [(1, 1, 2), (3, 3, 7), (3, 10, 2)]);
    }

    #[test]
    fn what_is_nested_too_deep_is_refused() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(MAX_DEPTH)).is_ok());
        assert!(parse(&nested(MAX_DEPTH + 1)).unwrap_err().message.contains("deeper than 512"));
        assert!(parse(&nested(1_000_000)).is_err());
        let key = "k".repeat(MAX_KEY_BYTES + 1);
        assert!(parse(&format!("{{\"{key}\":1}}")).unwrap_err().message.len() < 100);
    }
}
