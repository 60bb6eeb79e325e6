//! Block scalars: `|` and `>`.

use super::Fault;
use super::cursor::Mark;
use super::scanner::Scanner;

/// What happens to the line breaks at the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

impl Scanner<'_> {
    /// The text of a block scalar.
    pub(super) fn block_scalar(&mut self, literal: bool) -> Result<String, Fault> {
        let start = self.cursor.mark();
        self.cursor.skip(1);
        let (chomping, increment) = self.block_header(start)?;
        self.cursor.skip_blanks();
        if self.cursor.byte(0) == b'#' {
            self.cursor.line();
        }
        if !self.cursor.is_line_end() {
            return Err(self.cursor.mark().wrong("text stands behind the header of a block scalar"));
        }
        self.cursor.line_break();
        let mut indent = (increment > 0).then(|| self.indent.saturating_sub(1) + increment);
        // Built where there is room already, so that the heap is not left full of what text grew out of.
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        let mut breaks = self.block_breaks(&mut indent, start)?;
        let (mut line_break, mut after_blank) = ("", false);
        while indent == Some(self.cursor.column()) && !self.cursor.is_at_end() {
            let blank = self.cursor.is_blank(0);
            if !literal && line_break == "\n" && !after_blank && !blank {
                if breaks.is_empty() {
                    text.push(' ');
                }
            } else {
                text.push_str(line_break);
            }
            text.push_str(&breaks);
            after_blank = blank;
            text.push_str(self.cursor.line());
            line_break = self.cursor.line_break();
            breaks = self.block_breaks(&mut indent, start)?;
        }
        if chomping != Chomping::Strip {
            text.push_str(line_break);
        }
        if chomping == Chomping::Keep {
            text.push_str(&breaks);
        }
        let exact = text.as_str().to_owned();
        self.scratch = text;
        Ok(exact)
    }

    /// `+` or `-` and a digit, in any order.
    fn block_header(&mut self, start: Mark) -> Result<(Chomping, usize), Fault> {
        let (mut chomping, mut increment) = (None, None);
        loop {
            match self.cursor.byte(0) {
                b'+' if chomping.is_none() => chomping = Some(Chomping::Keep),
                b'-' if chomping.is_none() => chomping = Some(Chomping::Strip),
                b'0' if increment.is_none() => {
                    return Err(start.wrong("the indentation of a block scalar is at least 1"));
                }
                digit @ b'1'..=b'9' if increment.is_none() => increment = Some(usize::from(digit - b'0')),
                _ => return Ok((chomping.unwrap_or(Chomping::Clip), increment.unwrap_or(0))),
            }
            self.cursor.skip(1);
        }
    }

    /// Line breaks and indentation before a line of text. The first such line decides the indentation, unless the header
    /// did.
    fn block_breaks(&mut self, indent: &mut Option<usize>, start: Mark) -> Result<String, Fault> {
        let (mut breaks, mut deepest) = (String::new(), 0);
        loop {
            let spaces = self.cursor.rest().iter().take_while(|byte| **byte == b' ').count();
            let room = indent.map_or(usize::MAX, |indent| indent.saturating_sub(self.cursor.column()));
            self.cursor.skip(spaces.min(room));
            deepest = deepest.max(self.cursor.column());
            let short = indent.is_none_or(|indent| self.cursor.column() < indent);
            if short && self.cursor.byte(0) == b'\t' {
                return Err(start.wrong("a tab indents the block scalar that starts here; only spaces may"));
            }
            let line_break = self.cursor.line_break();
            if line_break.is_empty() {
                break;
            }
            breaks.push_str(line_break);
        }
        if indent.is_none() {
            *indent = Some(deepest.max(self.indent).max(1));
        }
        Ok(breaks)
    }
}
