//! Nodes put together to a tree: scalars resolved, aliases expanded, keys merged.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::Fault;
use super::cursor::Mark;
use super::keys::Keys;
use super::node::{Content, Node, WEIGHT};
use crate::error::{Position, ReadErrorKind};
use crate::read::ReadOptions;
use crate::scalar::{self, Scalar, ScalarError};
use crate::value::{Map, Value};

/// What a document's nodes are built with.
pub(super) struct Builder<'a, 'b> {
    pub(super) options: &'b ReadOptions,
    anchors: HashMap<&'a str, Anchor<'a>>,
    /// How many anchors were opened.
    opened: usize,
    expanded: usize,
    /// Entries of all maps that have not ended, those of the innermost last.
    entries: Vec<Entry>,
    /// Items of all lists that have not ended, those of the innermost last.
    items: Vec<Value>,
    keys: &'b mut Keys,
    duplicate: &'b mut dyn FnMut(&str, Position),
}

/// What a name stands for.
enum Anchor<'a> {
    /// A list or map that has not ended, by the count of it, so that none contains itself.
    Open(usize),
    Ended(Node<'a>),
}

/// A map that has not ended.
pub(super) struct Mapping {
    /// How many entries others have before its own.
    start: usize,
    merges: bool,
    weight: usize,
}

/// A list that has not ended.
pub(super) struct Sequence {
    /// How many items others have before its own.
    start: usize,
    weight: usize,
}

/// One entry of a map as written.
struct Entry {
    /// `None` for a merge.
    key: Option<Key>,
    at: Mark,
    value: Value,
}

/// The text of a key, and of what type it was.
struct Key {
    text: Arc<str>,
    kind: Kind,
}

/// What a key was before it became text. Keys of two types that become one text are told apart by kubectl until it
/// takes one of them by chance.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Bool,
    Int,
    Float,
}

impl<'a, 'b> Builder<'a, 'b> {
    pub(super) fn new(
        options: &'b ReadOptions,
        keys: &'b mut Keys,
        duplicate: &'b mut dyn FnMut(&str, Position),
    ) -> Self {
        Self {
            options,
            anchors: HashMap::new(),
            opened: 0,
            expanded: 0,
            entries: Vec::new(),
            items: Vec::new(),
            keys,
            duplicate,
        }
    }

