//! One YAML document's events built into a tree. The only module that knows the event parser.

use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

use crate::read::{Position, ReadErrorKind, ReadOptions};
use crate::scalar::{self, Scalar, ScalarError};
use crate::value::{Map, Value};

/// What went wrong, and where within the document.
#[derive(Debug)]
pub(crate) struct EventError {
    pub(crate) at: Position,
    pub(crate) kind: ReadErrorKind,
}

/// A tree and where it starts within its document; `None` for a document that holds nothing.
pub(crate) type Tree = Option<(Value, Position)>;

/// A rough count of the bytes a node takes in memory.
const NODE_WEIGHT: usize = 48;

/// Reads the one document in `text`. Duplicate keys that `options` lets pass are told to `duplicate`.
pub(crate) fn tree(
    text: &str,
    options: &ReadOptions,
    mut duplicate: impl FnMut(Box<str>, Position),
) -> Result<Tree, EventError> {
    if !text.is_ascii() {
        refuse_old_line_breaks(text)?;
    }
    let parser_options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: options.max_depth,
        block_nesting_limit: options.max_depth,
    };
    let mut builder = Builder { options, stack: Vec::new(), anchors: HashMap::new(), expanded: 0, duplicate: &mut duplicate };
    let mut tree = None;
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(text, parser_options) {
        let (event, span) = event.map_err(|error| EventError {
            at: position(error.marker()),
            kind: ReadErrorKind::Syntax(error.kind().to_string()),
        })?;
        let at = position(&span.start);
        if let Event::DocumentStart(..) = event {
            documents += 1;
            if documents > 1 {
                return Err(EventError { at, kind: ReadErrorKind::SecondDocument });
            }
        }
        if let Some(root) = builder.event(event, &span, at)? {
            tree = Some(root);
        }
    }
    Ok(tree.filter(|(value, _)| *value != Value::Null))
}

/// YAML 1.1, and so kubectl, takes these for line breaks where the event parser, as YAML 1.2, takes them for text.
fn refuse_old_line_breaks(text: &str) -> Result<(), EventError> {
    let Some(at) = text.find(['\u{85}', '\u{2028}', '\u{2029}']) else { return Ok(()) };
    let line = text[..at].matches('\n').count() + 1;
    let column = text[..at].rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    Err(EventError { at: Position { line, column }, kind: ReadErrorKind::OldLineBreak })
}

fn position(marker: &Marker) -> Position {
    Position { line: marker.line().max(1), column: marker.col() + 1 }
}

struct Builder<'a> {
    options: &'a ReadOptions,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Anchored>,
    expanded: usize,
    duplicate: &'a mut dyn FnMut(Box<str>, Position),
}

/// A finished anchored node; absent from the table while it is being built, so that no node contains itself.
struct Anchored {
    value: Value,
    key: Result<Box<str>, ScalarError>,
    weight: usize,
}

struct Frame {
    anchor: usize,
    start: Position,
    weight: usize,
    node: Node,
}

enum Node {
    Sequence(Vec<Value>),
    Mapping { steps: Vec<Step>, key: Option<(Key, Position)>, merges: bool },
}

/// One entry of a mapping as written.
struct Step {
    key: Option<Box<str>>,
    at: Position,
    value: Value,
}

enum Key {
    Name(Box<str>),
    Merge,
}

