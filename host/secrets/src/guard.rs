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
    let start = text.trim_start();
    let is_string = start.starts_with('"') && text.trim_end().ends_with('"');
    // Templates of Go begin with two braces.
    if !(start.starts_with(['{', '[']) && !start.starts_with("{{") || is_string) {
        return Ok(());
    }
    let mut values = values.iter();
    let (mut within, mut escaped) = (false, false);
    let mut bare = Vec::new();
    for piece in token::pieces(text) {
        match piece {
            Piece::Text(text) | Piece::Broken(text) => {
                for c in text.chars() {
                    match c {
                        _ if escaped => escaped = false,
                        '\\' if within => escaped = true,
                        '"' => within = !within,
                        _ => {}
                    }
                }
            }
            Piece::Token(token) => {
                let Some((_, value)) = values.find(|(known, _)| *known == token) else { continue };
                match value {
                    Some(value) if within && !is_itself(value.expose()) => return Err(broken()),
                    Some(value) if !within => bare.push(value),
                    _ => {}
                }
            }
        }
    }
    let is_value = |value: &SecretBytes| value.text().is_some_and(|text| json::parse(text).is_ok());
    if bare.into_iter().all(is_value) || !is_json(text) { Ok(()) } else { Err(broken()) }
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
    let (mut within, mut escaped) = (false, false);
    for piece in token::pieces(text) {
        match piece {
            Piece::Token(token) if !within => {
                quoted.push('"');
                quoted.push_str(token);
                quoted.push('"');
            }
            Piece::Token(token) => quoted.push_str(token),
            Piece::Text(text) | Piece::Broken(text) => {
                for c in text.chars() {
                    match c {
                        _ if escaped => escaped = false,
                        '\\' if within => escaped = true,
                        '"' => within = !within,
                        _ => {}
                    }
                }
                quoted.push_str(text);
            }
        }
    }
    (!within).then_some(quoted)
}
