//! The pieces that a document's text is cut into.

use std::borrow::Cow;

use super::cursor::Mark;

/// One piece and where it starts.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) at: Mark,
}

/// What the piece is. Starts and ends of block collections, and the keys that no `?` marks, follow from indentation.
#[derive(Debug)]
pub(super) enum Kind<'a> {
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'a str),
    Anchor(&'a str),
    Tag(Cow<'a, str>),
    Scalar { text: Cow<'a, str>, plain: bool },
}