    /// A scalar's node.
    pub(super) fn scalar(
        &mut self,
        text: Cow<'a, str>,
        plain: bool,
        tag: Option<&str>,
        anchor: Option<&'a str>,
        at: Mark,
    ) -> Result<Node<'a>, Fault> {
        let merges = text == "<<"
            && match tag {
                None => plain,
                Some(tag) => tag == "!" || tag == "tag:yaml.org,2002:merge",
            };
        let weight = WEIGHT + text.len();
        let scalar = scalar::resolve(text, plain, tag).map_err(|error| at.fault(error))?;
        let node = Node { content: Content::Scalar(scalar), at, weight, merges, is_alias: false };
        if let Some(name) = anchor {
            self.keep(name, &node, at)?;
        }
        Ok(node)
    }

    /// The node that a name stands for by now.
    pub(super) fn alias(&mut self, name: &str, at: Mark) -> Result<Node<'a>, Fault> {
        let node = match self.anchors.get(name) {
            None => return Err(at.wrong("no anchor above has the name of this alias")),
            Some(Anchor::Open(_)) => return Err(at.fault(ReadErrorKind::AliasWithinItself)),
            Some(Anchor::Ended(node)) => node,
        };
        self.expanded += node.weight;
        if self.expanded > self.options.max_alias_bytes {
            return Err(at.fault(ReadErrorKind::AliasLimit));
        }
        Ok(Node { at, merges: false, is_alias: true, ..node.clone() })
    }

    /// Notes that a list or map begins; the answer is for [`close`](Self::close).
    pub(super) fn open(&mut self, anchor: Option<&'a str>) -> Option<(&'a str, usize)> {
        let name = anchor?;
        self.opened += 1;
        self.anchors.insert(name, Anchor::Open(self.opened));
        Some((name, self.opened))
    }

    /// A list's or map's node.
    pub(super) fn close(
        &mut self,
        value: Value,
        weight: usize,
        open: Option<(&'a str, usize)>,
        at: Mark,
    ) -> Result<Node<'a>, Fault> {
        let content = Content::Collection(value);
        let node = Node { content, at, weight: weight + WEIGHT, merges: false, is_alias: false };
        if let Some((name, count)) = open
            // Within it the name may have been given to another node, which keeps it.
            && matches!(self.anchors.get(name), Some(Anchor::Open(have)) if *have == count)
        {
            self.keep(name, &node, at)?;
        }
        Ok(node)
    }

    fn keep(&mut self, name: &'a str, node: &Node<'a>, at: Mark) -> Result<(), Fault> {
        self.expanded += node.weight;
        if self.expanded > self.options.max_alias_bytes {
            return Err(at.fault(ReadErrorKind::AliasLimit));
        }
        self.anchors.insert(name, Anchor::Ended(node.clone()));
        Ok(())
    }

    /// Begins a list.
    pub(super) fn sequence(&self) -> Sequence {
        Sequence { start: self.items.len(), weight: 0 }
    }

    /// Adds an item to the innermost list.
    pub(super) fn item(&mut self, sequence: &mut Sequence, node: Node<'_>) -> Result<(), Fault> {
        let at = node.at;
        sequence.weight += node.weight;
        self.items.push(node.content.into_value().map_err(|error| at.fault(error))?);
        Ok(())
    }

    /// Ends the innermost list, and gives its weight.
    pub(super) fn end_sequence(&mut self, sequence: &Sequence) -> (Value, usize) {
        (Value::Array(self.items.drain(sequence.start..).collect()), sequence.weight)
    }

    /// Begins a map.
    pub(super) fn mapping(&self) -> Mapping {
        Mapping { start: self.entries.len(), merges: false, weight: 0 }
    }

    /// Adds an entry to the innermost map.
    pub(super) fn entry(
        &mut self,
        mapping: &mut Mapping,
        key: Node<'_>,
        value: Node<'_>,
    ) -> Result<(), Fault> {
        let at = key.at;
        mapping.weight += value.weight;
        if key.merges {
            // An alias has to be of a map; a list of maps can only be written here.
            let is_map = matches!(&value.content, Content::Collection(Value::Object(_)));
            if value.is_alias && !is_map {
                return Err(value.at.fault(ReadErrorKind::MergeValue));
            }
            mapping.merges = true;
            let value = value.content.into_value().map_err(|error| at.fault(error))?;
            self.entries.push(Entry { key: None, at, value });
            return Ok(());
        }
        let Content::Scalar(scalar) = key.content else { return Err(at.fault(ScalarError::Key)) };
        let kind = match &scalar {
            Scalar::Bool(_) => Kind::Bool,
            Scalar::Int(_) | Scalar::Uint(_) => Kind::Int,
            Scalar::Float(_) => Kind::Float,
            Scalar::Null | Scalar::String(_) => Kind::Text,
        };
        let text = scalar.into_key().map_err(|error| at.fault(error))?;
        if text.len() > self.options.max_key_bytes {
            return Err(at.fault(ReadErrorKind::KeyLength(self.options.max_key_bytes)));
        }
        mapping.weight += text.len();
        let value_at = value.at;
        let value = value.content.into_value().map_err(|error| value_at.fault(error))?;
        let text = self.keys.get(&text);
        self.entries.push(Entry { key: Some(Key { text, kind }), at, value });
        Ok(())
    }

    /// Ends the innermost map, and gives its weight.
    pub(super) fn end_mapping(&mut self, mapping: &Mapping) -> Result<(Value, usize), Fault> {
        self.refuse_duplicates(mapping.start)?;
        let entries = self.entries.drain(mapping.start..);
        let map = if mapping.merges {
            merged(entries)?
        } else {
            let mut named = Vec::with_capacity(entries.len());
            named.extend(entries.filter_map(|entry| Some((entry.key?.text, entry.value))));
            Map::from_last(named)
        };
        Ok((Value::Object(map), mapping.weight))
    }

    fn refuse_duplicates(&mut self, start: usize) -> Result<(), Fault> {
        let entries = self.entries.get(start..).unwrap_or_default();
        let keys = || entries.iter().filter_map(|entry| Some((entry.key.as_ref()?, entry.at)));
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
            if self.options.lenient_duplicates && first.kind == again.kind {
                (self.duplicate)(&again.text, at.position());
                continue;
            }
            let kind =
                ReadErrorKind::DuplicateKey { key: first.text.as_ref().into(), first: first_at.position() };
            return Err(at.fault(kind));
        }
        Ok(())
    }
}

/// Entries and merges in the order written, each over what came before, as go-yaml v2 does it: a merge that comes late
/// wins over keys above it, where YAML's merge type would have them win.
fn merged(written: impl Iterator<Item = Entry>) -> Result<Map, Fault> {
    let mut entries: Vec<(Arc<str>, Value)> = Vec::new();
    let mut typed = Vec::new();
    for entry in written {
        let wrong = || entry.at.fault(ReadErrorKind::MergeValue);
        match (entry.key, entry.value) {
            (Some(key), value) => {
                if key.kind != Kind::Text {
                    typed.push((entries.len(), entry.at));
                }
                entries.push((key.text, value));
            }
            (None, Value::Object(from)) => entries.extend(from),
            (None, Value::Array(list)) => {
                for item in list.into_iter().rev() {
                    let Value::Object(from) = item else { return Err(wrong()) };
                    entries.extend(from);
                }
            }
            (None, _) => return Err(wrong()),
        }
    }
    // What type a merged key had is not known any more; a number or boolean that meets one is refused.
    let mut counts: HashMap<&str, usize> = HashMap::new();
    if !typed.is_empty() {
        for (key, _) in &entries {
            *counts.entry(key).or_default() += 1;
        }
    }
    for (index, at) in typed {
        let key = &entries[index].0;
        if counts.get(key.as_ref()).is_some_and(|count| *count > 1) {
            let first = at.position();
            return Err(at.fault(ReadErrorKind::DuplicateKey { key: key.as_ref().into(), first }));
        }
    }
    Ok(Map::from_last(entries))
}
