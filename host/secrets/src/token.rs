//! The text of tokens: `lathe1x` and 40 base-32 digits (200 bits).

use lathe_manifest::digest;

/// What every token starts with.
pub const PREFIX: &str = "lathe1x";
const DIGITS: usize = 40;

/// The length of a token in bytes.
pub(crate) const LENGTH: usize = PREFIX.len() + DIGITS;

/// The token that follows from these parts.
pub(crate) fn derive(parts: &[&str]) -> String {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    format!("{PREFIX}{}", digest::base32(&digest::of_parts(&parts), DIGITS))
}

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Text(&'a str),
    /// A whole token, issued or not.
    Token(&'a str),
    /// A prefix that no whole token follows.
    Broken(&'a str),
}

/// The text cut at its tokens.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(PREFIX) {
        if at > 0 {
            pieces.push(Piece::Text(&rest[..at]));
        }
        rest = &rest[at..];
        let digits = rest.as_bytes().iter().skip(PREFIX.len()).take(DIGITS);
        let whole = digits.clone().count() == DIGITS
            && digits.clone().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'));
        let length = if whole { LENGTH } else { PREFIX.len() };
        pieces.push(if whole { Piece::Token(&rest[..length]) } else { Piece::Broken(&rest[..length]) });
        rest = &rest[length..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_side_by_side() {
        let (a, b) = (derive(&["a"]), derive(&["b"]));
        assert_eq!(a.len(), LENGTH);
        assert_ne!(derive(&["ab", "c"]), derive(&["a", "bc"]));
        let text = format!("x{a}{b}y{}", &a[..20]);
        let want = [
            Piece::Text("x"),
            Piece::Token(&a),
            Piece::Token(&b),
            Piece::Text("y"),
            Piece::Broken(PREFIX),
            Piece::Text(&a[7..20]),
        ];
        assert_eq!(pieces(&text), want);
    }
}
