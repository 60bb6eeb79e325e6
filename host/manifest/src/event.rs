//! One YAML document's events built into a tree. The only module that knows the event parser.

use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, StructureStyle, Tag};

use crate::error::{Position, ReadErrorKind};
use crate::read::ReadOptions;
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
    refuse_leading_end(text)?;
    let parser_options = granit_parser::options! {
        emit_comments: false,
        emit_anchor_events: true,
        flow_nesting_limit: options.max_depth,
        block_nesting_limit: options.max_depth,
    };
    let mut builder = Builder {
        options,
        source: text,
        stack: Vec::new(),
        anchors: HashMap::new(),
        expanded: 0,
        duplicate: &mut duplicate,
    };
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
    Err(EventError { at: Position::of(text, at), kind: ReadErrorKind::OldLineBreak })
}

/// A document that begins by ending: kubectl reads nothing and drops what follows.
fn refuse_leading_end(text: &str) -> Result<(), EventError> {
    let mut lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    match lines.next() {
        Some((line, first)) if first.starts_with("...") => {
            Err(EventError { at: Position { line, column: 1 }, kind: ReadErrorKind::SecondDocument })
        }
        _ => Ok(()),
    }
}

fn position(marker: &Marker) -> Position {
    Position { line: marker.line().max(1), column: marker.col() + 1 }
}

struct Builder<'a> {
    options: &'a ReadOptions,
    source: &'a str,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Anchored>,
    expanded: usize,
    duplicate: &'a mut dyn FnMut(Box<str>, Position),
}

/// A finished anchored node; absent from the table while it is being built, so that no node contains itself.
struct Anchored {
    value: Value,
    key: Result<Box<str>, ScalarError>,
    kind: Kind,
    weight: usize,
}

struct Frame {
    flow: bool,
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
    key: Option<Name>,
    at: Position,
    value: Value,
}

enum Key {
    Name(Name),
    Merge,
}

/// The text of a key, and of what type it was.
struct Name {
    text: Box<str>,
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

impl Builder<'_> {
    /// Takes one event; gives the document's value when it is complete.
    fn event(&mut self, event: Event<'_>, span: &Span, at: Position) -> Result<Tree, EventError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                // The parser reads an empty node as `~`; only the place tells it from a written one.
                let text = if span.is_empty() && style == ScalarStyle::Plain { "" } else { text.as_ref() };
                let tag = tag.as_deref().map(tag_text);
                let plain = style == ScalarStyle::Plain;
                self.refuse_what_differs(text, plain, span, at)?;
                let merge = match tag.as_deref() {
                    None | Some("!") => plain,
                    tag => tag == Some("tag:yaml.org,2002:merge"),
                };
                if self.wants_key() && merge && text == "<<" {
                    self.set_key(Key::Merge, at);
                    return Ok(None);
                }
                let resolved = scalar::resolve(text, plain, tag.as_deref()).map_err(|e| at.error(e))?;
                if anchor > 0 {
                    let value = resolved.clone().into_value().map_err(|e| at.error(e))?;
                    let (kind, weight) = (kind(&resolved), NODE_WEIGHT + text.len());
                    self.anchors
                        .insert(anchor, Anchored { value, key: resolved.clone().into_key(), kind, weight });
                }
                self.scalar(resolved, text.len(), at)
            }
            Event::Alias(id) => {
                refuse_anchor_name(span.slice(self.source).unwrap_or_default(), at)?;
                self.alias(id, at)
            }
            Event::Anchor(_, name) => {
                refuse_anchor_name(&name, at)?;
                Ok(None)
            }
            Event::SequenceStart(style, anchor, _) => {
                self.refuse_tag_before_comma(span, at)?;
                self.open(anchor, Node::Sequence(Vec::new()), style, at)?;
                Ok(None)
            }
            Event::MappingStart(style, anchor, _) => {
                self.refuse_tag_before_comma(span, at)?;
                self.open(anchor, Node::Mapping { steps: Vec::new(), key: None, merges: false }, style, at)?;
                Ok(None)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            _ => Ok(None),
        }
    }

    /// Refuses what the event parser reads by YAML 1.2 and kubectl otherwise, by the rules of YAML 1.1 as libyaml has
    /// them: in flow style `:` ends a plain scalar only before a blank, and `?` is no part of one.
    fn refuse_what_differs(
        &self,
        text: &str,
        plain: bool,
        span: &Span,
        at: Position,
    ) -> Result<(), EventError> {
        self.refuse_tag_before_comma(span, at)?;
        if !plain || !self.stack.last().is_some_and(|frame| frame.flow) {
            return Ok(());
        }
        let after = span.byte_range().and_then(|range| self.source.as_bytes().get(range.end..));
        let glued = matches!(after, Some([b':', b',' | b']' | b'}' | b'[' | b'{', ..]));
        if glued || text.contains('?') {
            Err(EventError { at, kind: ReadErrorKind::FlowScalar })
        } else {
            Ok(())
        }
    }

    /// To libyaml a comma behind a tag is part of it.
    fn refuse_tag_before_comma(&self, span: &Span, at: Position) -> Result<(), EventError> {
        let end = span.tag_span().and_then(|tag| tag.byte_range()).map(|range| range.end);
        match end.and_then(|end| self.source.as_bytes().get(end)) {
            Some(b',') => Err(EventError { at, kind: ReadErrorKind::TagBeforeComma }),
            _ => Ok(()),
        }
    }

    fn scalar(&mut self, scalar: Scalar, length: usize, at: Position) -> Result<Tree, EventError> {
        if self.wants_key() {
            let kind = kind(&scalar);
            let text = scalar.into_key().map_err(|e| at.error(e))?;
            if text.len() > self.options.max_key_bytes {
                return Err(EventError { at, kind: ReadErrorKind::KeyLength(self.options.max_key_bytes) });
            }
            self.set_key(Key::Name(Name { text, kind }), at);
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
            let text = anchored.key.clone().map_err(|e| at.error(e))?;
            let kind = anchored.kind;
            self.set_key(Key::Name(Name { text, kind }), at);
            return Ok(None);
        }
        let merges = matches!(
            self.stack.last(),
            Some(Frame { node: Node::Mapping { key: Some((Key::Merge, _)), .. }, .. })
        );
        if merges && anchored.value.as_object().is_none() {
            return Err(EventError { at, kind: ReadErrorKind::MergeValue });
        }
        let (value, weight) = (anchored.value.clone(), anchored.weight);
        self.complete(value, weight, at)
    }

    fn open(
        &mut self,
        anchor: usize,
        node: Node,
        style: StructureStyle,
        at: Position,
    ) -> Result<(), EventError> {
        if self.wants_key() {
            return Err(at.error(ScalarError::Key));
        }
        if self.stack.len() >= self.options.max_depth {
            return Err(EventError { at, kind: ReadErrorKind::Depth(self.options.max_depth) });
        }
        self.stack.push(Frame {
            flow: style == StructureStyle::Flow,
            anchor,
            start: at,
            weight: NODE_WEIGHT,
            node,
        });
        Ok(())
    }

    fn close(&mut self) -> Result<Tree, EventError> {
        let Some(frame) = self.stack.pop() else { return Ok(None) };
        let value = match frame.node {
            Node::Sequence(items) => Value::Array(items),
            Node::Mapping { steps, merges, .. } => Value::Object(self.mapping(steps, merges)?),
        };
        if frame.anchor > 0 {
            let anchored = Anchored {
                value: value.clone(),
                key: Err(ScalarError::Key),
                kind: Kind::Text,
                weight: frame.weight,
            };
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
                *weight += name.text.len();
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
        if merges {
            return merged(steps);
        }
        let entries = steps.into_iter().filter_map(|step| Some((step.key?.text, step.value)));
        Ok(Map::from_last(entries.collect()))
    }

    fn refuse_duplicates(&mut self, steps: &[Step]) -> Result<(), EventError> {
        let mut named: Vec<(&Name, Position)> =
            steps.iter().filter_map(|step| Some((step.key.as_ref()?, step.at))).collect();
        if named.is_sorted_by(|a, b| a.0.text < b.0.text) {
            return Ok(());
        }
        named.sort_by(|a, b| (&a.0.text, a.1).cmp(&(&b.0.text, b.1)));
        for pair in named.windows(2) {
            let [(first, first_at), (again, at)] = pair else { continue };
            if first.text != again.text {
                continue;
            }
            if self.options.lenient_duplicates && first.kind == again.kind {
                (self.duplicate)(again.text.clone(), *at);
                continue;
            }
            let kind = ReadErrorKind::DuplicateKey { key: first.text.clone(), first: *first_at };
            return Err(EventError { at: *at, kind });
        }
        Ok(())
    }
}

