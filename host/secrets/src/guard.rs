//! No value breaks out of the JSON that it stands in, or becomes another one there.

use lathe_manifest::{Value, json};

use crate::bytes::SecretBytes;
use crate::error::Why;
use crate::token::{self, Piece};

/// Tokens of a text and what each has to say where they stand.
type Values<'a> = [(&'a str, SecretBytes)];

/// A text that is JSON around its references, or lines of it, is the same JSON around their values.
pub(crate) fn keeps_json(before: &SecretBytes, after: &SecretBytes, values: &Values<'_>) -> Result<(), Why> {
    let (Some(before), Some(after)) = (before.text(), after.text()) else { return Ok(()) };
    let (before, after) = (before.trim_start_matches('\u{feff}'), after.trim_start_matches('\u{feff}'));
    if !before.trim_start().starts_with(['{', '[', '"']) {
        return Ok(());
    }
    if let Some(tree) = parsed(before) {
        return if json::parse(after).is_ok_and(|after| is_same(&tree, &after, values)) {
            Ok(())
        } else {
            Err(broken())
        };
    }
    // Lines of JSON, each by itself.
    let lines: Vec<(&str, &str)> = before.lines().zip(after.lines()).collect();
    for (before, after) in lines.iter().filter(|(before, _)| before.contains(token::PREFIX)) {
        if let Some(tree) = parsed(before)
            && !json::parse(after).is_ok_and(|after| is_same(&tree, &after, values))
        {
            return Err(broken());
        }
    }
    Ok(())
}

fn broken() -> Why {
    let told = "a value breaks the JSON that it stands in, or would be read as another there, for it holds a quote, a backslash or a line feed; `| jsonEscape`, or `encoding=json`, writes it as JSON does";
    Why::Type(told.to_owned())
}

/// The text as JSON, tokens that stand outside of quotes in quotes of their own.
fn parsed(text: &str) -> Option<Value> {
    if let Ok(tree) = json::parse(text) {
        return Some(tree);
    }
    let mut quoted = zeroize::Zeroizing::new(String::with_capacity(text.len() + 16));
    let (mut within, mut escaped) = (false, false);
    for piece in token::pieces(text) {
        match piece {
            Piece::Token(token) if !within => {
                quoted.push('"');
                quoted.push_str(BARE);
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
    json::parse(&quoted).ok()
}

/// Marks a token that stands outside of quotes: any one value may stand there.
const BARE: &str = "\u{e000}";

fn is_same(before: &Value, after: &Value, values: &Values<'_>) -> bool {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            before.len() == after.len()
                && before.iter().zip(after.iter()).all(|((a, before), (b, after))| {
                    (a == b || a.contains(token::PREFIX)) && is_same(before, after, values)
                })
        }
        (Value::Array(before), Value::Array(after)) => {
            before.len() == after.len()
                && before.iter().zip(after).all(|(before, after)| is_same(before, after, values))
        }
        // Any one value may stand there.
        (Value::String(before), _) if before.starts_with(BARE) && token::pieces(before).len() == 2 => true,
        (Value::String(before), Value::String(after)) => {
            meant(before, values).is_none_or(|meant| *meant == **after)
        }
        (before, after) => before == after,
    }
}

/// What a text says with its tokens' values; `None` where one of them is not known here.
fn meant(text: &str, values: &Values<'_>) -> Option<zeroize::Zeroizing<String>> {
    let mut out = zeroize::Zeroizing::new(String::with_capacity(text.len()));
    for piece in token::pieces(text) {
        match piece {
            Piece::Text(text) | Piece::Broken(text) => out.push_str(text),
            Piece::Token(token) => {
                let value = values.iter().find(|(known, _)| *known == token)?;
                out.push_str(value.1.text()?);
            }
        }
    }
    Some(out)
}
