//! Runs of labels in text: what may be a host.
//!
//! A token is a run of labels joined by `.`, `\.` or `\\.`. What percent or backslash escapes write (`%2F`, `\n`) ends
//! a token, for it is another character in the text that is meant.

use std::borrow::Cow;

/// One run of two or more labels.
pub(crate) struct Token<'a> {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// How its first dot is written.
    pub(crate) separator: &'a str,
}

impl Token<'_> {
    /// In lower case and with plain dots.
    pub(crate) fn name<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let raw = &text[self.start..self.end];
        if raw.bytes().all(|b| b != b'\\' && !b.is_ascii_uppercase() && b.is_ascii()) {
            return Cow::Borrowed(raw);
        }
        Cow::Owned(raw.replace('\\', "").to_lowercase())
    }
}

/// All tokens, from left to right.
pub(crate) fn tokens(text: &str) -> Tokens<'_> {
    Tokens { text, at: 0 }
}

pub(crate) struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let (text, bytes) = (self.text, self.text.as_bytes());
        while let Some(byte) = bytes.get(self.at) {
            if matches!(byte, b'%' | b'\\') {
                self.at += escape_length(&text[self.at..]).unwrap_or(1);
                continue;
            }
            if *byte == b'-' {
                // No host begins with one: a shell's `${A:-b}`, a flag.
                self.at += 1;
                continue;
            }
            if is_secret(&text[self.at..]) {
                self.at += SECRET_LENGTH;
                continue;
            }
            let start = self.at;
            let label = label_end(text, start);
            if label == start {
                self.at += text[start..].chars().next().map_or(1, char::len_utf8);
                continue;
            }
            let (mut end, mut separator) = (label, "");
            while let Some(found) = separator_at(&text[end..]) {
                let from = end + found.len();
                let label = label_end(text, from);
                if label == from {
                    break;
                }
                if separator.is_empty() {
                    separator = found;
                }
                end = label;
            }
            self.at = end;
            if !separator.is_empty() {
                return Some(Token { start, end, separator });
            }
        }
        None
    }
}

/// The length of what stands for a secret: `lathe1x` and 40 digits.
const SECRET_LENGTH: usize = 47;

/// Whether what stands for a secret begins here. It is no part of a host beside it.
fn is_secret(text: &str) -> bool {
    let digits = text.strip_prefix("lathe1x").and_then(|rest| rest.as_bytes().get(..SECRET_LENGTH - 7));
    digits.is_some_and(|digits| digits.iter().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7')))
}

fn label_end(text: &str, from: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = from;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'l' && is_secret(&text[at..]) {
            break;
        }
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            at += 1;
        } else if byte.is_ascii() {
            break;
        } else {
            match text[at..].chars().next() {
                // Marks that a letter before them is written with stand beside it.
                Some(c) if c.is_alphanumeric() || ('\u{300}'..='\u{36f}').contains(&c) => at += c.len_utf8(),
                _ => break,
            }
        }
    }
    at
}

fn separator_at(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    match bytes {
        [b'.', ..] => Some(&text[..1]),
        [b'\\', b'.', ..] => Some(&text[..2]),
        [b'\\', b'\\', b'.', ..] => Some(&text[..3]),
        _ => None,
    }
}

/// The length of an escape that the text starts with: `%2F` (encoded again as well), `\n`, `\u00e4`, …; an escaped dot is
/// none.
fn escape_length(text: &str) -> Option<usize> {
    let hex = |digits: &[u8], count: usize| {
        digits.len() >= count && digits[..count].iter().all(u8::is_ascii_hexdigit)
    };
    match text.as_bytes() {
        [b'%', rest @ ..] if hex(rest, 2) => {
            let mut length = 3;
            // `%252F` is `%2F`, encoded.
            while text.get(length - 2..length) == Some("25") && hex(&text.as_bytes()[length..], 2) {
                length += 2;
            }
            Some(length)
        }
        [b'\\', b'u', digits @ ..] if hex(digits, 4) => Some(6),
        [b'\\', b'x', digits @ ..] if hex(digits, 2) => Some(4),
        [b'\\', b'n' | b't' | b'r' | b'b' | b'f' | b'/' | b'"', ..] => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_no_part_of_hosts() {
        let secret = format!("lathe1x{}", "a2".repeat(20));
        for text in [format!("{secret}a.b"), format!("a.b{secret}"), format!("{secret}a.b{secret}")] {
            let names: Vec<_> = tokens(&text).map(|token| token.name(&text).into_owned()).collect();
            assert_eq!(names, ["a.b"], "{text}");
        }
    }

    #[test]
    fn escapes_end_tokens() {
        for (text, want) in [
            ("a.b c.d", vec!["a.b", "c.d"]),
            (r"x\na.b", vec!["a.b"]),
            ("%2Fa.b%2F", vec!["a.b"]),
            ("%252Fa.b", vec!["a.b"]),
            (r"^A\.b\\.C$", vec!["a.b.c"]),
            (r"\u00e4a.b", vec!["a.b"]),
            (r"C:\x41a.b", vec!["a.b"]),
            ("a..b .c d.", vec![]),
            ("münchen.de", vec!["münchen.de"]),
            ("%zza.b", vec!["zza.b"]),
            ("${A:-b.c}", vec!["b.c"]),
        ] {
            let names: Vec<_> = tokens(text).map(|token| token.name(text).into_owned()).collect();
            assert_eq!(names, want, "{text}");
        }
    }
}
