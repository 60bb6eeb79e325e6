//! Text as it may be read by whoever uses it: percent and backslash escapes undone, embedded YAML and JSON read, base64 of
//! Secrets decoded.

use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, alphabet};
use lathe_manifest::{ReadOptions, Reader, Value};

/// Dots that browsers and regular expressions take for one.
const DOTS: &[&str] = &["[.]", "&#46;", "&#x2e;", "&#x2E;", "&period;", "\u{3002}", "\u{ff0e}", "\u{ff61}"];

/// The text with `%XX`, `\n`, `\/`, `\xXX`, `\uXXXX` and dots of every spelling undone; `None` where there are none.
pub(crate) fn unescape(text: &str) -> Option<String> {
    let dotted = DOTS.iter().any(|dot| text.contains(dot));
    if !dotted && !text.contains(['%', '\\']) {
        return None;
    }
    let plain = if dotted {
        DOTS.iter().fold(text.to_owned(), |text, dot| text.replace(dot, "."))
    } else {
        text.to_owned()
    };
    let text = plain.as_str();
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let (decoded, length) = match byte {
            b'%' => hex(bytes.get(at + 1..at + 3)).map_or((*byte, 1), |code| (code_byte(code), 3)),
            b'\\' => match bytes.get(at + 1) {
                Some(b'n' | b't' | b'r' | b'b' | b'B' | b's' | b'S' | b'w' | b'W' | b'A' | b'z' | b'Z') => {
                    (b' ', 2)
                }
                Some(b'x') => hex(bytes.get(at + 2..at + 4)).map_or((*byte, 1), |code| (code_byte(code), 4)),
                Some(b'u') => hex(bytes.get(at + 2..at + 6)).map_or((*byte, 1), |code| (code_byte(code), 6)),
                // `\\` before anything is the escape of an escape: look at what follows.
                Some(b'\\') => (b'\\', usize::from(bytes.get(at + 2) != Some(&b'.')) + 1),
                Some(next @ (b'.' | b'/' | b'"' | b'-')) => (*next, 2),
                _ => (*byte, 1),
            },
            byte => (*byte, 1),
        };
        out.push(decoded);
        at += length;
    }
    // A lone backslash before a dot is what is left of `\\.`.
    Some(String::from_utf8_lossy(&out).replace("\\.", "."))
}

/// The texts of a YAML or JSON text in which quoted texts hold escapes, keys among them.
pub(crate) fn embedded(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if text.contains('\\') && text.contains('"') {
        let options = ReadOptions { lenient_duplicates: true, ..ReadOptions::default() };
        let documents = Reader::documents(options, "text", text.as_bytes()).unwrap_or_default();
        for document in &documents {
            texts(document, &mut found);
        }
    }
    found
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.to_string()),
        Value::Array(items) => {
            for item in items {
                texts(item, found);
            }
        }
        Value::Object(map) => {
            for (key, value) in map.iter() {
                found.push(key.to_owned());
                texts(value, found);
            }
        }
        _ => {}
    }
}

/// Base64 as lenient as Go's decoder: line feeds and leftover bits do not matter.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The text that base64 holds, whatever bytes beside it do.
pub(crate) fn base64(text: &str) -> Option<String> {
    let compact: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    LENIENT.decode(compact).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The texts that runs of base64 within a text hold, as in `Basic dXNlcjpw…`; short runs are words.
pub(crate) fn base64_runs(text: &str) -> Vec<String> {
    const SHORTEST: usize = 16;
    let digit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_');
    let runs = text.split(|c| !digit(c)).filter(|run| run.len() >= SHORTEST);
    // A slash is a digit, or the end of a path's part.
    let parts = runs.flat_map(|run| {
        std::iter::once(run).chain(run.split('/').filter(move |part| part.len() < run.len()))
    });
    let parts = parts.filter(|part| part.len() >= SHORTEST);
    parts
        .filter_map(|run| {
            let standard = run.replace('-', "+").replace('_', "/");
            // A run may have lost its end to something beside it that is a digit as well.
            let whole = &standard[..standard.len() - usize::from(standard.len() % 4 == 1)];
            base64(whole)
        })
        .collect()
}

fn hex(digits: Option<&[u8]>) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits?).ok()?, 16).ok()
}

/// An ASCII character as it is; anything else as a byte that no host name holds.
fn code_byte(code: u32) -> u8 {
    u8::try_from(code).ok().filter(u8::is_ascii).unwrap_or(b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        for (text, want) in [
            ("https%3A%2F%2Fa.example.org", "https://a.example.org"),
            (r"^a\.example\.org$", "^a.example.org$"),
            (r"a\\.example\\.org", "a.example.org"),
            (r"x\na.example.org", "x a.example.org"),
            (r"https:\/\/a.example.org", "https://a.example.org"),
            (r"\u0061.example.org", "a.example.org"),
            (r"portal\x2eexample[.]org", "portal.example.org"),
            ("portal&#46;example\u{3002}org", "portal.example.org"),
            ("100% %zz", "100% %zz"),
            (r"\", r"\"),
        ] {
            assert_eq!(unescape(text).as_deref(), Some(want));
        }
        assert_eq!(unescape("plain"), None);
    }

    #[test]
    fn base64_is_found_within_text() {
        assert_eq!(base64_runs("Basic dTpwb3J0YWwuZXhhbXBsZS5vcmc="), ["u:portal.example.org"]);
        // The last digit has bits that belong to no byte.
        assert_eq!(
            base64("aHR0cHM6Ly9wb3J0YWwuZXhhbXBsZS5vcmd=").as_deref(),
            Some("https://portal.example.org")
        );
    }
}
