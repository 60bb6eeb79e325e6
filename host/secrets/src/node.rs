//! What a store's document holds, as a tree whose texts are wiped when dropped.

use std::collections::HashSet;
use std::fmt;

use lathe_manifest::{Number, Value};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::bytes::SecretBytes;
use crate::error::Why;

/// A part of a document.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) enum Node {
    /// Text, or bytes.
    Text(SecretBytes),
    /// A number or boolean as it is written.
    Plain(SecretBytes),
    /// A number that no 64 bits hold exactly.
    Inexact,
    /// A value that is to be put in quotes, for what it is without them is not what it is written as.
    Unquoted(&'static str),
    /// A document that cannot be read, and why.
    Unreadable(String),
    #[default]
    Null,
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The member of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(members) => members.iter().find(|(key, _)| key == name).map(|(_, node)| node),
            _ => None,
        }
    }

    /// What stands at the end of the way; `Err` is how much of the way there is.
    pub(crate) fn at(&self, way: &[String]) -> Result<&Self, usize> {
        let mut node = self;
        for (depth, name) in way.iter().enumerate() {
            let item = || match node {
                Self::List(items) => items.get(name.parse::<usize>().ok()?),
                _ => None,
            };
            node = node.get(name).or_else(item).ok_or(depth + 1)?;
        }
        Ok(node)
    }

    /// The value as bytes; `json` says that lists and maps are wanted as JSON.
    pub(crate) fn into_bytes(self, json: bool) -> Result<SecretBytes, Why> {
        match self {
            Self::Text(text) | Self::Plain(text) => Ok(text),
            Self::Inexact => {
                Err(Why::Type("it is a number that 64 bits do not hold; store it as text".to_owned()))
            }
            Self::Unquoted(kind) => {
                Err(Why::Type(format!("it is of type {kind}, not text; put it in quotes")))
            }
            Self::Unreadable(told) => Err(Why::Type(told)),
            Self::Null => Err(Why::Type("it is null".to_owned())),
            other @ (Self::List(_) | Self::Map(_)) if json => {
                let mut out = SecretBytes::default();
                other.write(&mut out).map(|()| out)
            }
            Self::List(_) => Err(Why::Type("it is a list; name an item of it, or ask for JSON".to_owned())),
            Self::Map(_) => Err(Why::Type("it is a map; name a key of it, or ask for JSON".to_owned())),
        }
    }

    /// As JSON.
    pub(crate) fn write(&self, out: &mut SecretBytes) -> Result<(), Why> {
        match self {
            Self::Text(text) => {
                let text = text.text().ok_or_else(|| Why::Type("it is no UTF-8 text".to_owned()))?;
                write_string(out, text);
            }
            Self::Plain(text) => out.push(text.expose()),
            other @ (Self::Inexact | Self::Unquoted(_) | Self::Unreadable(_)) => {
                return other.clone().into_bytes(false).map(drop);
            }
            Self::Null => out.push(b"null"),
            Self::List(items) => {
                out.push(b"[");
                for (index, item) in items.iter().enumerate() {
                    out.push(if index > 0 { b"," } else { b"" });
                    item.write(out)?;
                }
                out.push(b"]");
            }
            Self::Map(members) => {
                out.push(b"{");
                for (index, (name, node)) in members.iter().enumerate() {
                    out.push(if index > 0 { b"," } else { b"" });
                    write_string(out, name);
                    out.push(b":");
                    node.write(out)?;
                }
                out.push(b"}");
            }
        }
        Ok(())
    }

    /// Values that a person wrote: what is not text there may be written in many ways, of which the tree knows one.
    pub(crate) fn quoted(value: &Value) -> Self {
        match value {
            Value::Number(_) | Value::Bool(_) => Self::Unquoted(value.type_name()),
            Value::Array(items) => Self::List(items.iter().map(Self::quoted).collect()),
            Value::Object(map) => {
                Self::Map(map.iter().map(|(name, value)| (name.to_owned(), Self::quoted(value))).collect())
            }
            other => other.into(),
        }
    }

    /// The JSON that the bytes hold; numbers stay as they are written.
    pub(crate) fn json(bytes: &[u8]) -> Result<Self, Why> {
        // serde_json's messages quote what they could not read.
        let raw: &RawValue = serde_json::from_slice(bytes).map_err(|_| no_json())?;
        Self::read(raw, 0, &mut 0)
    }

    fn read(raw: &RawValue, depth: usize, count: &mut usize) -> Result<Self, Why> {
        let text = raw.get();
        *count += 1;
        if depth > DEEPEST || *count > MOST {
            return Err(Why::Size("it is JSON of more levels or parts than any secret has".to_owned()));
        }
        match text.as_bytes().first() {
            Some(b'{') => {
                let Members(members) = serde_json::from_str(text).map_err(|_| no_json())?;
                let mut seen = HashSet::new();
                let mut map = Vec::with_capacity(members.len());
                for (name, raw) in members {
                    if !seen.insert(name.clone()) {
                        return Err(Why::Type(
                            "it is JSON with a key that stands twice in one map".to_owned(),
                        ));
                    }
                    map.push((name, Self::read(raw, depth + 1, count)?));
                }
                Ok(Self::Map(map))
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| no_json())?;
                items
                    .into_iter()
                    .map(|item| Self::read(item, depth + 1, count))
                    .collect::<Result<_, _>>()
                    .map(Self::List)
            }
            Some(b'"') => serde_json::from_str::<String>(text)
                .map(|text| Self::Text(text.into()))
                .map_err(|_| no_json()),
            Some(b'n') => Ok(Self::Null),
            _ => Ok(Self::Plain(text.into())),
        }
    }

    /// Whole numbers beyond what a double holds, of a store that keeps numbers as doubles, are not what was stored.
    pub(crate) fn distrust(self) -> Self {
        const EXACT: u64 = 1 << 53;
        match self {
            Self::Plain(text) => {
                let digits = text.text().map(|text| text.trim_start_matches('-')).unwrap_or_default();
                let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                let exact = !whole || digits.parse::<u64>().is_ok_and(|number| number < EXACT);
                if exact { Self::Plain(text) } else { Self::Inexact }
            }
            Self::List(items) => Self::List(items.into_iter().map(Self::distrust).collect()),
            Self::Map(members) => {
                Self::Map(members.into_iter().map(|(name, node)| (name, node.distrust())).collect())
            }
            other => other,
        }
    }

    /// How many bytes of text it holds.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Text(text) | Self::Plain(text) => text.expose().len(),
            Self::List(items) => items.iter().map(Self::size).sum(),
            Self::Map(members) => members.iter().map(|(name, node)| name.len() + node.size()).sum(),
            _ => 0,
        }
    }
}

