//! String literals of a JSON text, with where each of their characters stands.

/// A literal's text, and for each of its bytes where in the JSON it begins.
pub(crate) struct Literal {
    pub(crate) text: String,
    /// One more than bytes: the last is where the closing quote stands.
    pub(crate) offsets: Vec<usize>,
}

/// The literals that hold a backslash; `None` where the text is no JSON object or array. Others stand as they are meant.
pub(crate) fn literals(text: &str) -> Option<Vec<Literal>> {
    let trimmed = text.trim();
    let shape = (trimmed.starts_with('{') && trimmed.ends_with('}'))
        || (trimmed.starts_with('[') && trimmed.ends_with(']'));
    if !shape || serde_json::from_str::<serde::de::IgnoredAny>(trimmed).is_err() {
        return None;
    }
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'"' {
            at += 1;
            continue;
        }
        let (start, mut escaped) = (at + 1, false);
        at = start;
        while bytes.get(at).is_some_and(|b| *b != b'"') {
            if bytes[at] == b'\\' {
                escaped = true;
                at += 1;
            }
            at += 1;
        }
        if escaped {
            found.push(decode(text, start, at)?);
        }
        at += 1;
    }
    Some(found)
}

fn decode(text: &str, start: usize, end: usize) -> Option<Literal> {
    let raw = text.get(start..end)?;
    let mut literal = Literal { text: String::with_capacity(raw.len()), offsets: Vec::new() };
    let mut push = |at: usize, c: char| {
        literal.text.push(c);
        literal.offsets.extend(std::iter::repeat_n(at, c.len_utf8()));
    };
    let mut at = 0;
    while let Some(c) = raw.get(at..)?.chars().next() {
        if c != '\\' {
            push(start + at, c);
            at += c.len_utf8();
            continue;
        }
        let (c, length) = match raw.as_bytes().get(at + 1)? {
            b'n' => ('\n', 2),
            b't' => ('\t', 2),
            b'r' => ('\r', 2),
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{c}', 2),
            b'u' => {
                let unit = |at: usize| u32::from_str_radix(raw.get(at + 2..at + 6)?, 16).ok();
                let high = unit(at)?;
                if let Some(c) = char::from_u32(high) {
                    (c, 6)
                } else {
                    let low = unit(at + 6)?;
                    let code = 0x1_0000 + ((high & 0x3ff) << 10 | low & 0x3ff);
                    (char::from_u32(code)?, 12)
                }
            }
            other => (char::from(*other), 2),
        };
        push(start + at, c);
        at += length;
    }
    literal.offsets.push(end);
    Some(literal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_decoded_with_their_places() {
        let text = r#"{"a":"x\u002ey","b":["plain","\"q\"😀\ud83d\ude00"]}"#;
        let found = literals(text).unwrap();
        assert_eq!(
            found.iter().map(|literal| literal.text.as_str()).collect::<Vec<_>>(),
            ["x.y", "\"q\"😀😀"]
        );
        let first = &found[0];
        assert_eq!(&text[first.offsets[1]..first.offsets[2]], r"\u002e");
        assert_eq!(&text[first.offsets[3]..=first.offsets[3]], "\"");
        for text in ["", "plain", "{", r#"{"a":1,}"#, r#"["\ud800"]"#, "{a: b}"] {
            assert!(literals(text).is_none(), "{text}");
        }
    }
}
