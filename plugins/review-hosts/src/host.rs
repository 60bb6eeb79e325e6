//! Host names in text: found as whole tokens, never as substrings.
//!
//! A token is a run of labels joined by `.`, `\.` or `\\.`. What percent or backslash escapes write (`%2F`, `\n`) ends
//! a token. A host is left alone where it is a mail address's domain, part of a `urn:`, or follows a `.`, `}` or `-`,
//! which make it the tail of something else. The name of a Service in the cluster is never left alone.

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
        self.targets.contains_key(host)
            || self.keep.iter().any(|k| k == host)
            || self.targets.values().any(|t| *t == host)
    }
}

/// The text with each whole token replaced by what `host`, or in protected places too `service`, gives for it (dots
/// unescaped); `None` where nothing changes.
pub(crate) fn rewrite(
    text: &str,
    host: impl Fn(&str) -> Option<String>,
    service: impl Fn(&str, &str) -> Option<String>,
) -> Option<String> {
    if !text.contains('.') {
        return None;
    }
    let mut out: Option<String> = None;
    let mut copied = 0;
    for token in tokens(text) {
        let named = || host(&token.name).filter(|_| !is_protected(text, &token));
        let Some(new) = service(&token.name, &text[token.end..]).or_else(named) else { continue };
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
    text.find(|c: char| {
        !(c.is_ascii_alphanumeric() || c == '-' || c == '_' || !c.is_ascii() && c.is_alphanumeric())
    })
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
        [b'\\', b'u', digits @ ..] if digits.len() >= 4 && digits[..4].iter().all(u8::is_ascii_hexdigit) => {
            Some(6)
        }
        [b'\\', b'n' | b't' | b'r' | b'/' | b'"', ..] => Some(2),
        _ => None,
    }
}

/// Whether the host must stay.
fn is_protected(text: &str, token: &Token<'_>) -> bool {
    let before = &text[..token.start];
    if let Some(local) = before.strip_suffix('@').or_else(|| before.strip_suffix("%40")) {
        return is_mailbox(local, &text[token.end..]);
    }
    before.ends_with(['.', '}', '-']) || in_urn(before)
}

/// Whether what stands before an `@` is a mail address's local part (or Git's user) and not the userinfo of a URL, which
/// stands behind `://` or ends in a password, or before a port or path.
fn is_mailbox(local: &str, after: &str) -> bool {
    let atom = local.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || "._+-".contains(c));
    let word = atom.rsplit(|c: char| c.is_whitespace() || "\"'`<".contains(c)).next().unwrap_or(atom);
    let mailto = word.to_ascii_lowercase().ends_with("mailto:");
    let opened = word.is_empty() || mailto || word.ends_with(|c: char| "([,;=|\\".contains(c));
    let address = match after.as_bytes() {
        [b'/' | b'?' | b'#', ..] => true,
        [b':', next @ ..] => {
            &local[atom.len()..] != "git" || next.first().is_some_and(|b| b.is_ascii_digit() || *b == b'/')
        }
        _ => false,
    };
    atom.len() < local.len() && opened && !word.contains("://") && !address
}

/// Whether the word up to here began as a URN (RFC 8141).
fn in_urn(before: &str) -> bool {
    let word =
        before.rsplit(|c: char| c.is_whitespace() || "\"'`<>()[]{},;=|".contains(c)).next().unwrap_or(before);
    word.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("urn:"))
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
        rewrite(text, target, |_, _| None).unwrap_or_else(|| text.to_owned())
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
            "support%40portal.example.org",
            "a@x.net, b@portal.example.org; <c@portal.example.org>",
        ] {
            assert_eq!(run(text), text);
        }
    }

    #[test]
    fn whole_hosts_change_in_every_spelling() {
        for (text, want) in [
            ("https://u:p@portal.example.org", "https://u:p@p-1.rv.example.net"),
            ("https://u:p#w@portal.example.org/", "https://u:p#w@p-1.rv.example.net/"),
            (
                "mongodb://${U}:${P}@portal.example.org:27017/x",
                "mongodb://${U}:${P}@p-1.rv.example.net:27017/x",
            ),
            (
                "mongodb://$(U):$(P)@portal.example.org:27017/x",
                "mongodb://$(U):$(P)@p-1.rv.example.net:27017/x",
            ),
            ("redis://:p=x@portal.example.org", "redis://:p=x@p-1.rv.example.net"),
            ("amqps://user:pa,ss@portal.example.org?x=1", "amqps://user:pa,ss@p-1.rv.example.net?x=1"),
            ("u:p@portal.example.org:5432/db", "u:p@p-1.rv.example.net:5432/db"),
            ("amqp://u:c2VjcmV0=@portal.example.org:5672", "amqp://u:c2VjcmV0=@p-1.rv.example.net:5672"),
            ("Host(`portal.example.org`)", "Host(`p-1.rv.example.net`)"),
            (r"^portal\.example\.org$", r"^p-1\.rv\.example\.net$"),
            (r"^portal\\.example\\.org$", r"^p-1\\.rv\\.example\\.net$"),
            ("https%3A%2F%2Fportal.example.org%2Fcb", "https%3A%2F%2Fp-1.rv.example.net%2Fcb"),
            ("PORTAL.Example.ORG:8443", "p-1.rv.example.net:8443"),
            ("münchen.example.org", "m-1.rv.example.net"),
            (
                r#"{\"u\":\"https:\/\/portal.example.org\/\"}"#,
                r#"{\"u\":\"https:\/\/p-1.rv.example.net\/\"}"#,
            ),
            (r"a\nportal.example.org", r"a\np-1.rv.example.net"),
            ("portal.example.org.", "p-1.rv.example.net."),
            ("portal.example.org,portal.example.org", "p-1.rv.example.net,p-1.rv.example.net"),
        ] {
            assert_eq!(run(text), want);
        }
    }
}
