//! Where references stand in a text.
//!
//! `<path:…>` runs to its `>`, on one line up to the first `|`. `ref+SCHEME://…` and `secretref+SCHEME://…` run to white space, a
//! quote, one of `,;)]}<>`, or a `+`, which ends the reference and belongs to it. `<KEY>` and `<KEY|…>` count where an object's
//! annotation makes them references.

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Text(&'a str),
    Reference(&'a str),
}

/// A quick look that never misses a reference of vals, or one of argocd-vault-plugin with a path.
pub(crate) fn may_hold_reference(text: &str) -> bool {
    text.contains("<path:") || text.contains("ref+")
}

/// What counts as a key in `<KEY>`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generic {
    /// Nothing: no annotation makes it one.
    No,
    /// What can be nothing else.
    Plain,
    /// Whatever stands between the brackets on one line.
    Any,
}

/// The text cut at its references.
pub(crate) fn pieces(text: &str, generic: Generic) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut from, mut at) = (0, 0);
    while at < text.len() {
        match reference_length(&text[..at], &text[at..], generic) {
            Some(length) if text[at..].starts_with('<') || !text[..at].ends_with("$$") => {
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

/// Schemes that are known; the host has the same.
const SCHEMES: &[&str] = &["env", "file", "generated", "k8s", "openbao", "sops", "vault"];

/// The length of the reference that the text starts with.
fn reference_length(before: &str, text: &str, generic: Generic) -> Option<usize> {
    if text.starts_with('<') {
        let head = &text[..text.floor_char_boundary(LONGEST_PATH)];
        if !head.starts_with("<path:") && generic == Generic::No {
            return None;
        }
        let length = bracket_length(head)?;
        let is_one = head.starts_with("<path:") || is_generic(&head[1..length - 1], generic);
        return is_one.then_some(length);
    }
    let rest = text.strip_prefix("secretref+").or_else(|| text.strip_prefix("ref+"))?;
    let scheme = scheme_length(rest)?;
    // At the end of a word it is one only where nothing else is meant.
    let within = is_within_word(before);
    if within && !SCHEMES.contains(&&rest[..scheme]) {
        return None;
    }
    let start = text.len() - rest.len() + scheme + 3;
    let ends = |c: char| c.is_whitespace() || "\"'`,;)]}<>+".contains(c);
    let end = text[start..].find(ends).map_or(text.len(), |length| start + length);
    if end == start {
        return None;
    }
    let behind = &text[end..];
    if !behind.starts_with('+') {
        return Some(end);
    }
    // A reference within a path is for the host to refuse, as one.
    if text[start..end].ends_with("ref") && has_scheme(&behind[1..]) {
        let ends = |c: char| c.is_whitespace() || "\"'`,;)]}".contains(c);
        return Some(end + behind.find(ends).unwrap_or(behind.len()));
    }
    Some(end + 1)
}

/// Whether a word goes on here. A token, which stands for text of the input, is no word.
fn is_within_word(before: &str) -> bool {
    let token = before.len().checked_sub(TOKEN).and_then(|at| before.get(at..));
    !token.is_some_and(|token| token.starts_with("lathe1x"))
        && before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// The length of a token.
const TOKEN: usize = 47;

/// The length of the scheme before `://` in a beginning of bounded length.
fn scheme_length(rest: &str) -> Option<usize> {
    let length = rest[..rest.floor_char_boundary(LONGEST_SCHEME + 3)].find("://")?;
    is_scheme(&rest[..length]).then_some(length)
}

fn has_scheme(rest: &str) -> bool {
    let head = &rest[..rest.floor_char_boundary(LONGEST_SCHEME + 3)];
    head.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme))
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Whether what stands between the brackets is a key, with modifiers behind it.
fn is_generic(inner: &str, generic: Generic) -> bool {
    let key = inner.split('|').next().unwrap_or_default();
    match generic {
        Generic::No => false,
        Generic::Plain => {
            let key = key.trim_matches([' ', '\n']);
            !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        }
        Generic::Any => !key.trim().is_empty() && !key.contains('<'),
    }
}

/// The length up to `>` outside of braces.
fn bracket_length(text: &str) -> Option<usize> {
    let (mut depth, mut modified, mut quote) = (0_u32, false, None);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\'' | b'"' if depth > 0 => {
                quote = if quote == Some(byte) { None } else { quote.or(Some(byte)) }
            }
            _ if quote.is_some() => {}
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b'|' => modified = true,
            b'\n' if !modified => return None,
            b'>' if depth == 0 => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(text: &str, generic: Generic) -> Vec<&str> {
        let references = pieces(text, generic).into_iter().filter_map(|piece| match piece {
            Piece::Reference(reference) => Some(reference),
            Piece::Text(_) => None,
        });
        references.collect()
    }

    #[test]
    fn references_are_cut_out_of_text() {
        let text = r#"{"a":"<path:kv/data/p#x>","b":"ref+file://s.yaml#/k/l","c":1} ref+env://X+tail"#;
        assert_eq!(
            references(text, Generic::No),
            ["<path:kv/data/p#x>", "ref+file://s.yaml#/k/l", "ref+env://X+"]
        );
        let nested = "ref+vault://a/ref+env://X+/b";
        assert_eq!(references(nested, Generic::No), [nested]);
        assert_eq!(
            references("foo/<name>:<tag|base64encode> < a >", Generic::Plain),
            ["<name>", "<tag|base64encode>", "< a >"]
        );
    }

    #[test]
    fn any_key_counts_where_secrets_may_stand() {
        let text = "x<db/password>y <my key> <\tpw\t| base64decode> <a | jsonPath {'{'}{.b}> a <<b <> < >";
        let want = ["<db/password>", "<my key>", "<\tpw\t| base64decode>", "<a | jsonPath {'{'}{.b}>"];
        assert_eq!(references(text, Generic::Any), want);
        assert!(references("href+https://x xref+http://y", Generic::No).is_empty());
        assert_eq!(references("xref+env://A", Generic::No), ["ref+env://A"]);
    }

    #[test]
    fn what_only_looks_like_one_is_text() {
        for text in ["<path: open", "pref+x", "ref+://x", "$$ref+env://X", "a <b> ref + c", "ref+a b://c"] {
            assert_eq!(pieces(text, Generic::No), [Piece::Text(text)], "{text}");
        }
        for text in ["<!doctype html>", "1 < 2 and 3 > 2", "<https://x>", "<a b>", "<>", "<=5 and >=2"] {
            assert_eq!(pieces(text, Generic::Plain), [Piece::Text(text)], "{text}");
        }
    }
}
