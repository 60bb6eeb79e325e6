//! A document's text cut into tokens, by libyaml's rules as go-yaml v2 has them.
//!
//! Those are YAML 1.1 with choices of their own, which decide what kubectl reads: a key without `?` has to end on its line
//! within 1,024 characters, in flow style `:` ends a plain scalar only before a blank, a tab may not indent.

use std::collections::VecDeque;

use super::Fault;
use super::cursor::{Cursor, Mark};
use super::token::{Kind, Token};
use crate::error::ReadErrorKind;

/// How many characters a key without `?` may have, with what stands between it and its colon.
const SIMPLE_KEY: usize = 1024;

const NO_COLON: &str = "a key has no `:` behind it on its line";

/// A token that turns out to start a key if `:` follows.
struct SimpleKey {
    /// The number of the token, counted from the document's start.
    token: usize,
    at: Mark,
    flow_level: usize,
    /// It stands where only a key can.
    required: bool,
}

/// Cuts one document.
pub(super) struct Scanner<'a> {
    pub(super) cursor: Cursor<'a>,
    tokens: VecDeque<Token<'a>>,
    /// How many tokens were taken.
    taken: usize,
    /// One for each level of flow style at most, outermost first.
    keys: VecDeque<SimpleKey>,
    key_allowed: bool,
    pub(super) flow_level: usize,
    /// One more than the column of the innermost block collection; 0 outside of all.
    pub(super) indent: usize,
    indents: Vec<usize>,
    max_depth: usize,
    ended: bool,
    /// Where text is put together.
    pub(super) scratch: String,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, max_depth: usize) -> Self {
        Self {
            cursor: Cursor::new(text),
            tokens: VecDeque::new(),
            taken: 0,
            keys: VecDeque::new(),
            key_allowed: true,
            flow_level: 0,
            indent: 0,
            indents: Vec::new(),
            max_depth,
            ended: false,
            scratch: String::new(),
        }
    }

    /// The next token. Behind the last one stands the end of the stream again and again.
    pub(super) fn peek(&mut self) -> Result<&Token<'a>, Fault> {
        const END: &Token<'static> = &Token {
            kind: Kind::StreamEnd,
            at: Mark { offset: 0, column: 0, breaks: 0, feeds: 0, shown: 0 },
        };
        while !self.ended && (self.tokens.is_empty() || self.may_be_key()?) {
            self.fetch()?;
        }
        Ok(self.tokens.front().unwrap_or(END))
    }

    /// Takes the next token, which has been looked at.
    pub(super) fn take(&mut self) -> Option<Token<'a>> {
        if self.tokens.len() == 1 && self.ended {
            return None;
        }
        self.taken += 1;
        self.tokens.pop_front()
    }

    /// Whether the next token may yet turn out to be a key.
    fn may_be_key(&mut self) -> Result<bool, Fault> {
        match self.keys.front() {
            Some(key) if key.token == self.taken => {
                if self.is_within_reach(key)? {
                    return Ok(true);
                }
                self.keys.pop_front();
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    fn is_within_reach(&self, key: &SimpleKey) -> Result<bool, Fault> {
        let now = self.cursor.mark();
        if key.at.breaks == now.breaks && key.at.column + SIMPLE_KEY >= now.column {
            return Ok(true);
        }
        if key.required { Err(key.at.wrong(NO_COLON)) } else { Ok(false) }
    }

    /// Notes that a key may start here.
    fn save_key(&mut self) -> Result<(), Fault> {
        if self.key_allowed {
            self.drop_key()?;
            let at = self.cursor.mark();
            self.keys.push_back(SimpleKey {
                token: self.taken + self.tokens.len(),
                at,
                flow_level: self.flow_level,
                required: self.flow_level == 0 && self.indent == at.column + 1,
            });
        }
        Ok(())
    }

    /// Forgets what might have been a key on this level.
    fn drop_key(&mut self) -> Result<(), Fault> {
        match self.keys.back() {
            Some(key) if key.flow_level == self.flow_level => {
                if key.required {
                    return Err(key.at.wrong(NO_COLON));
                }
                self.keys.pop_back();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn push(&mut self, kind: Kind<'a>, at: Mark) {
        self.tokens.push_back(Token { kind, at });
    }

    /// A token of so many bytes.
    fn push_indicator(&mut self, kind: Kind<'a>, bytes: usize) {
        let at = self.cursor.mark();
        self.cursor.skip(bytes);
        self.push(kind, at);
    }

    /// Opens a block collection if the column is deeper than the innermost one; its start is the token at `index`.
    fn roll_indent(&mut self, at: Mark, index: usize, kind: Kind<'a>) -> Result<(), Fault> {
        if self.flow_level > 0 || self.indent > at.column {
            return Ok(());
        }
        if self.indents.len() >= self.max_depth {
            return Err(at.fault(ReadErrorKind::Depth(self.max_depth)));
        }
        self.indents.push(self.indent);
        self.indent = at.column + 1;
        self.tokens.insert(index.min(self.tokens.len()), Token { kind, at });
        Ok(())
    }

    /// Closes the block collections that stand deeper than the column; 0 for all, else one more than the column.
    fn unroll_indent(&mut self, to: usize) {
        if self.flow_level > 0 {
            return;
        }
        while self.indent > to {
            let at = self.cursor.mark();
            self.push(Kind::BlockEnd, at);
            self.indent = self.indents.pop().unwrap_or(0);
        }
    }

    /// Cuts at least one token more.
    fn fetch(&mut self) -> Result<(), Fault> {
        self.skip_to_token();
        self.unroll_indent(self.cursor.column() + 1);
        if self.cursor.is_at_end() {
            return self.end();
        }
        let at = self.cursor.mark();
        if self.cursor.is_document_indicator() {
            return self.document_indicator();
        }
        let (byte, in_flow) = (self.cursor.byte(0), self.flow_level > 0);
        let then_blank = self.cursor.is_blank_or_end(1);
        match byte {
            b'%' if at.column == 0 => {
                Err(at.wrong("`%` starts a directive here, which a manifest cannot have; put text in quotes"))
            }
            b'[' => self.flow_start(Kind::FlowSequenceStart),
            b'{' => self.flow_start(Kind::FlowMappingStart),
            b']' => self.flow_end(Kind::FlowSequenceEnd),
            b'}' => self.flow_end(Kind::FlowMappingEnd),
            b',' => {
                self.drop_key()?;
                self.key_allowed = true;
                self.push_indicator(Kind::FlowEntry, 1);
                Ok(())
            }
            b'-' if then_blank => self.block_entry(),
            b'?' if in_flow || then_blank => self.key(),
            b':' if in_flow || then_blank => self.value(),
            b'*' | b'&' => self.property(|scanner| {
                let name = scanner.anchor()?;
                Ok(if byte == b'*' { Kind::Alias(name) } else { Kind::Anchor(name) })
            }),
            b'!' => self.property(|scanner| Ok(Kind::Tag(scanner.tag()?))),
            b'|' | b'>' if !in_flow => {
                self.drop_key()?;
                self.key_allowed = true;
                let text = self.block_scalar(byte == b'|')?;
                self.push(Kind::Scalar { text: text.into(), plain: false }, at);
                Ok(())
            }
            b'\'' | b'"' => self.property(|scanner| {
                let text = scanner.quoted_scalar(byte == b'\'')?;
                Ok(Kind::Scalar { text, plain: false })
            }),
            b'\t' => Err(at.wrong("a tab stands where only spaces may")),
            b'|' | b'>' | b'#' | b'%' | b'@' | b'`' => {
                Err(at.wrong("text cannot start with this character; put it in quotes"))
            }
            _ => {
                self.save_key()?;
                self.key_allowed = false;
                let (text, ends_on_new_line) = self.plain_scalar()?;
                self.key_allowed = ends_on_new_line;
                self.push(Kind::Scalar { text, plain: true }, at);
                Ok(())
            }
        }
    }

    /// A token that may start a key and behind which none can start.
    fn property(&mut self, scan: impl FnOnce(&mut Self) -> Result<Kind<'a>, Fault>) -> Result<(), Fault> {
        self.save_key()?;
        self.key_allowed = false;
        let at = self.cursor.mark();
        let kind = scan(self)?;
        self.push(kind, at);
        Ok(())
    }

    /// Moves over blanks, comments and line breaks.
    fn skip_to_token(&mut self) {
        loop {
            let tabs = self.flow_level > 0 || !self.key_allowed;
            let blank = |byte: &&u8| **byte == b' ' || tabs && **byte == b'\t';
            self.cursor.skip(self.cursor.rest().iter().take_while(blank).count());
            if self.cursor.byte(0) == b'#' {
                self.cursor.line();
            }
            if self.cursor.line_break().is_empty() {
                return;
            }
            if self.flow_level == 0 {
                self.key_allowed = true;
            }
        }
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.unroll_indent(0);
        self.drop_key()?;
        // What might have been a key further out has no colon either.
        if let Some(key) = self.keys.iter().find(|key| key.required) {
            return Err(key.at.wrong(NO_COLON));
        }
        self.keys.clear();
        self.ended = true;
        let at = self.cursor.mark();
        self.push(Kind::StreamEnd, at);
        Ok(())
    }

    fn document_indicator(&mut self) -> Result<(), Fault> {
        self.unroll_indent(0);
        self.drop_key()?;
        self.key_allowed = false;
        let kind = if self.cursor.byte(0) == b'-' { Kind::DocumentStart } else { Kind::DocumentEnd };
        self.push_indicator(kind, 3);
        Ok(())
    }

    fn flow_start(&mut self, kind: Kind<'a>) -> Result<(), Fault> {
        self.save_key()?;
        self.flow_level += 1;
        if self.flow_level > self.max_depth {
            return Err(self.cursor.mark().fault(ReadErrorKind::Depth(self.max_depth)));
        }
        self.key_allowed = true;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn flow_end(&mut self, kind: Kind<'a>) -> Result<(), Fault> {
        self.drop_key()?;
        self.flow_level = self.flow_level.saturating_sub(1);
        self.key_allowed = false;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn block_entry(&mut self) -> Result<(), Fault> {
        let at = self.cursor.mark();
        if self.flow_level == 0 {
            if !self.key_allowed {
                return Err(at.wrong("a list cannot start here; put it on a line of its own"));
            }
            self.roll_indent(at, self.tokens.len(), Kind::BlockSequenceStart)?;
        }
        self.drop_key()?;
        self.key_allowed = true;
        self.push_indicator(Kind::BlockEntry, 1);
        Ok(())
    }

    /// `?`, which marks a key.
    fn key(&mut self) -> Result<(), Fault> {
        let at = self.cursor.mark();
        if self.flow_level == 0 {
            if !self.key_allowed {
                return Err(at.wrong("a key cannot start here; put it on a line of its own"));
            }
            self.roll_indent(at, self.tokens.len(), Kind::BlockMappingStart)?;
        }
        self.drop_key()?;
        self.key_allowed = self.flow_level == 0;
        self.push_indicator(Kind::Key, 1);
        Ok(())
    }

    /// `:`, which makes a key of what stands before it on the line.
    fn value(&mut self) -> Result<(), Fault> {
        let at = self.cursor.mark();
        let mut key = self.keys.pop_back_if(|key| key.flow_level == self.flow_level);
        if let Some(found) = &key
            && !self.is_within_reach(found)?
        {
            key = None;
        }
        if let Some(key) = key {
            let index = key.token - self.taken;
            self.tokens.insert(index.min(self.tokens.len()), Token { kind: Kind::Key, at: key.at });
            self.roll_indent(key.at, index, Kind::BlockMappingStart)?;
            self.key_allowed = false;
        } else {
            if self.flow_level == 0 {
                if !self.key_allowed {
                    return Err(
                        at.wrong("a `:` with a blank behind it stands within text; put the text in quotes")
                    );
                }
                self.roll_indent(at, self.tokens.len(), Kind::BlockMappingStart)?;
            }
            self.key_allowed = self.flow_level == 0;
        }
        self.push_indicator(Kind::Value, 1);
        Ok(())
    }
}
