//! Nodes put together to a tree: scalars resolved, aliases expanded, lists collected.

use std::borrow::Cow;
use std::collections::HashMap;

use super::Fault;
use super::cursor::Mark;
use super::keys::Keys;
use super::mapping::Entry;
use super::node::{Content, Node, Size};
use crate::error::{Position, ReadErrorKind};
use crate::read::ReadOptions;
use crate::scalar::{self, Scalar};
use crate::value::Value;

/// What a document's nodes are built with.
pub(super) struct Builder<'a, 'b> {
    pub(super) options: &'b ReadOptions,
    anchors: HashMap<&'a str, Anchor<'a>>,
    /// How many anchors were opened.
    opened: usize,
    /// How many bytes aliases and the nodes kept for them take.
    expanded: usize,
    /// How many nodes go-yaml has decoded by now, and how many of them out of aliases.
    decoded: usize,
    aliased: usize,
    /// Entries of all maps that have not ended, those of the innermost last.
    pub(super) entries: Vec<Entry>,
    /// Items of all lists that have not ended, those of the innermost last.
    items: Vec<Value>,
    pub(super) keys: &'b mut Keys,
    pub(super) duplicate: &'b mut dyn FnMut(&str, Position),
}

/// What a name stands for.
enum Anchor<'a> {
    /// A list or map that has not ended, by the count of it, so that none contains itself.
    Open(usize),
    Ended(Node<'a>),
}

/// A list that has not ended.
pub(super) struct Sequence {
    /// How many items others have before its own.
    start: usize,
    size: Size,
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
            // The document itself.
            decoded: 1,
            aliased: 0,
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
        self.count(0, at)?;
        let size = Size::scalar(text.len());
        let scalar = scalar::resolve(text, plain, tag).map_err(|error| at.fault(error))?;
        let node = Node { content: Content::Scalar(scalar), at, size, merges, is_alias: false };
        if let Some(name) = anchor {
            self.keep(name, &node, at)?;
        }
        Ok(node)
    }

    /// A node that is left out.
    pub(super) fn null(&mut self, at: Mark) -> Result<Node<'a>, Fault> {
        self.count(0, at)?;
        let content = Content::Scalar(Scalar::Null);
        Ok(Node { content, at, size: Size::scalar(0), merges: false, is_alias: false })
    }

    /// The node that a name stands for by now, at a depth.
    pub(super) fn alias(&mut self, name: &str, depth: usize, at: Mark) -> Result<Node<'a>, Fault> {
        let size = match self.anchors.get(name) {
            None => return Err(at.wrong("no anchor above has the name of this alias")),
            Some(Anchor::Open(_)) => return Err(at.fault(ReadErrorKind::AliasWithinItself)),
            Some(Anchor::Ended(node)) => node.size,
        };
        self.expanded = self.expanded.saturating_add(size.weight);
        if self.expanded > self.options.max_alias_bytes {
            return Err(at.fault(ReadErrorKind::AliasLimit));
        }
        if depth + size.height > self.options.max_depth {
            return Err(at.fault(ReadErrorKind::Depth(self.options.max_depth)));
        }
        self.count(size.nodes, at)?;
        let Some(Anchor::Ended(node)) = self.anchors.get(name) else {
            return Err(at.fault(ReadErrorKind::AliasWithinItself));
        };
        let size = Size { nodes: size.nodes.saturating_add(1), ..size };
        Ok(Node { at, size, merges: false, is_alias: true, ..node.clone() })
    }

    /// Counts a node, and those behind it if it is an alias; refuses what go-yaml v2 refuses for its share of aliases, whose
    /// figures these are.
    fn count(&mut self, behind: usize, at: Mark) -> Result<(), Fault> {
        const FEW: usize = 400_000;
        const MANY: usize = 4_000_000;
        self.decoded = self.decoded.saturating_add(1).saturating_add(behind);
        self.aliased = self.aliased.saturating_add(behind);
        if self.aliased <= 100 || self.decoded <= 1000 {
            return Ok(());
        }
        #[allow(clippy::cast_precision_loss, reason = "a share need not be exact")]
        let allowed = match self.decoded {
            ..=FEW => 0.99,
            MANY.. => 0.10,
            decoded => 0.99 - 0.89 * ((decoded - FEW) as f64 / (MANY - FEW) as f64),
        };
        #[allow(clippy::cast_precision_loss, reason = "a share need not be exact")]
        let share = self.aliased as f64 / self.decoded as f64;
        if share > allowed { Err(at.fault(ReadErrorKind::ExcessiveAliasing)) } else { Ok(()) }
    }

    /// Takes back what was counted.
    pub(super) fn uncount(&mut self, nodes: usize) {
        self.decoded = self.decoded.saturating_sub(nodes);
    }

    /// Notes that a list or map begins; the answer is for [`close`](Self::close).
    pub(super) fn open(
        &mut self,
        anchor: Option<&'a str>,
        at: Mark,
    ) -> Result<Option<(&'a str, usize)>, Fault> {
        self.count(0, at)?;
        let Some(name) = anchor else { return Ok(None) };
        self.opened += 1;
        self.anchors.insert(name, Anchor::Open(self.opened));
        Ok(Some((name, self.opened)))
    }

    /// A list's or map's node.
    pub(super) fn close(
        &mut self,
        (value, mut size): (Value, Size),
        open: Option<(&'a str, usize)>,
        at: Mark,
    ) -> Result<Node<'a>, Fault> {
        size.height += 1;
        let node = Node { content: Content::Collection(value), at, size, merges: false, is_alias: false };
        if let Some((name, count)) = open
            // Within it the name may have been given to another node, which keeps it.
            && matches!(self.anchors.get(name), Some(Anchor::Open(have)) if *have == count)
        {
            self.keep(name, &node, at)?;
        }
        Ok(node)
    }

    fn keep(&mut self, name: &'a str, node: &Node<'a>, at: Mark) -> Result<(), Fault> {
        self.expanded = self.expanded.saturating_add(node.size.weight);
        if self.expanded > self.options.max_alias_bytes {
            return Err(at.fault(ReadErrorKind::AliasLimit));
        }
        self.anchors.insert(name, Anchor::Ended(node.clone()));
        Ok(())
    }

    /// Begins a list.
    pub(super) fn sequence(&self) -> Sequence {
        Sequence { start: self.items.len(), size: Size::collection() }
    }

    /// Adds an item to the innermost list.
    pub(super) fn item(&mut self, sequence: &mut Sequence, node: Node<'_>) -> Result<(), Fault> {
        let at = node.at;
        sequence.size.add(node.size);
        sequence.size.typed |= node.size.typed;
        self.items.push(node.content.into_value().map_err(|error| at.fault(error))?);
        Ok(())
    }

    /// Ends the innermost list.
    pub(super) fn end_sequence(&mut self, sequence: &Sequence) -> (Value, Size) {
        (Value::Array(self.items.drain(sequence.start..).collect()), sequence.size)
    }
}
