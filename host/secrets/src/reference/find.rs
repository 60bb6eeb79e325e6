//! Where references stand in a text, and what only looks like one.

use std::borrow::Cow;
use std::ops::Range;

use crate::token;

/// Bounds on how far the end of a reference is looked for, so that a text of nothing but beginnings takes no longer.
const LONGEST_PATH: usize = 4096;
const LONGEST_SCHEME: usize = 32;

/// Schemes of vals that are not known here. Where one stands in a Secret, somebody means a reference.
const OTHERS: &[&str] = &[
    "awskms",
    "awssecrets",
    "awsssm",
    "azurekeyvault",
    "bw",
    "conjur",
    "doppler",
    "echo",
    "exec",
    "gcpsecrets",
    "gcs",
    "gitlab",
    "gkms",
    "googlesheets",
    "hcpvaultsecrets",
    "http",
    "httpjson",
    "infisical",
    "keychain",
    "onepassword",
    "onepasswordconnect",
    "op",
    "pulumistateapi",
    "pulumistate",
    "s3",
    "scaleway",
    "secretserver",
    "servercore",
    "tfstate",
    "tfstategs",
    "tfstateremote",
    "tfstates3",
    "yclockbox",
];

/// Schemes that are known.
const SCHEMES: &[&str] = &["env", "file", "generated", "k8s", "openbao", "sops", "vault"];

/// A quick look that never misses a reference of vals or one with a path of avp.
pub fn may_stand_in(text: &str) -> bool {
    text.contains("<path:") || text.contains("ref+")
}

/// Where references of vals, and those of avp with a path, stand in the text.
pub fn find(text: &str) -> Vec<Range<usize>> {
    scan(text, None)
}

/// The same, in an object annotated `avp.kubernetes.io/path`: `<KEY>` counts as well. Where secrets may stand, a key is whatever stands
/// between the brackets on one line, as avp has it; elsewhere, only what can be nothing else.
pub fn find_generic(text: &str, keys: Keys) -> Vec<Range<usize>> {
    scan(text, Some(keys))
}

/// What counts as a key in `<KEY>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Letters, digits, `_`, `-` and `.`.
    Plain,
    /// Anything.
    Any,
}

fn scan(text: &str, generic: Option<Keys>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if !(may_stand_in(text) || generic.is_some() && text.contains('<')) {
        return found;
    }
    let mut from = 0;
    while let Some(at) = next_marker(text, from, generic) {
        let end = end_of(text, at, generic);
        from = end.unwrap_or(at + 1);
        if let Some(end) = end
            && !is_escaped(text, at)
        {
            found.push(at..end);
        }
        while !text.is_char_boundary(from) {
            from += 1;
        }
    }
    found
}

fn is_escaped(text: &str, at: usize) -> bool {
    text[..at].ends_with("$$") && !text[at..].starts_with('<')
}

/// Where the next text that could begin a reference stands.
fn next_marker(text: &str, from: usize, generic: Option<Keys>) -> Option<usize> {
    let bracket: &[u8] = if generic.is_some() { b"<" } else { b"<path:" };
    let bytes = text.as_bytes();
    (from..bytes.len()).find(|at| match bytes[*at] {
        b'<' => bytes[*at..].starts_with(bracket),
        b'r' => bytes[*at..].starts_with(b"ref+"),
        b's' => bytes[*at..].starts_with(b"secretref+"),
        _ => false,
    })
}

