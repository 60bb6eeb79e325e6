//! Text without quotes.

use std::borrow::Cow;

use super::Fault;
use super::fold::Folds;
use super::scanner::Scanner;

impl<'a> Scanner<'a> {
    /// The text, and whether line breaks were passed behind it, so that a key may follow.
    pub(super) fn plain_scalar(&mut self) -> Result<(Cow<'a, str>, bool), Fault> {
        let start = self.cursor.mark();
        let mut text = Cow::Borrowed("");
        // Where the piece of text began that is not part of `text` yet, and where its last character ended.
        let (mut from, mut to) = (start.offset, start.offset);
        let mut folds = Folds::default();
        loop {
            if self.cursor.is_document_indicator() || self.cursor.byte(0) == b'#' {
                break;
            }
            let length = self.plain_run();
            if length > 0 {
                if folds.any() {
                    folds.join(text.to_mut());
                    from = self.cursor.mark().offset;
                }
                self.cursor.skip(length);
                to = self.cursor.mark().offset;
            }
            if !self.cursor.is_blank(0) && !self.cursor.is_break(0) {
                break;
            }
            while self.cursor.is_blank(0) || self.cursor.is_break(0) {
                if self.cursor.is_blank(0) {
                    let indents = folds.any() && self.cursor.column() < self.indent;
                    if indents && self.cursor.byte(0) == b'\t' {
                        return Err(self.cursor.mark().wrong("a tab stands where only spaces may"));
                    }
                    self.cursor.skip(1);
                } else {
                    if !folds.any() {
                        self.append(&mut text, from, to);
                        from = to;
                    }
                    folds.push(self.cursor.line_break());
                }
            }
            if self.flow_level == 0 && self.cursor.column() < self.indent {
                break;
            }
        }
        self.append(&mut text, from, to);
        Ok((text, folds.any()))
    }

    fn append(&self, text: &mut Cow<'a, str>, from: usize, to: usize) {
        let piece = self.cursor.slice(from, to);
        if text.is_empty() {
            *text = piece.into();
        } else if !piece.is_empty() {
            text.to_mut().push_str(piece);
        }
    }

    /// How many bytes stand here before a blank, a line break or an indicator that ends plain text.
    fn plain_run(&self) -> usize {
        let rest = self.cursor.rest();
        let in_flow = self.flow_level > 0;
        let mut length = 0;
        while let Some(byte) = rest.get(length) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => break,
                b':' if self.cursor.is_blank_or_end(length + 1) => break,
                b',' | b'?' | b'[' | b']' | b'{' | b'}' if in_flow => break,
                0xc2 | 0xe2 if self.cursor.is_break(length) => break,
                _ => length += 1,
            }
        }
        length
    }
}
