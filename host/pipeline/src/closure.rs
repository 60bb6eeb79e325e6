//! The proof that a review holds nothing of production: no source host and no owned zone may stand anywhere unexplained.
//!
//! It runs after the last plugin, over all text and all names, and shares no code with the plugin that rewrites: it
//! looks for substrings where that one looks for tokens, so what one of them misses the other finds.

use std::collections::BTreeSet;

use lathe_manifest::{Object, Value, pointer};

use crate::decode;
use crate::environment::{Environment, Territory, is_within};
use crate::file::Acknowledge;
use crate::report::Hit;

/// What the closure says of a set of objects.
#[derive(Debug, Default)]
pub(crate) struct Closure {
    pub(crate) hits: BTreeSet<Hit>,
    /// Acknowledgements that explained nothing, by their place in the pipeline.
    pub(crate) unused: Vec<usize>,
}

/// Looks at every text and name of every object.
pub(crate) fn check<'a>(
    objects: impl Iterator<Item = &'a Object>,
    environment: &Environment,
    territory: &Territory,
    acknowledge: &[Acknowledge],
) -> Closure {
    let mut search = Search { territory, environment, needles: needles(environment, territory), acknowledge, used: BTreeSet::new(), hits: BTreeSet::new() };
    for object in objects {
        search.object(object);
    }
    let unused = (0..acknowledge.len()).filter(|index| !search.used.contains(index)).collect();
    Closure { hits: search.hits, unused }
}

/// Source hosts and zones, without those that lie within another.
fn needles(environment: &Environment, territory: &Territory) -> Vec<String> {
    let all: BTreeSet<&String> = environment.hosts.keys().chain(&territory.zones).collect();
    let covered = |name: &str| all.iter().any(|other| *other != name && is_within(name, other));
    all.iter().filter(|name| !covered(name)).map(|name| (*name).clone()).collect()
}

struct Search<'a> {
    territory: &'a Territory,
    environment: &'a Environment,
    needles: Vec<String>,
    acknowledge: &'a [Acknowledge],
    used: BTreeSet<usize>,
    hits: BTreeSet<Hit>,
}

impl Search<'_> {
    fn object(&mut self, object: &Object) {
        if let Some(told) = renders_later(object) {
            self.note(object, "", told, "leftover");
        }
        self.value(object, &object.value, &mut String::new(), "");
    }

    fn value(&mut self, object: &Object, value: &Value, at: &mut String, parent: &str) {
        let length = at.len();
        match value {
            Value::String(text) => {
                if !matches!(at.as_str(), "/apiVersion" | "/kind") {
                    self.text(object, at, text);
                    let in_data = object.is_secret() && at.starts_with("/data/");
                    if let Some(decoded) = in_data.then(|| decode::base64(text)).flatten() {
                        self.text(object, at, &decoded);
                    }
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    at.push('/');
                    at.push_str(&index.to_string());
                    self.value(object, item, at, "");
                    at.truncate(length);
                }
            }
            Value::Object(map) => {
                for (key, value) in map.iter() {
                    at.push('/');
                    at.push_str(&pointer::escape(key));
                    // The prefix of a label's or annotation's name says whose it is and claims no host.
                    let qualified = matches!(parent, "labels" | "annotations" | "matchLabels" | "nodeSelector" | "selector");
                    let name = if qualified { key.rsplit_once('/').map_or(key, |(_, name)| name) } else { key };
                    self.text(object, at, name);
                    self.value(object, value, at, key);
                    at.truncate(length);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, object: &Object, at: &str, text: &str) {
        self.plain_text(object, at, text);
        if let Some(decoded) = decode::unescape(text) {
            self.plain_text(object, at, &decoded);
            // What was escaped twice, as a URL within a URL.
            if let Some(decoded) = decode::unescape(&decoded) {
                self.plain_text(object, at, &decoded);
            }
        }
    }

    fn plain_text(&mut self, object: &Object, at: &str, text: &str) {
        let text = text.to_lowercase();
        let mut found: Vec<(usize, usize)> = Vec::new();
        for needle in &self.needles {
            found.extend(text.match_indices(needle.as_str()).map(|(start, _)| (start, start + needle.len())));
        }
        for (start, end) in found {
            let before = text[..start].chars().next_back();
            if before.is_some_and(|c| c != '.' && is_host_char(c)) {
                // The tail of a longer label: somebody else's domain.
                continue;
            }
            let token_start = text[..start].rfind(|c| !is_host_char(c)).map_or(0, |last| {
                last + text[last..].chars().next().map_or(1, char::len_utf8)
            });
            let token_end = text[end..].find(|c| !is_host_char(c)).map_or(text.len(), |length| end + length);
            let host = text[token_start..token_end].trim_matches('.');
            let class = self.class(host, &text[..token_start]);
            self.note(object, at, host, class);
        }
    }

    fn class(&self, host: &str, before: &str) -> &'static str {
        let targets = || self.environment.hosts.values().any(|target| target == host);
        if is_within(host, &self.territory.review_domain) && (targets() || host == self.territory.review_domain) {
            "rewritten"
        } else if self.territory.keep.iter().any(|keep| keep == host) {
            "kept"
        } else if is_mail(before) || is_urn(before) {
            "protected"
        } else {
            "leftover"
        }
    }

    fn note(&mut self, object: &Object, at: &str, host: &str, class: &'static str) {
        let mut hit =
            Hit { object: object.label(), pointer: at.to_owned(), host: host.to_owned(), class, reason: None };
        if class == "leftover" {
            let entry = self.acknowledge.iter().position(|entry| names(&entry.object, object) && entry.pointer == at);
            if let Some(index) = entry {
                self.used.insert(index);
                hit.class = "acknowledged";
                hit.reason = self.acknowledge.get(index).map(|entry| entry.reason.clone());
            }
        }
        self.hits.insert(hit);
    }
}

/// Whether `Kind/name` or `Kind/namespace/name` is the object.
fn names(text: &str, object: &Object) -> bool {
    text == object.label() || text.split_once('/') == Some((object.kind(), object.name()))
}

/// Objects that a controller renders on the cluster, where nobody checks hosts any more.
fn renders_later(object: &Object) -> Option<&'static str> {
    match (object.group(), object.kind()) {
        ("helm.toolkit.fluxcd.io", "HelmRelease") => Some("whatever its chart renders on the cluster"),
        ("kustomize.toolkit.fluxcd.io", "Kustomization") if object.value.get("spec")?.get("postBuild").is_some() => {
            Some("whatever its substitution puts in on the cluster")
        }
        _ => None,
    }
}