/// Where the reference that begins at `at` ends.
fn end_of(text: &str, at: usize, generic: Option<Keys>) -> Option<usize> {
    let rest = &text[at..];
    let head = &rest[..rest.floor_char_boundary(LONGEST_PATH)];
    if head.starts_with("<path:") {
        return Some(at + bracket_end(head)?);
    }
    if let Some(inner) = head.strip_prefix('<') {
        let end = bracket_end(head)?;
        let key = inner.get(..end - 2)?.split('|').next()?;
        let is_one = match generic? {
            Keys::Plain => {
                let key = key.trim_matches([' ', '\n']);
                !key.is_empty() && key.chars().all(is_key)
            }
            Keys::Any => !key.trim().is_empty() && !key.contains('<'),
        };
        return is_one.then_some(at + end);
    }
    let scheme = rest.find('+')? + 1;
    let head = &rest[..rest.floor_char_boundary(scheme + LONGEST_SCHEME + 3)];
    let separator = scheme + head[scheme..].find("://")?;
    let name = &rest[scheme..separator];
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return None;
    }
    // At the end of a word it is one only where nothing else is meant.
    let within = is_within_word(&text[..at]);
    if within && !SCHEMES.contains(&name) {
        return None;
    }
    let body = separator + 3;
    let length = rest[body..]
        .find(|c: char| {
            c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | ')' | ']' | '}' | '<' | '>' | '+')
        })
        .unwrap_or(rest.len() - body);
    // Within a path a reference begins: what was meant is to be told, not guessed.
    let nested = nested_end(&rest[body..body + length], &rest[body + length..]);
    let end = body + length + nested.unwrap_or_else(|| usize::from(rest[body + length..].starts_with('+')));
    (length > 0).then_some(at + end)
}

/// Whether a word goes on here. A token that stands for text of the input is no word.
fn is_within_word(before: &str) -> bool {
    let token = before.len().checked_sub(token::LENGTH).and_then(|at| before.get(at..));
    let is_token = token.is_some_and(|token| token.starts_with(token::PREFIX));
    !is_token && before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// How much further a reference reaches whose path ends in the beginning of another.
fn nested_end(path: &str, behind: &str) -> Option<usize> {
    let scheme = behind.strip_prefix('+').filter(|_| path.ends_with("ref"))?;
    let name = scheme[..scheme.floor_char_boundary(LONGEST_SCHEME + 3)].split_once("://")?.0;
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return None;
    }
    let end = behind
        .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | ')' | ']' | '}'));
    Some(end.unwrap_or(behind.len()))
}

