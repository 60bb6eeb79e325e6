//! Where references stand in a text.
//!
//! `<path:…>` runs to the next `>` on its line. `ref+SCHEME://…` and `secretref+SCHEME://…` run to white space, a quote,
//! one of `,;)]}<>`, or a `+`, which ends the reference and belongs to it.

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Text(&'a str),
    Reference(&'a str),
}

/// A quick look that never misses a reference.
pub(crate) fn may_hold_reference(text: &str) -> bool {
    text.contains("<path:") || text.contains("ref+")
}

/// The text cut at its references.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut from, mut at) = (0, 0);
    while at < text.len() {
        match reference_length(&text[at..]) {
            Some(length) if !text[..at].ends_with("$$") => {
                if from < at {
                    pieces.push(Piece::Text(&text[from..at]));
                }
                pieces.push(Piece::Reference(&text[at..at + length]));
                at += length;
                from = at;
            }
            Some(length) => at += length,
            None => at += text[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    if from < text.len() {
        pieces.push(Piece::Text(&text[from..]));
    }
    pieces
}

/// Bounds on how far the end of a reference is looked for; the host has the same.
const LONGEST_PATH: usize = 4096;
const LONGEST_SCHEME: usize = 32;

/// The length of the reference that the text starts with.
fn reference_length(text: &str) -> Option<usize> {
    if let Some(rest) = text.strip_prefix("<path:") {
        let head = &rest[..rest.floor_char_boundary(LONGEST_PATH - 6)];
        let end = head.find(['>', '\n'])?;
        return head[end..].starts_with('>').then_some(6 + end + 1);
    }
    let rest = text.strip_prefix("secretref+").or_else(|| text.strip_prefix("ref+"))?;
    let scheme = rest[..rest.floor_char_boundary(LONGEST_SCHEME + 3)].find("://")?;
    if scheme == 0 || !rest[..scheme].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return None;
    }
    let start = text.len() - rest.len() + scheme + 3;
    let ends = |c: char| c.is_whitespace() || "\"'`,;)]}<>+".contains(c);
    let end = text[start..].find(ends).map_or(text.len(), |length| start + length);
    (end > start).then(|| end + usize::from(text[end..].starts_with('+')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_cut_out_of_text() {
        let text = r#"{"a":"<path:kv/data/p#x>","b":"ref+file://s.yaml#/k/l","c":1} ref+env://X+tail"#;
        let found: Vec<_> = pieces(text)
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Reference(reference) => Some(reference),
                Piece::Text(_) => None,
            })
            .collect();
        assert_eq!(found, ["<path:kv/data/p#x>", "ref+file://s.yaml#/k/l", "ref+env://X+"]);
    }

    #[test]
    fn what_only_looks_like_one_is_text() {
        for text in ["<path: open", "pref+x", "ref+://x", "$$ref+env://X", "a <b> ref + c", "ref+a b://c"] {
            assert_eq!(pieces(text), [Piece::Text(text)], "{text}");
        }
    }
}