/// JSON nests no deeper, and holds no more.
const DEEPEST: usize = 128;
const MOST: usize = 1 << 20;

fn no_json() -> Why {
    Why::Type("it is no JSON".to_owned())
}

fn write_string(out: &mut SecretBytes, text: &str) {
    let mut quoted = String::with_capacity(text.len() + 2);
    lathe_manifest::json::write_string(&mut quoted, text);
    out.push(zeroize::Zeroizing::new(quoted).as_bytes());
}

impl From<&Value> for Node {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Plain(value.to_string().into()),
            Value::Number(Number::Float(float)) => of_float(*float),
            Value::Number(number) => Self::Plain(number.to_string().into()),
            Value::String(text) => Self::Text((&**text).into()),
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(map) => {
                Self::Map(map.iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
            }
        }
    }
}

fn of_float(float: f64) -> Node {
    // An integer that became a double has lost digits.
    let exact = float.fract() != 0.0 || float == 0.0;
    if exact { Node::Plain(Number::Float(float).to_string().into()) } else { Node::Inexact }
}

/// A JSON object's members in their order, each as it is written.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = members.next_entry()? {
                    all.push(member);
                }
                Ok(Members(all))
            }
        }
        deserializer.deserialize_map(Reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(json: &str, way: &[&str]) -> Result<String, Why> {
        let way: Vec<String> = way.iter().map(|&name| name.to_owned()).collect();
        let node = Node::json(json.as_bytes())?;
        let found = node.at(&way).map_err(|_| Why::KeyMissing(String::new()))?.clone();
        found.into_bytes(false).map(|bytes| bytes.text().unwrap().to_owned())
    }

    #[test]
    fn values_are_as_they_are_written() {
        let json = r#"{"a":"x","n":5432,"b":true,"f":1.5,"big":18446744073709551615,"huge":12345678901234567890123,"l":["p",{"q":"r"}],"0":null}"#;
        for (way, want) in
            [("a", "x"), ("n", "5432"), ("b", "true"), ("f", "1.5"), ("big", "18446744073709551615")]
        {
            assert_eq!(bytes(json, &[way]).unwrap(), want);
        }
        assert_eq!(bytes(json, &["l", "1", "q"]).unwrap(), "r");
        assert_eq!(bytes(json, &["huge"]).unwrap(), "12345678901234567890123");
        assert_eq!(bytes("{\"a\":1.10}", &["a"]).unwrap(), "1.10");
        for way in [&["l"][..], &["0"], &["l", "2"], &["a", "b"]] {
            assert!(bytes(json, way).is_err(), "{way:?}");
        }
        assert_eq!(
            Node::json(b"{\"a\":[1,\"\\n\"]}").unwrap().into_bytes(true).ok().unwrap().text(),
            Some(r#"{"a":[1,"\n"]}"#)
        );
    }

    #[test]
    fn what_is_no_json_is_not_quoted() {
        assert!(Node::json(b"{\"a\":1,\"a\":2}").is_err());
        assert!(Node::json(format!("{}1{}", "[".repeat(500), "]".repeat(500)).as_bytes()).is_err());
        assert!(matches!(Node::Plain("9007199254740993".into()).distrust(), Node::Inexact));
        let Err(why) = Node::json(b"\"hunter2\" x") else { panic!("that was JSON") };
        assert!(!why.to_string().contains("hunter2"));
    }
}
