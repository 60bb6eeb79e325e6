//! Host names in text: found as whole tokens, never as substrings.
//!
//! A token is a run of labels joined by `.`, `\.` or `\\.`. What percent or backslash escapes write (`%2F`, `\n`) ends
//! a token. A token is left alone where it is a mail address's domain, part of a `urn:`, or follows a `.`, `}` or `-`,
//! which make it the tail of something else.

use std::collections::BTreeMap;

/// Source hosts and what becomes of them.
pub(crate) struct HostMap<'a> {
    targets: BTreeMap<String, &'a str>,
    keep: Vec<String>,
}

impl<'a> HostMap<'a> {
    pub(crate) fn new(hosts: &'a BTreeMap<String, String>, keep: &[String]) -> Self {
        let targets = hosts.iter().map(|(from, to)| (from.to_lowercase(), to.as_str())).collect();
        Self { targets, keep: keep.iter().map(|host| host.to_lowercase()).collect() }
    }

    /// The review host for a production host, in any case.
    pub(crate) fn target(&self, host: &str) -> Option<&'a str> {
        self.targets.get(&host.to_lowercase()).copied()
    }

    /// Whether a host is one that the environment knows: mapped, kept or a target already.
    pub(crate) fn knows(&self, host: &str) -> bool {
        let host = host.to_lowercase();
        let host = host.trim_end_matches('.');
        self.targets.contains_key(host) || self.keep.iter().any(|k| k == host) || self.targets.values().any(|t| *t == host)
    }
}

/// The text with each whole token replaced by what `target` gives for it (dots unescaped); `None` where nothing changes.
pub(crate) fn rewrite(text: &str, target: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut out: Option<String> = None;
    let mut copied = 0;
    for token in tokens(text) {
        if is_protected(text, token.start) {
            continue;
        }
        let Some(new) = target(&token.name) else { continue };
        let out = out.get_or_insert_with(|| String::with_capacity(text.len() + 64));
        out.push_str(&text[copied..token.start]);
        out.push_str(&new.replace('.', token.separator));
        copied = token.end;
    }
    out.map(|mut out| {
        out.push_str(&text[copied..]);
        out
    })
}

/// One run of labels.
pub(crate) struct Token<'a> {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// With plain dots.
    pub(crate) name: String,
    separator: &'a str,
}

/// All runs of two or more labels.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < text.len() {
            let rest = &text[at..];
            if let Some(length) = escape_length(rest) {
                at += length;
                continue;
            }
            let label = label_length(rest);
            if label == 0 {
                at += rest.chars().next().map_or(1, char::len_utf8);
                continue;
            }
            let start = at;
            at += label;
            let mut name = rest[..label].to_owned();
            let mut separator = "";
            while let Some(found) = separator_of(&text[at..]) {
                let label = label_length(&text[at + found.len()..]);
                if label == 0 {
                    break;
                }
                if separator.is_empty() {
                    separator = found;
                }
                let from = at + found.len();
                name.push('.');
                name.push_str(&text[from..from + label]);
                at = from + label;
            }
            if !separator.is_empty() {
                return Some(Token { start, end: at, name, separator });
            }
        }
        None
    })
}

fn label_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_' || !c.is_ascii() && c.is_alphanumeric()))
        .unwrap_or(text.len())
}

fn separator_of(text: &str) -> Option<&str> {
    [".", "\\.", "\\\\."].into_iter().find(|separator| text.starts_with(separator))
}

/// The length of an escape that the text starts with: `%2F`, `\n`, `\u00e4`, …; an escaped dot is none.
fn escape_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    match bytes {
        [b'%', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => Some(3),
        [b'\\', b'u', digits @ ..] if digits.len() >= 4 && digits[..4].iter().all(u8::is_ascii_hexdigit) => Some(6),
        [b'\\', b'n' | b't' | b'r' | b'/' | b'"', ..] => Some(2),
        _ => None,
    }
}

/// Whether the token that starts here must stay.
fn is_protected(text: &str, start: usize) -> bool {
    let before = &text[..start];
    match before.chars().next_back() {
        Some('@') => !in_userinfo(before),
        Some('.' | '}' | '-') => true,
        _ => in_urn(before),
    }
}

/// Whether the `@` at the end closes the userinfo of a URL, as in `https://user:password@`.
fn in_userinfo(before: &str) -> bool {
    let word = word(before);
    word.rfind("://").is_some_and(|at| !word[at + 3..].contains(['/', '?', '#', ',']))
}

/// Whether the word up to here began as a URN (RFC 8141).
fn in_urn(before: &str) -> bool {
    let word = word(before);
    word.len() >= 4 && word.is_char_boundary(4) && word[..4].eq_ignore_ascii_case("urn:")
}

fn word(before: &str) -> &str {
    before.rsplit(|c: char| c.is_whitespace() || "\"'`<>()[]{},;=".contains(c)).next().unwrap_or(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> String {
        let target = |host: &str| match host.to_lowercase().as_str() {
            "portal.example.org" => Some("p-1.rv.example.net".to_owned()),
            "münchen.example.org" => Some("m-1.rv.example.net".to_owned()),
            _ => None,
        };
        rewrite(text, target).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn look_alikes_and_protected_places_stay() {
        for text in [
            "myexample.org",
            "portal.example.org.evil.com",
            "config.portal.example.org",
            "admin@portal.example.org",
            "git@portal.example.org:g/r",
            "registry.example.org/app:1",
            "*.portal.example.org",
            "${P}.portal.example.org",
            "portal.example.org-old",
            "urn:geant:portal.example.org:group:x#portal.example.org",
            "mailto:support@portal.example.org",
        ] {
            assert_eq!(run(text), text);
        }
    }

    #[test]
    fn whole_hosts_change_in_every_spelling() {
        for (text, want) in [
            ("https://u:p@portal.example.org", "https://u:p@p-1.rv.example.net"),
            ("Host(`portal.example.org`)", "Host(`p-1.rv.example.net`)"),
            (r"^portal\.example\.org$", r"^p-1\.rv\.example\.net$"),
            (r"^portal\\.example\\.org$", r"^p-1\\.rv\\.example\\.net$"),
            ("https%3A%2F%2Fportal.example.org%2Fcb", "https%3A%2F%2Fp-1.rv.example.net%2Fcb"),
            ("PORTAL.Example.ORG:8443", "p-1.rv.example.net:8443"),
            ("münchen.example.org", "m-1.rv.example.net"),
            (r#"{\"u\":\"https:\/\/portal.example.org\/\"}"#, r#"{\"u\":\"https:\/\/p-1.rv.example.net\/\"}"#),
            (r"a\nportal.example.org", r"a\np-1.rv.example.net"),
            ("portal.example.org.", "p-1.rv.example.net."),
            ("portal.example.org,portal.example.org", "p-1.rv.example.net,p-1.rv.example.net"),
        ] {
            assert_eq!(run(text), want);
        }
    }
}
