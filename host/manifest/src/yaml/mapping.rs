//! Maps: entries collected, names compared, merges taken in.

use std::collections::HashMap;
use std::sync::Arc;

use super::Fault;
use super::cursor::Mark;
use super::node::{Content, Node, Size};
use super::tree::Builder;
use crate::error::ReadErrorKind;
use crate::scalar::{self, Scalar, ScalarError};
use crate::value::{Map, Value};

/// A map that has not ended.
pub(super) struct Mapping {
    /// How many entries others have before its own.
    start: usize,
    merges: bool,
    size: Size,
}

/// One entry of a map as written.
pub(super) struct Entry {
    key: Name,
    at: Mark,
    value: Value,
}

/// What stands before the colon.
enum Name {
    Key(Key),
    /// `<<`; `typed` says that a key of what it takes in was no text, or may have been.
    Merge {
        typed: bool,
    },
}

/// The text of a key, and of what type it was.
struct Key {
    text: Arc<str>,
    kind: Type,
}

/// What a key was before it became text. Keys of two types that become one text are told apart by kubectl until it
/// takes one of them by chance.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    Bool,
    Int,
    Float,
}

impl Builder<'_, '_> {
    /// Begins a map.
    pub(super) fn mapping(&self) -> Mapping {
        Mapping { start: self.entries.len(), merges: false, size: Size::collection() }
    }

    /// Adds an entry to the innermost map.
    pub(super) fn entry(
        &mut self,
        mapping: &mut Mapping,
        key: Node<'_>,
        value: Node<'_>,
    ) -> Result<(), Fault> {
        let (at, value_at) = (key.at, value.at);
        let mut size = value.size;
        let name = if key.merges {
            // An alias has to be of a map; a list of maps can only be written here.
            if value.is_alias && !matches!(&value.content, Content::Collection(Value::Object(_))) {
                return Err(value_at.fault(ReadErrorKind::MergeValue));
            }
            // go-yaml does not decode `<<` itself, nor a list of what is to be merged.
            let list = usize::from(matches!(&value.content, Content::Collection(Value::Array(_))));
            self.uncount(1 + list);
            size.nodes = size.nodes.saturating_sub(list);
            mapping.merges = true;
            mapping.size.typed |= value.size.typed;
            Name::Merge { typed: value.size.typed }
        } else {
            mapping.size.add(key.size);
            let key = self.key(key)?;
            mapping.size.typed |= key.kind != Type::Text;
            Name::Key(key)
        };
        mapping.size.add(size);
        let value = value.content.into_value().map_err(|error| value_at.fault(error))?;
        self.entries.push(Entry { key: name, at, value });
        Ok(())
    }

    fn key(&mut self, node: Node<'_>) -> Result<Key, Fault> {
        let at = node.at;
        let Content::Scalar(scalar) = node.content else { return Err(at.fault(ScalarError::Key)) };
        let kind = match &scalar {
            Scalar::Bool(_) => Type::Bool,
            Scalar::Int(_) | Scalar::Uint(_) => Type::Int,
            Scalar::Float(_) => Type::Float,
            Scalar::Null | Scalar::String(_) => Type::Text,
        };
        let text = scalar.into_key().map_err(|error| at.fault(error))?;
        if text.len() > self.options.max_key_bytes {
            return Err(at.fault(ReadErrorKind::KeyLength(self.options.max_key_bytes)));
        }
        Ok(Key { text: self.keys.get(&text), kind })
    }

    /// Ends the innermost map.
    pub(super) fn end_mapping(&mut self, mapping: &Mapping) -> Result<(Value, Size), Fault> {
        self.refuse_duplicates(mapping.start)?;
        let entries = self.entries.drain(mapping.start..);
        let map = if mapping.merges {
            merged(entries)?
        } else {
            let mut named = Vec::with_capacity(entries.len());
            named.extend(entries.filter_map(|entry| match entry.key {
                Name::Key(key) => Some((key.text, entry.value)),
                Name::Merge { .. } => None,
            }));
            Map::from_last(named)
        };
        Ok((Value::Object(map), mapping.size))
    }

    fn refuse_duplicates(&mut self, start: usize) -> Result<(), Fault> {
        let entries = self.entries.get(start..).unwrap_or_default();
        let keys = || {
            entries.iter().filter_map(|entry| match &entry.key {
                Name::Key(key) => Some((key, entry.at)),
                Name::Merge { .. } => None,
            })
        };
        if keys().is_sorted_by(|a, b| a.0.text < b.0.text) {
            return Ok(());
        }
        let mut keys: Vec<(&Key, Mark)> = keys().collect();
        // Stable, so that equal keys stay in the order written.
        keys.sort_by(|a, b| a.0.text.cmp(&b.0.text));
        for pair in keys.windows(2) {
            let [(first, first_at), (again, at)] = pair else { continue };
            if first.text != again.text {
                continue;
            }
            // Floats of one text may be two to kubectl, which writes them in single precision.
            let equal = first.kind == again.kind && first.kind != Type::Float;
            if self.options.lenient_duplicates && equal {
                (self.duplicate)(&again.text, at.position());
                continue;
            }
            return Err(at.fault(twice(&first.text, *first_at)));
        }
        Ok(())
    }
}

/// Entries and merges in the order written, each over what came before, as go-yaml v2 does it: a merge that comes late
/// wins over keys above it, where YAML's merge type would have them win.
fn merged(written: impl Iterator<Item = Entry>) -> Result<Map, Fault> {
    let mut entries: Vec<(Arc<str>, Value)> = Vec::new();
    // Of each entry, whether its key was no text for all that is known, and where it came in.
    let mut origins: Vec<(bool, Mark)> = Vec::new();
    for Entry { key, at, value } in written {
        let wrong = || at.fault(ReadErrorKind::MergeValue);
        let mut take = |from: Map, typed: bool| {
            origins.extend(from.iter().map(|(key, _)| (typed && scalar::may_be_typed(key), at)));
            entries.extend(from);
        };
        match (key, value) {
            (Name::Key(key), value) => {
                origins.push((key.kind != Type::Text, at));
                entries.push((key.text, value));
            }
            (Name::Merge { typed }, Value::Object(from)) => take(from, typed),
            (Name::Merge { typed }, Value::Array(list)) => {
                for item in list.into_iter().rev() {
                    let Value::Object(from) = item else { return Err(wrong()) };
                    take(from, typed);
                }
            }
            (Name::Merge { .. }, _) => return Err(wrong()),
        }
    }
    if origins.iter().any(|(typed, _)| *typed) {
        // What type a merged key had is not known any more; one that meets its like may be another to kubectl.
        let mut seen: HashMap<&str, (bool, Mark)> = HashMap::new();
        for ((key, _), (typed, at)) in entries.iter().zip(&origins) {
            if let Some((other, first)) = seen.insert(key, (*typed, *at))
                && (*typed || other)
            {
                return Err(at.fault(twice(key, first)));
            }
        }
    }
    Ok(Map::from_last(entries))
}

fn twice(key: &str, first: Mark) -> ReadErrorKind {
    ReadErrorKind::DuplicateKey { key: Some(key.into()), first: first.position() }
}