impl Builder<'_> {
    /// Takes one event; gives the document's value when it is complete.
    fn event(&mut self, event: Event<'_>, span: &Span, at: Position) -> Result<Tree, EventError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                // The parser reads an empty node as `~`; only the place tells it from a written one.
                let text = if span.is_empty() && style == ScalarStyle::Plain { "" } else { text.as_ref() };
                let tag = tag.as_deref().map(tag_text);
                let plain = style == ScalarStyle::Plain;
                if self.wants_key() && plain && text == "<<" && matches!(tag.as_deref(), None | Some("tag:yaml.org,2002:merge")) {
                    self.set_key(Key::Merge, at);
                    return Ok(None);
                }
                let resolved = scalar::resolve(text, plain, tag.as_deref()).map_err(|e| at.error(e))?;
                if anchor > 0 {
                    let value = resolved.clone().into_value().map_err(|e| at.error(e))?;
                    let anchored = Anchored { value, key: resolved.clone().into_key(), weight: NODE_WEIGHT + text.len() };
                    self.anchors.insert(anchor, anchored);
                }
                self.scalar(resolved, text.len(), at)
            }
            Event::Alias(id) => self.alias(id, at),
            Event::SequenceStart(_, anchor, _) => {
                self.open(anchor, Node::Sequence(Vec::new()), at)?;
                Ok(None)
            }
            Event::MappingStart(_, anchor, _) => {
                self.open(anchor, Node::Mapping { steps: Vec::new(), key: None, merges: false }, at)?;
                Ok(None)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            _ => Ok(None),
        }
    }

    fn scalar(&mut self, scalar: Scalar, length: usize, at: Position) -> Result<Tree, EventError> {
        if self.wants_key() {
            let key = scalar.into_key().map_err(|e| at.error(e))?;
            self.set_key(Key::Name(key), at);
            return Ok(None);
        }
        let value = scalar.into_value().map_err(|e| at.error(e))?;
        self.complete(value, NODE_WEIGHT + length, at)
    }

    fn alias(&mut self, id: usize, at: Position) -> Result<Tree, EventError> {
        let Some(anchored) = self.anchors.get(&id) else {
            return Err(EventError { at, kind: ReadErrorKind::AliasWithinItself });
        };
        self.expanded += anchored.weight;
        if self.expanded > self.options.max_alias_bytes {
            return Err(EventError { at, kind: ReadErrorKind::AliasLimit });
        }
        if self.wants_key() {
            let key = anchored.key.clone().map_err(|e| at.error(e))?;
            self.set_key(Key::Name(key), at);
            return Ok(None);
        }
        let (value, weight) = (anchored.value.clone(), anchored.weight);
        self.complete(value, weight, at)
    }

    fn open(&mut self, anchor: usize, node: Node, at: Position) -> Result<(), EventError> {
        if self.wants_key() {
            return Err(at.error(ScalarError::Key));
        }
        if self.stack.len() >= self.options.max_depth {
            return Err(EventError { at, kind: ReadErrorKind::Depth(self.options.max_depth) });
        }
        self.stack.push(Frame { anchor, start: at, weight: NODE_WEIGHT, node });
        Ok(())
    }

    fn close(&mut self) -> Result<Tree, EventError> {
        let Some(frame) = self.stack.pop() else { return Ok(None) };
        let value = match frame.node {
            Node::Sequence(items) => Value::Array(items),
            Node::Mapping { steps, merges, .. } => Value::Object(self.mapping(steps, merges)?),
        };
        if frame.anchor > 0 {
            let anchored = Anchored { value: value.clone(), key: Err(ScalarError::Key), weight: frame.weight };
            self.expanded += frame.weight;
            if self.expanded > self.options.max_alias_bytes {
                return Err(EventError { at: frame.start, kind: ReadErrorKind::AliasLimit });
            }
            self.anchors.insert(frame.anchor, anchored);
        }
        self.complete(value, frame.weight, frame.start)
    }

    /// Hands a finished value to the collection it stands in.
    fn complete(&mut self, value: Value, weight: usize, at: Position) -> Result<Tree, EventError> {
        let Some(frame) = self.stack.last_mut() else { return Ok(Some((value, at))) };
        frame.weight += weight;
        match &mut frame.node {
            Node::Sequence(items) => items.push(value),
            Node::Mapping { steps, key, merges } => match key.take() {
                Some((Key::Name(name), at)) => steps.push(Step { key: Some(name), at, value }),
                Some((Key::Merge, at)) => {
                    *merges = true;
                    steps.push(Step { key: None, at, value });
                }
                None => return Err(at.error(ScalarError::Key)),
            },
        }
        Ok(None)
    }

    /// Whether the next node is the key of an entry.
    fn wants_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { node: Node::Mapping { key: None, .. }, .. }))
    }

    fn set_key(&mut self, name: Key, at: Position) {
        if let Some(Frame { node: Node::Mapping { key, .. }, weight, start, .. }) = self.stack.last_mut() {
            if let Key::Name(name) = &name {
                *weight += name.len();
            }
            // The parser tells where a block map was recognised, which is behind its first key.
            if at < *start {
                *start = at;
            }
            *key = Some((name, at));
        }
    }

    fn mapping(&mut self, steps: Vec<Step>, merges: bool) -> Result<Map, EventError> {
        self.refuse_duplicates(&steps)?;
        if merges || self.options.lenient_duplicates {
            return merged(steps);
        }
        let entries = steps.into_iter().filter_map(|step| Some((step.key?, step.value))).collect();
        // Duplicates have been refused above.
        Ok(Map::from_entries(entries).unwrap_or_default())
    }

    fn refuse_duplicates(&mut self, steps: &[Step]) -> Result<(), EventError> {
        let mut named: Vec<(&str, Position)> =
            steps.iter().filter_map(|step| Some((step.key.as_deref()?, step.at))).collect();
        if named.is_sorted_by(|a, b| a.0 < b.0) {
            return Ok(());
        }
        named.sort_by_key(|(key, at)| (*key, at.line, at.column));
        for pair in named.windows(2) {
            if pair[0].0 == pair[1].0 {
                if self.options.lenient_duplicates {
                    (self.duplicate)(pair[1].0.into(), pair[1].1);
                    continue;
                }
                let kind = ReadErrorKind::DuplicateKey { key: pair[0].0.into(), first: pair[0].1 };
                return Err(EventError { at: pair[1].1, kind });
            }
        }
        Ok(())
    }
}

/// Entries and merges in the order written, each over what came before, as go-yaml v2 does it: a merge that comes late
/// wins over keys above it, where YAML's merge type would have them win.
fn merged(steps: Vec<Step>) -> Result<Map, EventError> {
    let mut map = Map::new();
    for step in steps {
        match (step.key, step.value) {
            (Some(key), value) => {
                map.insert(key, value);
            }
            (None, Value::Object(from)) => merge_into(&mut map, from),
            (None, Value::Array(list)) => {
                for item in list.into_iter().rev() {
                    let Value::Object(from) = item else {
                        return Err(EventError { at: step.at, kind: ReadErrorKind::MergeValue });
                    };
                    merge_into(&mut map, from);
                }
            }
            (None, _) => return Err(EventError { at: step.at, kind: ReadErrorKind::MergeValue }),
        }
    }
    Ok(map)
}

fn merge_into(map: &mut Map, from: Map) {
    for (key, value) in from {
        map.insert(key, value);
    }
}

/// A tag as one text: its namespace and name, or `!` for the tag that makes any scalar a string.
fn tag_text(tag: &Tag) -> String {
    format!("{}{}", tag.handle(), tag.suffix())
}
