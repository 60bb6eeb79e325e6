//! A text with its hosts and Services rewritten, and all else left byte for byte.
//!
//! Where the text is JSON its literals are read as they are meant; any other (YAML, TOML, properties, nginx.conf, code) is
//! scanned as it stands, escapes included. A replacement holds letters, digits, dots and dashes, which no format quotes.

use std::ops::Range;

use crate::host::{self, HostMap};
use crate::json;
use crate::namespace::Namespaces;
use crate::token::tokens;

/// How deep JSON within JSON is read.
const DEEPEST: usize = 4;

/// What texts are rewritten by.
pub(crate) struct Rewriter<'a> {
    pub(crate) hosts: &'a HostMap<'a>,
    pub(crate) namespaces: &'a Namespaces<'a>,
}

impl Rewriter<'_> {
    /// The text with each whole host replaced; `None` where nothing changes.
    pub(crate) fn rewrite(&self, text: &str) -> Option<String> {
        let found = self.replacements(text, 0);
        if found.is_empty() {
            return None;
        }
        let mut out = String::with_capacity(text.len() + 32 * found.len());
        let mut copied = 0;
        for (range, new) in found {
            out.push_str(&text[copied..range.start]);
            out.push_str(&new);
            copied = range.end;
        }
        out.push_str(&text[copied..]);
        Some(out)
    }

    /// The same, with the namespaces in it followed as well.
    pub(crate) fn followed(&self, text: &str) -> Option<String> {
        let new = self.rewrite(text);
        let now = new.as_deref().unwrap_or(text);
        self.namespaces.follow_text(now).or(new)
    }

    fn replacements(&self, text: &str, depth: usize) -> Vec<(Range<usize>, String)> {
        if !text.contains('.') && !text.contains('\\') {
            return Vec::new();
        }
        let literals = if depth < DEEPEST && text.contains('\\') { json::literals(text) } else { None };
        let Some(literals) = literals else { return self.scan(text) };
        let within = |range: &Range<usize>, literal: &json::Literal| {
            literal.offsets.first().is_some_and(|start| range.start >= *start)
                && literal.offsets.last().is_some_and(|end| range.end <= *end)
        };
        // Literals without a backslash, and whatever else there is, are meant as they stand.
        let mut all = self.scan(text);
        all.retain(|(range, _)| {
            let after = literals.partition_point(|literal| literal.offsets[0] <= range.start);
            !after.checked_sub(1).is_some_and(|at| within(range, &literals[at]))
        });
        for literal in &literals {
            let place = |range: Range<usize>| literal.offsets[range.start]..literal.offsets[range.end];
            let inner = self.replacements(&literal.text, depth + 1).into_iter();
            all.extend(inner.map(|(range, new)| (place(range), new.replace('\\', "\\\\"))));
        }
        all.sort_by_key(|(range, _)| range.start);
        all
    }

    fn scan(&self, text: &str) -> Vec<(Range<usize>, String)> {
        let mut found = Vec::new();
        for token in tokens(text) {
            let name = token.name(text);
            let service = || self.namespaces.service(&name, &text[..token.start], &text[token.end..]);
            let (start, new) = if let Some(start) = host::wildcard_start(text, &token) {
                match (self.hosts.target(&format!("*.{name}")), service()) {
                    (Some(new), _) => (start, new.to_owned()),
                    (None, Some(new)) => (token.start, new),
                    (None, None) => continue,
                }
            } else if let Some(new) = self.hosts.target(&name) {
                if host::is_protected(text, &token) {
                    continue;
                }
                (token.start, new.to_owned())
            } else if let Some(new) = service().filter(|_| !self.hosts.keeps(&name)) {
                (token.start, new)
            } else {
                continue;
            };
            let new = if token.separator == "." { new } else { new.replace('.', token.separator) };
            found.push((start..token.end, new));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn run(text: &str) -> String {
        let hosts: BTreeMap<String, String> = [
            ("portal.example.org", "p-1.rv.example.net"),
            ("münchen.example.org", "m-1.rv.example.net"),
            ("*.wild.example.org", "w-1.rv.example.net"),
        ]
        .map(|(from, to)| (from.to_owned(), to.to_owned()))
        .into();
        let (map, namespaces) = (HostMap::new(&hosts, &[]), Namespaces::new([].iter(), &[], "portal-1"));
        Rewriter { hosts: &map, namespaces: &namespaces }.rewrite(text).unwrap_or_else(|| text.to_owned())
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
            r".+\.portal\.example\.org",
            r".*.wild.example.org",
            r"x*.wild.example.org",
            "urn:geant:portal.example.org:group:x#portal.example.org",
            "mailto:support@portal.example.org",
            "mailto:a@portal.example.org?subject=x",
            "sip:bob@portal.example.org",
            "Is it bob@portal.example.org?",
            "x.portal.example.org .+.portal.example.org",
            "a -portal.example.org",
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
            ("https%253A%252F%252Fportal.example.org", "https%253A%252F%252Fp-1.rv.example.net"),
            ("PORTAL.Example.ORG:8443", "p-1.rv.example.net:8443"),
            ("münchen.example.org", "m-1.rv.example.net"),
            ("MÜNCHEN.example.org", "m-1.rv.example.net"),
            (
                r#"{\"u\":\"https:\/\/portal.example.org\/\"}"#,
                r#"{\"u\":\"https:\/\/p-1.rv.example.net\/\"}"#,
            ),
            (r"a\nportal.example.org", r"a\np-1.rv.example.net"),
            ("portal.example.org.", "p-1.rv.example.net."),
            ("portal.example.org,portal.example.org", "p-1.rv.example.net,p-1.rv.example.net"),
            ("https://*.wild.example.org", "https://w-1.rv.example.net"),
            ("${HOST:-portal.example.org}", "${HOST:-p-1.rv.example.net}"),
            ("cookie_domains = [\".portal.example.org\"]", "cookie_domains = [\".p-1.rv.example.net\"]"),
            (".portal.example.org", ".p-1.rv.example.net"),
            ("ssh deploy@portal.example.org uptime", "ssh deploy@p-1.rv.example.net uptime"),
            ("*.wild.example.org,x", "w-1.rv.example.net,x"),
        ] {
            assert_eq!(run(text), want);
        }
    }

    #[test]
    fn json_is_read_as_it_is_meant() {
        for (text, want) in [
            (
                r#"{ "a":"https:\/\/portal.example.org\/\u0070", "b" : "portal.example.org" } "#,
                r#"{ "a":"https:\/\/p-1.rv.example.net\/\u0070", "b" : "p-1.rv.example.net" } "#,
            ),
            (r#"["\u0070ortal\u002eexample.org"]"#, r#"["p-1.rv.example.net"]"#),
            (r#"["C:\\nportal.example.org"]"#, r#"["C:\\np-1.rv.example.net"]"#),
            (r#"["^portal\\.example\\.org$"]"#, r#"["^p-1\\.rv\\.example\\.net$"]"#),
            (r#"{"in":"{\"u\":\"portal.example.org\"}"}"#, r#"{"in":"{\"u\":\"p-1.rv.example.net\"}"}"#),
            (r#"["m\u00fcnchen.example.org\n"]"#, r#"["m-1.rv.example.net\n"]"#),
        ] {
            assert_eq!(run(text), want);
        }
    }
}
