//! The tree that a manifest is: JSON's types with exact 64-bit integers and members in canonical order.

use std::fmt;
use std::sync::Arc;

/// One JSON value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// `null`, which Kubernetes treats as "not set" in most places.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, exact where kubectl keeps it exact.
    Number(Number),
    /// Text.
    String(Box<str>),
    /// A list.
    Array(Vec<Value>),
    /// Members sorted by the bytes of their names.
    Object(Map),
}

impl Value {
    /// The text of a string value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The members of an object value.
    pub fn as_object(&self) -> Option<&Map> {
        match self {
            Self::Object(map) => Some(map),
            _ => None,
        }
    }

    /// The members of an object value, to change.
    pub fn as_object_mut(&mut self) -> Option<&mut Map> {
        match self {
            Self::Object(map) => Some(map),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The member `key` of an object; `None` where it is absent or this is no object.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_object()?.get(key)
    }

    /// A string reached through nested members, such as `["metadata", "name"]`.
    pub fn str_at(&self, path: &[&str]) -> Option<&str> {
        path.iter().try_fold(self, |value, key| value.get(key))?.as_str()
    }

    /// What this is, in JSON's words.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into_boxed_str())
    }
}

/// A number as kubectl holds it: a 64-bit integer where one fits, else a double.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Fits a signed 64-bit integer.
    Int(i64),
    /// Fits an unsigned one only.
    Uint(u64),
    /// Anything else; always finite, never an integer that fits the other two.
    Float(f64),
}

impl Number {
    /// A double as kubectl's JSON shows it: integral values that fit 64 bits become integers, because Go prints `1.0`
    /// as `1`. `None` where the value is not finite.
    pub fn from_f64(value: f64) -> Option<Self> {
        // Up to 2^53 every integral double prints all its digits; beyond, Go prints the shortest digits and zeros.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if !value.is_finite() {
            return None;
        }
        if value.fract() == 0.0 && value.abs() < 1e21 && !(value == 0.0 && value.is_sign_negative()) {
            if value.abs() <= EXACT {
                #[allow(clippy::cast_possible_truncation, reason = "within 2^53, checked above")]
                return Some(Self::Int(value as i64));
            }
            let digits = format!("{value}");
            if let Ok(int) = digits.parse::<i64>() {
                return Some(Self::Int(int));
            }
            if let Ok(uint) = digits.parse::<u64>() {
                return Some(Self::Uint(uint));
            }
        }
        Some(Self::Float(value))
    }

    /// An unsigned integer in its narrowest form.
    pub fn from_u64(value: u64) -> Self {
        i64::try_from(value).map_or(Self::Uint(value), Self::Int)
    }
}

/// As Go's `encoding/json` prints it: shortest digits, exponent form below 1e-6 and from 1e21.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Int(int) => write!(f, "{int}"),
            Self::Uint(uint) => write!(f, "{uint}"),
            Self::Float(float) => {
                let magnitude = float.abs();
                if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
                    let text = format!("{float:e}");
                    match text.split_once('e') {
                        Some((digits, exponent)) if !exponent.starts_with('-') => {
                            write!(f, "{digits}e+{exponent}")
                        }
                        _ => f.write_str(&text),
                    }
                } else {
                    write!(f, "{float}")
                }
            }
        }
    }
}

/// Members of an object, unique and sorted by the UTF-8 bytes of their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map(Vec<(Arc<str>, Value)>);

impl Map {
    /// An empty object.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes entries in any order; a name that comes twice is given back instead.
    pub fn from_entries(mut entries: Vec<(Arc<str>, Value)>) -> Result<Self, Arc<str>> {
        if !entries.is_sorted_by(|a, b| a.0 < b.0) {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            if let Some(pair) = entries.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                return Err(pair[0].0.clone());
            }
        }
        entries.shrink_to_fit();
        Ok(Self(entries))
    }

    /// Takes entries in any order; of a name that comes several times the last one counts.
    pub(crate) fn from_last(mut entries: Vec<(Arc<str>, Value)>) -> Self {
        if entries.is_sorted_by(|a, b| a.0 < b.0) {
            return Self(entries);
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        // Equal names stand side by side, the last of them last.
        entries.reverse();
        entries.dedup_by(|later, kept| later.0 == kept.0);
        entries.reverse();
        Self(entries)
    }

    /// The member of that name.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.find(key).ok().map(|at| &self.0[at].1)
    }

    /// The member of that name, to change.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.find(key).ok().map(|at| &mut self.0[at].1)
    }

    /// Puts a member in place of what is there; gives back what was there.
    pub fn insert(&mut self, key: impl Into<Arc<str>>, value: Value) -> Option<Value> {
        let key = key.into();
        match self.find(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    /// Takes a member away.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.find(key).ok().map(|at| self.0.remove(at).1)
    }

    /// Members in canonical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(have, _)| have.as_ref().cmp(key))
    }
}

impl IntoIterator for Map {
    type Item = (Arc<str>, Value);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_go_prints_them() {
        for (float, text) in [
            (1.0, "1"),
            (1000.0, "1000"),
            (0.5, "0.5"),
            (1e21, "1e+21"),
            (1e20, "100000000000000000000"),
            (1e-7, "1e-7"),
            (18_446_744_073_709_551_616.0, "18446744073709552000"),
            (1.797_693_134_862_315_7e308, "1.7976931348623157e+308"),
            (-0.0, "-0"),
        ] {
            assert_eq!(Number::from_f64(float).unwrap().to_string(), text);
        }
        assert_eq!(Number::from_f64(f64::NAN), None);
    }

    #[test]
    fn members_are_sorted_and_unique() {
        let entries = vec![("b".into(), Value::Null), ("a".into(), Value::Bool(true))];
        let map = Map::from_entries(entries).unwrap();
        assert_eq!(map.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["a", "b"]);
        let twice = vec![("a".into(), Value::Null), ("b".into(), Value::Null), ("a".into(), Value::Null)];
        assert_eq!(Map::from_entries(twice), Err("a".into()));
    }
}
