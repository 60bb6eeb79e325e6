//! Text in single or double quotes.

use std::borrow::Cow;

use super::Fault;
use super::cursor::{Mark, break_length};
use super::fold::Folds;
use super::scanner::Scanner;

impl<'a> Scanner<'a> {
    /// Text between quotes.
    pub(super) fn quoted_scalar(&mut self, single: bool) -> Result<Cow<'a, str>, Fault> {
        let start = self.cursor.mark();
        let quote = if single { b'\'' } else { b'"' };
        self.cursor.skip(1);
        if let Some(length) = undisturbed(self.cursor.rest(), quote) {
            let from = self.cursor.mark().offset;
            self.cursor.skip(length + 1);
            return Ok(self.cursor.slice(from, from + length).into());
        }
        let mut text = String::new();
        loop {
            if self.cursor.is_document_indicator() {
                return Err(self.cursor.mark().wrong("a line `---` or `...` stands within quotes"));
            }
            if self.cursor.is_at_end() {
                return Err(start.wrong("the text in quotes that starts here does not end"));
            }
            let escaped_break = self.quoted_run(single, start, &mut text)?;
            if self.cursor.byte(0) == quote {
                self.cursor.skip(1);
                return Ok(text.into());
            }
            self.quoted_blanks(escaped_break, &mut text);
        }
    }

    /// Characters up to a blank, a line break or the quote; tells whether an escaped line break ended them.
    fn quoted_run(&mut self, single: bool, start: Mark, text: &mut String) -> Result<bool, Fault> {
        while !self.cursor.is_blank_or_end(0) {
            match (self.cursor.byte(0), self.cursor.byte(1)) {
                (b'\'', b'\'') if single => {
                    text.push('\'');
                    self.cursor.skip(2);
                }
                (b'\'', _) if single => break,
                (b'"', _) if !single => break,
                (b'\\', _) if !single && self.cursor.is_break(1) => {
                    self.cursor.skip(1);
                    self.cursor.line_break();
                    return Ok(true);
                }
                (b'\\', escape) if !single => text.push(self.escape(escape, start)?),
                _ => {
                    let from = self.cursor.mark().offset;
                    let rest = self.cursor.rest();
                    let ends = |b: &u8| {
                        matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'\'' | b'"' | b'\\' | 0xc2 | 0xe2)
                    };
                    // The first byte is text, whatever it is.
                    let more = rest.iter().skip(1).take_while(|byte| !ends(byte)).count();
                    let length = 1 + more;
                    self.cursor.skip(length);
                    text.push_str(self.cursor.slice(from, from + length));
                }
            }
        }
        Ok(false)
    }

    /// Blanks and line breaks: blanks alone stay, line breaks fold and take the blanks around them away.
    fn quoted_blanks(&mut self, escaped_break: bool, text: &mut String) {
        let (from, mut folds) = (self.cursor.mark().offset, Folds::default());
        let mut to = from;
        let mut more = String::new();
        while self.cursor.is_blank(0) || self.cursor.is_break(0) {
            if self.cursor.is_blank(0) {
                self.cursor.skip_blanks();
                if !folds.any() {
                    to = self.cursor.mark().offset;
                }
            } else if escaped_break {
                more.push_str(self.cursor.line_break());
            } else {
                folds.push(self.cursor.line_break());
            }
        }
        if escaped_break {
            text.push_str(&more);
        } else if folds.any() {
            folds.join(text);
        } else {
            text.push_str(self.cursor.slice(from, to));
        }
    }

    /// The character that an escape stands for.
    fn escape(&mut self, escape: u8, start: Mark) -> Result<char, Fault> {
        let at = self.cursor.mark();
        let digits = match escape {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            _ => 0,
        };
        let unknown = || at.wrong("`\\` in double quotes is followed by something that is no escape");
        if digits == 0 {
            let read = match escape {
                b'0' => '\0',
                b'a' => '\u{7}',
                b'b' => '\u{8}',
                b't' | b'\t' => '\t',
                b'n' => '\n',
                b'v' => '\u{b}',
                b'f' => '\u{c}',
                b'r' => '\r',
                b'e' => '\u{1b}',
                b' ' | b'"' | b'\'' | b'\\' => char::from(escape),
                b'N' => '\u{85}',
                b'_' => '\u{a0}',
                b'L' => '\u{2028}',
                b'P' => '\u{2029}',
                _ if self.cursor.rest().len() < 2 => {
                    return Err(start.wrong("the text in quotes that starts here does not end"));
                }
                _ => return Err(unknown()),
            };
            self.cursor.skip(2);
            return Ok(read);
        }
        let hex = self.cursor.rest().get(2..2 + digits).and_then(|hex| std::str::from_utf8(hex).ok());
        let hex = hex.filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit())).ok_or_else(unknown)?;
        let read = u32::from_str_radix(hex, 16).ok().and_then(char::from_u32);
        let read = read.ok_or_else(|| {
            at.wrong("the escape is no character; one beyond U+FFFF is written as `\\U` with eight digits")
        })?;
        self.cursor.skip(2 + digits);
        Ok(read)
    }
}

/// How long the text is before the closing quote, where nothing in it has to be read otherwise than it stands.
fn undisturbed(rest: &[u8], quote: u8) -> Option<usize> {
    let mut length = 0;
    loop {
        match rest.get(length)? {
            b'\\' if quote == b'"' => return None,
            b'\n' | b'\r' => return None,
            0xc2 | 0xe2 if break_length(&rest[length..]) > 0 => return None,
            byte if *byte == quote => {
                return (quote == b'"' || rest.get(length + 1) != Some(&b'\'')).then_some(length);
            }
            _ => length += 1,
        }
    }
}
