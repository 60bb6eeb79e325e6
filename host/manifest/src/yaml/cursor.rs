//! A place in a document's text, moved forward by characters and line breaks.

use super::Fault;
use crate::error::{Position, ReadErrorKind};

/// A place that has been reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Bytes before it.
    pub(super) offset: usize,
    /// Characters before it on its line.
    pub(super) column: usize,
    /// Line breaks before it, of every kind that YAML 1.1 knows; two places with one number share a line.
    pub(super) breaks: usize,
    /// Line feeds before it, and characters since the last of them: what editors count.
    pub(super) feeds: usize,
    pub(super) shown: usize,
}

impl Mark {
    /// As it is told.
    pub(super) fn position(self) -> Position {
        Position { line: self.feeds + 1, column: self.shown + 1 }
    }

    /// Text that is no YAML.
    pub(super) fn wrong(self, what: &'static str) -> Fault {
        self.fault(ReadErrorKind::Syntax(what))
    }

    /// Anything wrong here.
    pub(super) fn fault(self, kind: impl Into<ReadErrorKind>) -> Fault {
        Fault { at: self.position(), kind: kind.into() }
    }
}

/// Reads a document's text. Behind its end stands NUL, which the text itself cannot hold.
pub(super) struct Cursor<'a> {
    text: &'a str,
    mark: Mark,
    is_ascii: bool,
}

impl<'a> Cursor<'a> {
    /// At the start of the text, which must not hold characters that YAML does not take.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, mark: Mark::default(), is_ascii: text.is_ascii() }
    }

    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    pub(super) fn column(&self) -> usize {
        self.mark.column
    }

    /// What has not been read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.mark.offset..).unwrap_or_default()
    }

    /// Text between two offsets that lie on characters' boundaries.
    pub(super) fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// The byte so far ahead.
    pub(super) fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.mark.offset + ahead).copied().unwrap_or(0)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.mark.offset >= self.text.len()
    }

    /// A space or tab, so far ahead.
    pub(super) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t')
    }

    pub(super) fn is_break(&self, ahead: usize) -> bool {
        self.rest().get(ahead..).is_some_and(|rest| break_length(rest) > 0)
    }

    /// A space, tab, line break or the end, so far ahead.
    pub(super) fn is_blank_or_end(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t' | 0) || self.is_break(ahead)
    }

    /// A line break or the end.
    pub(super) fn is_line_end(&self) -> bool {
        self.byte(0) == 0 || self.is_break(0)
    }

    /// `---` or `...` on its own at the start of a line.
    pub(super) fn is_document_indicator(&self) -> bool {
        self.mark.column == 0
            && (self.rest().starts_with(b"---") || self.rest().starts_with(b"..."))
            && self.is_blank_or_end(3)
    }

    /// Moves over bytes that hold whole characters and no line break.
    pub(super) fn skip(&mut self, bytes: usize) {
        let end = (self.mark.offset + bytes).min(self.text.len());
        let characters = if self.is_ascii {
            end - self.mark.offset
        } else {
            let passed = self.text.as_bytes().get(self.mark.offset..end).unwrap_or_default();
            passed.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
        };
        self.mark.column += characters;
        self.mark.shown += characters;
        self.mark.offset = end;
    }

    /// Moves over spaces and tabs.
    pub(super) fn skip_blanks(&mut self) {
        self.skip(self.rest().iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count());
    }

    /// Moves to the end of the line, and tells what was passed.
    pub(super) fn line(&mut self) -> &'a str {
        let rest = self.rest();
        let mut length = 0;
        // The bytes of rarer line breaks start with 0xc2 and 0xe2, as other characters do.
        while let Some(at) = rest.get(length..).and_then(|rest| rest.iter().position(|b| starts_break(*b))) {
            length += at;
            if break_length(&rest[length..]) > 0 {
                let from = self.mark.offset;
                self.skip(length);
                return self.slice(from, self.mark.offset);
            }
            length += 1;
        }
        let from = self.mark.offset;
        self.skip(rest.len());
        self.slice(from, self.mark.offset)
    }

    /// Moves over the line break that stands here, and tells what it reads as; empty where there is none.
    pub(super) fn line_break(&mut self) -> &'static str {
        let rest = self.rest();
        let length = break_length(rest);
        if length == 0 {
            return "";
        }
        let read = match rest {
            [0xe2, _, 0xa8, ..] => "\u{2028}",
            [0xe2, _, 0xa9, ..] => "\u{2029}",
            _ => "\n",
        };
        if rest[..length].contains(&b'\n') {
            self.mark.feeds += 1;
            self.mark.shown = 0;
        } else {
            self.mark.shown += 1;
        }
        self.mark.breaks += 1;
        self.mark.column = 0;
        self.mark.offset += length;
        read
    }
}

fn starts_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | 0xc2 | 0xe2)
}

/// How many bytes the line break at the start of the text has: CR, LF, both, U+0085, U+2028 or U+2029 (YAML 1.1, 4.2).
pub(super) fn break_length(text: &[u8]) -> usize {
    match text {
        [b'\r', b'\n', ..] | [0xc2, 0x85, ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        [0xe2, 0x80, 0xa8 | 0xa9, ..] => 3,
        _ => 0,
    }
}