fn is_host_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// Whether an `@` stands before the host that is a mail address's and not the end of a URL's userinfo.
fn is_mail(before: &str) -> bool {
    before.strip_suffix('@').is_some_and(|local| {
        let word = last_word(local);
        word.rsplit_once("://").is_none_or(|(_, rest)| rest.contains(['/', '?', '#', ',']))
    })
}

fn is_urn(before: &str) -> bool {
    last_word(before).starts_with("urn:")
}

fn last_word(text: &str) -> &str {
    text.rsplit(|c: char| c.is_whitespace() || "\"'`<>()[]{},;=".contains(c)).next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lathe_manifest::json;

    fn classes(data: &str) -> Vec<(String, &'static str)> {
        let object = json::parse(&format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"m"}},"data":{data}}}"#));
        let object = Object::added(object.unwrap()).unwrap();
        let territory = Territory {
            review_domain: "rv.example.org".into(),
            zones: vec!["example.org".into()],
            keep: vec!["aai.example.org".into()],
        };
        let environment = Environment {
            name: "review".into(),
            project: "p".into(),
            namespace: "n".into(),
            review: None,
            hosts: [("portal.example.org".to_owned(), "portal-1.rv.example.org".to_owned())].into(),
            territory: None,
        };
        let acknowledge = [Acknowledge { object: "ConfigMap/m".into(), pointer: "/data/ack".into(), reason: "why".into() }];
        let closure = check([&object].into_iter(), &environment, &territory, &acknowledge);
        closure.hits.into_iter().map(|hit| (format!("{} {}", hit.pointer, hit.host), hit.class)).collect()
    }

    fn class(text: &str) -> Option<&'static str> {
        let data = format!("{{\"a\":{}}}", json::to_string(&text.into()));
        classes(&data).first().map(|(_, class)| *class)
    }

    #[test]
    fn every_spelling_of_a_leftover_is_found() {
        for text in [
            "portal.example.org",
            "https://PORTAL.example.org:8443/x",
            r"^portal\.example\.org$",
            "https%3A%2F%2Fportal.example.org",
            "https%253A%252F%252Fportal.example.org",
            r"\nportal.example.org",
            "*.portal.example.org",
            "${P}.example.org",
            "other.example.org",
            "portal.example.org.evil.com",
            "portal.example.org-old",
            "https://user:pass@portal.example.org",
            "unknown.rv.example.org",
        ] {
            assert_eq!(class(text), Some("leftover"), "{text}");
        }
    }

    #[test]
    fn what_may_stay_is_told_apart() {
        assert_eq!(class("https://portal-1.rv.example.org/x"), Some("rewritten"));
        assert_eq!(class("aai.example.org"), Some("kept"));
        assert_eq!(class("mailto:a@portal.example.org"), Some("protected"));
        assert_eq!(class("urn:geant:portal.example.org:x#aai"), Some("protected"));
        for text in ["myexample.org", "example.organic"] {
            assert_ne!(class(text), Some("kept"), "{text}");
        }
        assert_eq!(class("myexample.org"), None);
        assert_eq!(classes(r#"{"ack":"x.example.org"}"#), [("/data/ack x.example.org".to_owned(), "acknowledged")]);
        assert_eq!(classes(r#"{"portal.example.org.crt":"x"}"#)[0].1, "leftover");
    }
}
