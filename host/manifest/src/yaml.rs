//! One YAML document read to a tree, by the grammar that kubectl reads by.
//!
//! kubectl reads with sigs.k8s.io/yaml, over go-yaml v2, which follows libyaml: YAML 1.1 with differences. This module keeps
//! to that grammar, so that what it reads is what kubectl reads; what kubectl would read by chance, or drop, it refuses.
//!
//! [`scanner`] cuts text into tokens, with one module for each kind of text; [`parser`] takes tokens together to nodes;
//! [`tree`] makes values of them.

mod block;
mod cursor;
mod fold;
mod keys;
mod mapping;
mod node;
mod parser;
mod plain;
mod property;
mod quoted;
mod scanner;
mod token;
mod tree;

use crate::error::{Position, ReadErrorKind};
use crate::read::ReadOptions;
use crate::value::Value;

pub(crate) use keys::Keys;

/// What went wrong, and where within the document.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) at: Position,
    pub(crate) kind: ReadErrorKind,
}

/// A tree and where it starts within its document; `None` for a document that holds nothing.
pub(crate) type Tree = Option<(Value, Position)>;

/// Reads the one document in `text`; `started` says that a line `---` above it belongs to it. Duplicate keys that `options` lets pass are told to `duplicate`.
pub(crate) fn tree(
    text: &str,
    started: bool,
    options: &ReadOptions,
    keys: &mut Keys,
    mut duplicate: impl FnMut(&str, Position),
) -> Result<Tree, Fault> {
    if let Some(offset) = control_character(text) {
        return Err(Fault { at: Position::of(text, offset), kind: ReadErrorKind::ControlCharacter });
    }
    if let Some(offset) = text.find('\u{feff}') {
        return Err(Fault { at: Position::of(text, offset), kind: ReadErrorKind::ByteOrderMark });
    }
    let builder = tree::Builder::new(options, keys, &mut duplicate);
    let Some(node) = parser::Parser::new(text, builder).document(started)? else { return Ok(None) };
    let at = node.at;
    let value = node.content.into_value().map_err(|error| at.fault(error))?;
    Ok(Some((value, at.position())).filter(|(value, _)| *value != Value::Null))
}

/// Where the first character is that YAML 1.1 does not take in any place (its section 4.1.1).
fn control_character(text: &str) -> Option<usize> {
    let plain = |byte: u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    // Without an early end the compiler looks at many bytes at once.
    if !text.bytes().fold(false, |found, byte| found | !plain(byte)) {
        return None;
    }
    let taken = |c: char| {
        matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}'
            | '\u{10000}'..='\u{10ffff}')
    };
    text.char_indices().find(|(_, c)| !taken(*c)).map(|(offset, _)| offset)
}