/// The length of `<…>`. Braces may hold `>`; modifiers may stand on lines of their own.
fn bracket_end(text: &str) -> Option<usize> {
    let (mut braces, mut modified) = (Braces::default(), false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if braces.hold(byte) => {}
            b'|' => modified = true,
            b'\n' if !modified => return None,
            b'>' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The braces of a `jsonPath` template, within which quoted text is text.
#[derive(Default)]
pub(super) struct Braces {
    depth: usize,
    quote: Option<u8>,
}

impl Braces {
    /// Whether the byte that comes next is one of braces, or stands within some.
    pub(super) fn hold(&mut self, byte: u8) -> bool {
        match byte {
            b'\'' | b'"' if self.depth > 0 => {
                self.quote = if self.quote == Some(byte) { None } else { self.quote.or(Some(byte)) };
            }
            _ if self.quote.is_some() => {}
            b'{' => self.depth += 1,
            b'}' if self.depth > 0 => {
                self.depth -= 1;
                return true;
            }
            _ => {}
        }
        self.depth > 0
    }
}

/// What avp's keys are made of here.
fn is_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// Whether `<KEY>` stands in the text, which is none where no annotation makes it one.
pub fn looks_like_generic(text: &str) -> bool {
    scan(text, Some(Keys::Plain)).iter().any(|range| text[range.clone()].starts_with('<'))
}

/// Whether brackets stand in the text that are no reference, where avp would take them for one.
pub fn has_brackets(text: &str) -> bool {
    text.find('<').is_some_and(|at| text[at..].contains('>'))
}

/// What looks like a reference or an encrypted value in text where none was found. A reference that is left as it is would
/// become a password.
pub fn residue(text: &str) -> Option<&'static str> {
    if text.contains("ENC[AES256_GCM,") {
        return Some("ENC[AES256_GCM");
    }
    if text.contains("<path:") {
        return Some("<path:");
    }
    let mut from = 0;
    while let Some(at) = text[from..].find("ref+").map(|at| from + at) {
        let before = &text[..at];
        let before = before.strip_suffix("secret").unwrap_or(before);
        let scheme = text[at + 4..]
            .bytes()
            .take_while(|b| b.is_ascii_alphanumeric() || *b == b'-')
            .take(LONGEST_SCHEME);
        let length = scheme.count();
        let begins = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let scheme = &text[at + 4..at + 4 + length];
        if (begins || OTHERS.contains(&scheme) || SCHEMES.contains(&scheme))
            && length > 0
            && text[at + 4 + length..].starts_with(':')
            && !before.ends_with("$$")
        {
            return Some("ref+");
        }
        from = at + 4;
    }
    None
}

/// The text as its escapes mean it: `$$ref+…` is `ref+…`.
pub fn unescape(text: &str) -> Cow<'_, str> {
    let escaped = |marker: &str| text.contains(marker);
    if !escaped("$$ref+") && !escaped("$$secretref+") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(at) = text[from..].find("$$").map(|at| from + at) {
        out.push_str(&text[from..at]);
        // What is no reference needs no escape, and stays.
        let reference = at + 2;
        let begins = ["ref+", "secretref+"].iter().any(|marker| text[reference..].starts_with(marker));
        let end = begins.then(|| end_of(text, reference, None)).flatten();
        let (kept, next) = end.map_or((at, at + 1), |end| (reference, end));
        out.push_str(&text[kept..next]);
        from = next;
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        find(text).into_iter().map(|range| &text[range]).collect()
    }

    fn generic(text: &str) -> Vec<&str> {
        find_generic(text, Keys::Plain).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn references_are_found_in_text() {
        let text = r#"{"a":"<path:kv/data/p#x | base64decode>","b":"ref+file://s.yaml#/k/l","c":1} secretref+env://X+tail"#;
        assert_eq!(
            found(text),
            ["<path:kv/data/p#x | base64decode>", "ref+file://s.yaml#/k/l", "secretref+env://X+"]
        );
        for text in [
            "<path: open",
            "pref+x",
            "ref+://x",
            "$$ref+env://X",
            "ref+a b://c",
            "refü+ref+",
            "<path:a\n>",
            "<k>",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
        assert_eq!(found("ref+vault://a/ref+env://X+/b"), ["ref+vault://a/ref+env://X+/b"]);
    }

    #[test]
    fn generic_ones_are_keys_in_brackets() {
        assert_eq!(
            generic("foo/<name>:<tag|base64encode> < a.b >"),
            ["<name>", "<tag|base64encode>", "< a.b >"]
        );
        for text in ["<!doctype html>", "1 < 2 and 3 > 2", "<https://x>", "<a b>", "<>", "<=5 and >=2", "<ü>"]
        {
            assert!(generic(text).is_empty(), "{text}");
        }
        let any = |text: &'static str| {
            find_generic(text, Keys::Any).into_iter().map(move |range| &text[range]).collect::<Vec<_>>()
        };
        assert_eq!(
            any("x<db/password>y <my key> <\tpw\t| base64decode> <pw#2>"),
            ["<db/password>", "<my key>", "<\tpw\t| base64decode>", "<pw#2>"]
        );
        assert!(any("a <<b <> < > c\n<d\n>").is_empty());
        assert_eq!(any("<a | jsonPath {'{'}{.b}>"), ["<a | jsonPath {'{'}{.b}>"]);
        let lines = "<data | jsonPath\n{'['}\n{range .a}\n{end} | jsonParse >";
        assert_eq!(generic(lines), [lines]);
    }

    #[test]
    fn what_is_left_is_told() {
        for text in ["x <path:", "ref+vault:kv", "secretref+vault:kv", "ENC[AES256_GCM,data:x]", "a=ref+x:/y"]
        {
            assert!(residue(text).is_some(), "{text}");
        }
        assert!(residue("x\\nref+awssecrets://a#b").is_some());
        for text in ["pref+main:x", "$$ref+vault://x", "ref+ and", "a ref+b c:", "href+x"] {
            assert!(residue(text).is_none(), "{text}");
        }
    }

    #[test]
    fn escapes_mean_text() {
        assert_eq!(
            unescape("a $$ref+env://X b $$ref+ $$secretref+vault://a#b"),
            "a ref+env://X b $$ref+ secretref+vault://a#b"
        );
        assert_eq!(unescape("$$"), "$$");
    }
}
