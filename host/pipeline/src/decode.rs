//! Text as it may be read by whoever uses it: percent and backslash escapes undone, embedded YAML and JSON read, base64 of
//! Secrets decoded.

use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, alphabet};
use lathe_manifest::{ReadOptions, Reader, Value};

/// Dots that browsers and regular expressions take for one.
const DOTS: &[&str] = &[
    "[.]", "(\\.)", "&#46;", "&#046;", "&#x2e;", "&#x2E;", "&period;", "\\056", "\u{2024}", "\u{3002}",
    "\u{ff0e}", "\u{ff61}",
];

/// Characters that nobody sees and DNS drops (RFC 5891, mapped to nothing by UTS #46).
const INVISIBLE: &[char] = &['\u{ad}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}'];

/// The text with `%XX`, `\n`, `\/`, `\xXX`, `\uXXXX` and dots of every spelling undone; `None` where there are none.
pub(crate) fn unescape(text: &str) -> Option<String> {
    let dotted = DOTS.iter().any(|dot| text.contains(dot)) || text.contains(INVISIBLE);
    if !dotted && !text.contains(['%', '\\', '|']) {
        return None;
    }
    let plain = if dotted {
        DOTS.iter().fold(text.replace(INVISIBLE, ""), |text, dot| text.replace(dot, "."))
    } else {
        text.to_owned()
    };
    let text = plain.as_str();
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let mut code = |length: usize, digits: Option<&[u8]>| {
            let Some(code) = hex(digits) else {
                out.push(*byte);
                return 1;
            };
            let c = char::from_u32(code).unwrap_or(' ');
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            length
        };
        at += match (byte, bytes.get(at + 1)) {
            // Of a percent-encoded character each byte is written alone (RFC 3986 section 2.5).
            (b'%', _) => {
                let code = hex(bytes.get(at + 1..at + 3)).and_then(|code| u8::try_from(code).ok());
                out.push(code.unwrap_or(b'%'));
                if code.is_some() { 3 } else { 1 }
            }
            (b'\\', Some(b'x')) => code(4, bytes.get(at + 2..at + 4)),
            (b'\\', Some(b'u')) => code(6, bytes.get(at + 2..at + 6)),
            (b'\\', Some(next)) => {
                let (decoded, length) = match next {
                    b'n' | b't' | b'r' | b'b' | b'B' | b's' | b'S' | b'w' | b'W' | b'A' | b'z' | b'Z' => {
                        (b' ', 2)
                    }
                    // `\\` before anything is the escape of an escape: look at what follows.
                    b'\\' => (b'\\', usize::from(bytes.get(at + 2) != Some(&b'.')) + 1),
                    b'.' | b'/' | b'"' | b'-' => (*next, 2),
                    _ => (*byte, 1),
                };
                out.push(decoded);
                length
            }
            _ => {
                out.push(*byte);
                1
            }
        };
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
    // Lines of base64 belong together (RFC 2045 section 6.8).
    let long = |line: &str| line.len() >= 60 && line.trim_end().chars().all(digit);
    let joined = if text.lines().any(long) { text.replace(['\r', '\n'], "") } else { String::new() };
    let runs = [text, &joined].into_iter().flat_map(|text| text.split(|c| !digit(c)));
    let runs = runs.filter(|run| run.len() >= SHORTEST);
    // A slash is a digit, or the end of a path's part.
    let parts = runs.flat_map(|run| {
        let parts = run.split('/').chain(run.split(['-', '_']));
        std::iter::once(run).chain(parts.filter(move |part| part.len() < run.len()))
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

/// The text around each group of alternatives, with one of them in its place: `example\.(org|com)` is two hosts. In lower case.
pub(crate) fn alternatives(text: &str) -> Vec<String> {
    const AROUND: usize = 256;
    const LONGEST: usize = 512;
    let mut found = Vec::new();
    if !text.contains('|') {
        return found;
    }
    let text = text.to_lowercase();
    let boundary = |at: usize| (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    for (open, _) in text.match_indices('(') {
        let inner = &text[open + 1..boundary((open + 1 + LONGEST).min(text.len()))];
        let Some(close) = inner.find(')').filter(|close| inner[..*close].contains('|')) else { continue };
        let before = &text[boundary(open.saturating_sub(AROUND))..open];
        let rest = &text[open + 1 + close + 1..];
        let after =
            &rest[..(0..=rest.len().min(AROUND)).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(0)];
        let group = inner[..close].trim_start_matches("?:");
        found.extend(group.split('|').map(|one| format!("{before}{one}{after}")));
    }
    found
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
            ("m%C3%BCnchen.example.org", "münchen.example.org"),
            (r"m\u00fcnchen.example.org", "münchen.example.org"),
            ("por\u{ad}tal.example.org", "portal.example.org"),
            (r"\", r"\"),
        ] {
            assert_eq!(unescape(text).as_deref(), Some(want));
        }
        assert_eq!(unescape("plain"), None);
    }

    #[test]
    fn alternatives_are_told_apart() {
        assert_eq!(
            alternatives("^portal.example.(org|com)$"),
            ["^portal.example.org$", "^portal.example.com$"]
        );
        assert!(alternatives("a (b) | c").is_empty());
    }

    #[test]
    fn base64_is_found_within_text() {
        assert_eq!(base64_runs("Basic dTpwb3J0YWwuZXhhbXBsZS5vcmc="), ["u:portal.example.org"]);
        assert!(base64_runs("id-dTpwb3J0YWwuZXhhbXBsZS5vcmc=").contains(&"u:portal.example.org".to_owned()));
        let mime = format!("{}\naHR0cHM6Ly9wb3J0YWwuZXhhbXBsZS5vcmc=", "MDEy".repeat(19));
        assert!(base64_runs(&mime).iter().any(|text| text.ends_with("https://portal.example.org")));
        // The last digit has bits that belong to no byte.
        assert_eq!(
            base64("aHR0cHM6Ly9wb3J0YWwuZXhhbXBsZS5vcmd=").as_deref(),
            Some("https://portal.example.org")
        );
    }
}