/// To libyaml a name of anything but letters, digits, `-` and `_` ends earlier.
fn refuse_anchor_name(name: &str, at: Position) -> Result<(), EventError> {
    let name = name.strip_prefix('*').unwrap_or(name);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if name.bytes().all(plain) { Ok(()) } else { Err(EventError { at, kind: ReadErrorKind::AnchorName }) }
}

/// Entries and merges in the order written, each over what came before, as go-yaml v2 does it: a merge that comes late
/// wins over keys above it, where YAML's merge type would have them win.
fn merged(steps: Vec<Step>) -> Result<Map, EventError> {
    let mut entries: Vec<(Box<str>, Value)> = Vec::new();
    let mut typed = Vec::new();
    for step in steps {
        let wrong = || EventError { at: step.at, kind: ReadErrorKind::MergeValue };
        match (step.key, step.value) {
            (Some(name), value) => {
                if name.kind != Kind::Text {
                    typed.push((entries.len(), step.at));
                }
                entries.push((name.text, value));
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
        for (name, _) in &entries {
            *counts.entry(name).or_default() += 1;
        }
    }
    for (index, at) in typed {
        let key = &entries[index].0;
        if counts.get(key.as_ref()).is_some_and(|count| *count > 1) {
            return Err(EventError { at, kind: ReadErrorKind::DuplicateKey { key: key.clone(), first: at } });
        }
    }
    Ok(Map::from_last(entries))
}

fn kind(scalar: &Scalar) -> Kind {
    match scalar {
        Scalar::Bool(_) => Kind::Bool,
        Scalar::Int(_) | Scalar::Uint(_) => Kind::Int,
        Scalar::Float(_) => Kind::Float,
        Scalar::Null | Scalar::String(_) => Kind::Text,
    }
}

/// A tag as one text: its namespace and name, or `!` for the tag that makes any scalar a string.
fn tag_text(tag: &Tag) -> String {
    format!("{}{}", tag.handle(), tag.suffix())
}
