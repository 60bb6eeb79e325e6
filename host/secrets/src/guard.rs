//! No value breaks out of the JSON that it stands in, or becomes another one there.

use lathe_manifest::json;

use crate::bytes::SecretBytes;
use crate::error::Why;
use crate::token::{self, Piece};

/// The tokens of a text in their order, and what is put in their place; `None` for what was escaped for JSON.
pub(crate) type Values<'a> = [(&'a str, Option<SecretBytes>)];

/// Within quotes of a text that looks like JSON, a value means itself; outside of quotes it is one JSON value. `text` has tokens where
/// values go.
pub(crate) fn keeps_json(text: &SecretBytes, values: &Values<'_>) -> Result<(), Why> {
    let Some(text) = text.text() else { return Ok(()) };
    let text = text.trim_start_matches('\u{feff}');
    let looks = looks_like_json(text);
    let is_json = text.trim_start().starts_with(['{', '[', '"']) && is_json(text);
    if !looks && !is_json {
        return Ok(());
    }
    let mut next = 0;
    let mut quotes = Quotes::default();
    // What stands before a token and is no space.
    let mut before = ' ';
    for piece in token::pieces(text) {
        match piece {
            Piece::Text(text) | Piece::Broken(text) => {
                for c in text.chars() {
                    before = if c.is_whitespace() { before } else { c };
                    quotes.take(c);
                }
            }
            Piece::Token(token) => {
                let Some((_, value)) = values.get(next).filter(|(known, _)| *known == token) else {
                    continue;
                };
                next += 1;
                let is_place = is_json || matches!(before, ':' | ',' | '[' | '-');
                let is_sound = match value {
                    Some(value) if quotes.within => is_itself(value.expose()),
                    Some(value) => !is_place || value.text().is_some_and(|text| json::parse(text).is_ok()),
                    // What is escaped for quotes means nothing without them.
                    None => quotes.within || !is_place,
                };
                if !is_sound {
                    return Err(broken());
                }
            }
        }
    }
    Ok(())
}

/// Whether a text goes on within JSON's quotes.
#[derive(Default)]
struct Quotes {
    within: bool,
    escaped: bool,
}

impl Quotes {
    fn take(&mut self, c: char) {
        match c {
            _ if self.escaped => self.escaped = false,
            '\\' if self.within => self.escaped = true,
            '"' => self.within = !self.within,
            _ => {}
        }
    }
}

/// Whether a text can hardly be anything but JSON, sound or not: templates and sections begin otherwise.
pub(crate) fn looks_like_json(text: &str) -> bool {
    let mut start = text.trim_start().chars();
    start.next() == Some('{') && !matches!(start.next(), Some('{' | '%' | '$' | '#'))
}

/// Whether JSON reads the bytes within quotes as they are.
fn is_itself(value: &[u8]) -> bool {
    !value.iter().any(|byte| matches!(byte, b'"' | b'\\') || *byte < 0x20)
}

fn broken() -> Why {
    let told = "a value breaks the JSON that it stands in, or would be read as another there, for it holds a quote, a backslash or a line feed, or is no JSON where no quotes are; `| jsonEscape`, or `encoding=json`, writes it for quotes";
    Why::Type(told.to_owned())
}

/// Whether the text, or each of its lines that holds a token, is JSON once tokens that stand outside of quotes are in some.
fn is_json(text: &str) -> bool {
    if quoted(text).is_some_and(|text| json::parse(&text).is_ok()) {
        return true;
    }
    let mut lines = text.lines().filter(|line| line.contains(token::PREFIX)).peekable();
    let is_line = |line: &str| {
        line.trim_start().starts_with('{') && quoted(line).is_some_and(|line| json::parse(&line).is_ok())
    };
    lines.peek().is_some() && lines.all(is_line)
}

/// The text with quotes around tokens that stand outside of some.
fn quoted(text: &str) -> Option<zeroize::Zeroizing<String>> {
    let mut quoted = zeroize::Zeroizing::new(String::with_capacity(text.len() + 16));
    let mut quotes = Quotes::default();
    for piece in token::pieces(text) {
        match piece {
            Piece::Token(token) if !quotes.within => {
                quoted.push('"');
                quoted.push_str(token);
                quoted.push('"');
            }
            Piece::Token(token) => quoted.push_str(token),
            Piece::Text(text) | Piece::Broken(text) => {
                text.chars().for_each(|c| quotes.take(c));
                quoted.push_str(text);
            }
        }
    }
    (!quotes.within).then_some(quoted)
}
