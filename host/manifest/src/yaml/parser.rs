//! Tokens taken together to nodes, by the grammar of libyaml.

use super::Fault;
use super::mapping::Mapping;
use super::node::{Node, Size};
use super::scanner::Scanner;
use super::token::Kind;
use super::tree::Builder;
use crate::error::{Position, ReadErrorKind};
use crate::scalar::ScalarError;
use crate::value::Value;

/// Where a node stands, which decides what it may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Within brackets or braces.
    Flow,
    /// In a block list, or at the top.
    Block,
    /// In a block map, where a list may stand at the column of its key.
    Entry,
}

/// Reads one document.
pub(super) struct Parser<'a, 'b> {
    text: &'a str,
    scanner: Scanner<'a>,
    builder: Builder<'a, 'b>,
    depth: usize,
}

impl<'a, 'b> Parser<'a, 'b> {
    pub(super) fn new(text: &'a str, builder: Builder<'a, 'b>) -> Self {
        Self { text, scanner: Scanner::new(text, builder.options.max_depth), builder, depth: 0 }
    }

    /// The document's node; `None` for one without content. Anything behind the document's end, which kubectl would leave
    /// unread, is refused.
    /// `started` says that a line `---` above the text has begun it.
    pub(super) fn document(mut self, started: bool) -> Result<Option<Node<'a>>, Fault> {
        if matches!(self.kind()?, Kind::DocumentStart) {
            if started {
                return Err(self.fault(ReadErrorKind::SecondDocument));
            }
            self.scanner.take();
        }
        let node = match self.kind()? {
            Kind::StreamEnd => None,
            Kind::DocumentEnd => return Err(self.fault(ReadErrorKind::SecondDocument)),
            _ => Some(self.node(Place::Block)?),
        };
        while matches!(self.kind()?, Kind::DocumentEnd) {
            self.scanner.take();
        }
        match self.kind()? {
            Kind::StreamEnd => Ok(node),
            Kind::BlockMappingStart | Kind::Key | Kind::Value => Err(self.fault(ReadErrorKind::Syntax(
                "a key stands outside of the map above it; its indentation fits nothing",
            ))),
            Kind::FlowSequenceEnd | Kind::FlowMappingEnd => {
                Err(self.fault(ReadErrorKind::Syntax("a bracket closes nothing")))
            }
            _ => Err(self.fault(ReadErrorKind::SecondDocument)),
        }
    }

    fn kind(&mut self) -> Result<&Kind<'a>, Fault> {
        Ok(&self.scanner.peek()?.kind)
    }

    /// Something wrong with the next token. What is missing at the end is told where the text ends, not behind blank lines.
    fn fault(&mut self, kind: ReadErrorKind) -> Fault {
        match self.scanner.peek().map(|token| token.at) {
            Ok(at) if at.offset < self.text.len() => at.fault(kind),
            Ok(_) => Fault { at: Position::of(self.text, self.text.trim_end().len()), kind },
            Err(fault) => fault,
        }
    }

    fn wrong(&mut self, what: &'static str) -> Fault {
        self.fault(ReadErrorKind::Syntax(what))
    }

    fn node(&mut self, place: Place) -> Result<Node<'a>, Fault> {
        let at = self.scanner.peek()?.at;
        if let Kind::Alias(name) = self.kind()? {
            let name = *name;
            self.scanner.take();
            return self.builder.alias(name, self.depth, at);
        }
        let (mut anchor, mut tag) = (None, None);
        loop {
            match self.scanner.peek()?.kind {
                Kind::Anchor(name) if anchor.is_none() => {
                    anchor = Some(name);
                    self.scanner.take();
                }
                Kind::Tag(_) if tag.is_none() => {
                    if let Some(super::token::Token { kind: Kind::Tag(name), .. }) = self.scanner.take() {
                        tag = Some(name);
                    }
                }
                _ => break,
            }
        }
        let block = place != Place::Flow;
        match self.kind()? {
            Kind::Scalar { .. } => match self.scanner.take().map(|token| token.kind) {
                Some(Kind::Scalar { text, plain }) => {
                    self.builder.scalar(text, plain, tag.as_deref(), anchor, at)
                }
                _ => Err(at.wrong(NO_NODE)),
            },
            Kind::BlockEntry if place == Place::Entry => self.collection(anchor, at, Self::entries_at_key),
            Kind::FlowSequenceStart => self.collection(anchor, at, Self::flow_sequence),
            Kind::FlowMappingStart => self.collection(anchor, at, Self::flow_mapping),
            Kind::BlockSequenceStart if block => self.collection(anchor, at, Self::block_sequence),
            Kind::BlockMappingStart if block => self.collection(anchor, at, Self::block_mapping),
            _ if anchor.is_some() || tag.is_some() => {
                self.builder.scalar("".into(), true, tag.as_deref(), anchor, at)
            }
            _ => Err(self.wrong(NO_NODE)),
        }
    }

    /// A list or map, one level deeper.
    fn collection(
        &mut self,
        anchor: Option<&'a str>,
        at: super::cursor::Mark,
        read: fn(&mut Self) -> Result<(Value, Size), Fault>,
    ) -> Result<Node<'a>, Fault> {
        let max_depth = self.builder.options.max_depth;
        if self.depth >= max_depth {
            return Err(at.fault(ReadErrorKind::Depth(max_depth)));
        }
        let open = self.builder.open(anchor, at)?;
        self.depth += 1;
        let collection = read(self)?;
        self.depth -= 1;
        self.builder.close(collection, open, at)
    }

    fn block_sequence(&mut self) -> Result<(Value, Size), Fault> {
        self.scanner.take();
        let mut items = self.builder.sequence();
        loop {
            let at = self.scanner.peek()?.at;
            match self.kind()? {
                Kind::BlockEntry => {
                    self.scanner.take();
                    match self.kind()? {
                        Kind::BlockEntry | Kind::BlockEnd => {
                            let null = self.builder.null(at)?;
                            self.builder.item(&mut items, null)?;
                        }
                        _ => {
                            let item = self.node(Place::Block)?;
                            self.builder.item(&mut items, item)?;
                        }
                    }
                }
                Kind::BlockEnd => {
                    self.scanner.take();
                    return Ok(self.builder.end_sequence(&items));
                }
                _ => return Err(self.wrong("an item `- …` or the end of the list is wanted here")),
            }
        }
    }

    /// Items at the column of the key that they belong to.
    fn entries_at_key(&mut self) -> Result<(Value, Size), Fault> {
        let mut items = self.builder.sequence();
        while matches!(self.kind()?, Kind::BlockEntry) {
            let at = self.scanner.peek()?.at;
            self.scanner.take();
            match self.kind()? {
                Kind::BlockEntry | Kind::Key | Kind::Value | Kind::BlockEnd => {
                    {
                        let null = self.builder.null(at)?;
                        self.builder.item(&mut items, null)?;
                    };
                }
                _ => {
                    let item = self.node(Place::Block)?;
                    self.builder.item(&mut items, item)?;
                }
            }
        }
        Ok(self.builder.end_sequence(&items))
    }

    fn block_mapping(&mut self) -> Result<(Value, Size), Fault> {
        self.scanner.take();
        let mut mapping = self.builder.mapping();
        loop {
            match self.kind()? {
                Kind::Key => {}
                Kind::BlockEnd => {
                    self.scanner.take();
                    return self.builder.end_mapping(&mapping);
                }
                Kind::BlockEntry => return Err(self.wrong("a list item stands among the keys of a map")),
                _ => return Err(self.wrong("a key or the end of the map is wanted here")),
            }
            self.scanner.take();
            let ends = |kind: &Kind<'_>| matches!(kind, Kind::Key | Kind::Value | Kind::BlockEnd);
            self.entry(Place::Entry, ends, &mut mapping)?;
        }
    }

    /// A key, `?` of which has been taken, and its value. `ends` tells tokens before which a node is left out.
    fn entry(
        &mut self,
        place: Place,
        ends: fn(&Kind<'_>) -> bool,
        mapping: &mut Mapping,
    ) -> Result<(), Fault> {
        if ends(self.kind()?) {
            return Err(self.fault(ReadErrorKind::Scalar(ScalarError::Key)));
        }
        let key = self.node(place)?;
        let has_value = if matches!(self.kind()?, Kind::Value) {
            self.scanner.take();
            !ends(self.kind()?)
        } else {
            false
        };
        let value = if has_value { self.node(place)? } else { self.builder.null(key.at)? };
        self.builder.entry(mapping, key, value)
    }

    /// The comma before each entry of a flow list or map but the first; none is needed before its end.
    fn comma(
        &mut self,
        first: &mut bool,
        is_end: fn(&Kind<'_>) -> bool,
        wanted: &'static str,
    ) -> Result<(), Fault> {
        if std::mem::take(first) || is_end(self.kind()?) {
            return Ok(());
        }
        if !matches!(self.kind()?, Kind::FlowEntry) {
            return Err(self.wrong(wanted));
        }
        self.scanner.take();
        Ok(())
    }

    fn flow_mapping(&mut self) -> Result<(Value, Size), Fault> {
        self.scanner.take();
        let mut mapping = self.builder.mapping();
        let mut first = true;
        loop {
            self.comma(&mut first, |kind| matches!(kind, Kind::FlowMappingEnd), "`,` or `}` is wanted here")?;
            match self.kind()? {
                Kind::FlowMappingEnd => {
                    self.scanner.take();
                    return self.builder.end_mapping(&mapping);
                }
                Kind::Key => {
                    self.scanner.take();
                    let ends = |kind: &Kind<'_>| {
                        matches!(kind, Kind::Value | Kind::FlowEntry | Kind::FlowMappingEnd)
                    };
                    self.entry(Place::Flow, ends, &mut mapping)?;
                }
                _ => {
                    let key = self.node(Place::Flow)?;
                    let value = self.builder.null(key.at)?;
                    self.builder.entry(&mut mapping, key, value)?;
                }
            }
        }
    }

    fn flow_sequence(&mut self) -> Result<(Value, Size), Fault> {
        self.scanner.take();
        let mut items = self.builder.sequence();
        let mut first = true;
        loop {
            self.comma(
                &mut first,
                |kind| matches!(kind, Kind::FlowSequenceEnd),
                "`,` or `]` is wanted here",
            )?;
            let at = self.scanner.peek()?.at;
            match self.kind()? {
                Kind::FlowSequenceEnd => {
                    self.scanner.take();
                    return Ok(self.builder.end_sequence(&items));
                }
                Kind::Key => {
                    self.scanner.take();
                    let item = self.collection(None, at, Self::pair)?;
                    self.builder.item(&mut items, item)?;
                }
                _ => {
                    let item = self.node(Place::Flow)?;
                    self.builder.item(&mut items, item)?;
                }
            }
        }
    }

    /// A map of one entry without braces, which stands in a flow list.
    fn pair(&mut self) -> Result<(Value, Size), Fault> {
        let ends = |kind: &Kind<'_>| matches!(kind, Kind::Value | Kind::FlowEntry | Kind::FlowSequenceEnd);
        let mut mapping = self.builder.mapping();
        self.entry(Place::Flow, ends, &mut mapping)?;
        self.builder.end_mapping(&mapping)
    }
}

const NO_NODE: &str = "a value is wanted here";
