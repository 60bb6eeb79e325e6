//! The proof that a review holds nothing of production: no source host, no owned zone, no Service of a source namespace
//! may stand anywhere unexplained, and no object outside the review's namespace.
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

/// What is looked for, and what explains it.
pub(crate) struct Search<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) territory: &'a Territory,
    /// The namespaces of the input.
    pub(crate) namespaces: &'a BTreeSet<String>,
    pub(crate) acknowledge: &'a [Acknowledge],
}

impl Search<'_> {
    /// Looks at every text and name of every object.
    pub(crate) fn check<'o>(&self, objects: impl Iterator<Item = &'o Object>) -> Closure {
        let mut walk =
            Walk { of: self, needles: self.needles(), used: BTreeSet::new(), hits: BTreeSet::new() };
        objects.for_each(|object| walk.object(object));
        let unused = (0..self.acknowledge.len()).filter(|index| !walk.used.contains(index)).collect();
        Closure { hits: walk.hits, unused }
    }

    /// Source hosts and zones, without those that lie within another; whether each is a zone.
    fn needles(&self) -> Vec<(String, bool)> {
        let all: BTreeSet<&String> = self.environment.hosts.keys().chain(&self.territory.zones).collect();
        let covered = |name: &str| all.iter().any(|other| *other != name && is_within(name, other));
        let names = all.iter().filter(|name| !covered(name));
        names.map(|name| ((*name).clone(), self.territory.zones.contains(name))).collect()
    }
}

struct Walk<'a> {
    of: &'a Search<'a>,
    needles: Vec<(String, bool)>,
    used: BTreeSet<usize>,
    hits: BTreeSet<Hit>,
}

/// Where a text stands.
struct Place<'a> {
    object: &'a Object,
    pointer: &'a str,
    /// Whether it is a value of a Secret, of which nothing may be told.
    secret: bool,
}

impl Walk<'_> {
    fn object(&mut self, object: &Object) {
        let whole = Place { object, pointer: "", secret: false };
        if renders_later(object) {
            self.note(&whole, "renders-later", "", "leftover");
        }
        let target = &self.of.environment.namespace;
        let namespace = if object.kind() == "Namespace" && object.group().is_empty() {
            object.name()
        } else {
            object.namespace()
        };
        if !namespace.is_empty() && namespace != target {
            self.note(&whole, "namespace", namespace, "leftover");
        }
        self.value(object, &object.value, &mut String::new(), "");
    }

    fn value(&mut self, object: &Object, value: &Value, at: &mut String, parent: &str) {
        let length = at.len();
        match value {
            Value::String(text) => {
                let secret =
                    object.is_secret() && (at.starts_with("/data/") || at.starts_with("/stringData/"));
                let place = Place { object, pointer: at, secret };
                if names_a_type(at) {
                    return;
                }
                if names_a_namespace(object, at)
                    && self.of.namespaces.contains(text.as_ref())
                    && **text != *self.of.environment.namespace
                {
                    self.note(&place, "namespace", text, "leftover");
                }
                self.text(&place, text);
                let encoded = (secret && at.starts_with("/data/")) || at.starts_with("/binaryData/");
                let decoded = if encoded {
                    decode::base64(text).into_iter().collect()
                } else {
                    decode::base64_runs(text)
                };
                for text in &decoded {
                    self.text(&place, text);
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
                    let qualified = matches!(
                        parent,
                        "labels" | "annotations" | "matchLabels" | "nodeSelector" | "selector"
                    );
                    let name =
                        if qualified { key.rsplit_once('/').map_or(key, |(_, name)| name) } else { key };
                    self.text(&Place { object, pointer: at, secret: false }, name);
                    self.value(object, value, at, key);
                    at.truncate(length);
                }
            }
            _ => {}
        }
    }

    /// The text as it is used: where it holds escapes, without them, and without those that were under them.
    fn text(&mut self, place: &Place<'_>, text: &str) {
        match decode::unescape(text) {
            None => self.plain_text(place, text),
            Some(once) => {
                self.plain_text(place, &once);
                if let Some(twice) = decode::unescape(&once) {
                    self.plain_text(place, &twice);
                }
            }
        }
    }

    fn plain_text(&mut self, place: &Place<'_>, text: &str) {
        let text = text.to_lowercase();
        let mut found = Vec::new();
        for (needle, zone) in &self.needles {
            found
                .extend(text.match_indices(needle.as_str()).map(|(start, _)| (start, needle.clone(), *zone)));
        }
        for (start, needle, zone) in found {
            let end = start + needle.len();
            let before = text[..start].chars().next_back();
            if zone && before.is_some_and(|c| c != '.' && is_host_char(c)) {
                // The tail of a longer label: somebody else's domain.
                continue;
            }
            let (token_start, token_end) = (host_start(&text, start), host_end(&text, end));
            let host = text[token_start..token_end].trim_matches('.');
            let class = self.class(host, &text[..token_start], &text[token_end..]);
            // Around the needle may stand a password.
            self.note(place, "host", if place.secret { &needle } else { host }, class);
        }
        self.services(place, &text);
    }

    /// Names of Services in namespaces other than the review's.
    fn services(&mut self, place: &Place<'_>, text: &str) {
        for (at, _) in text.match_indices(".svc") {
            let after = text[at + 4..].chars().next();
            if after.is_some_and(|c| is_host_char(c) && c != '.') {
                continue;
            }
            let start = host_start(text, at);
            let labels: Vec<&str> = text[start..at].split('.').collect();
            let Some(namespace) = labels.last().filter(|label| !label.is_empty()) else { continue };
            let shared = labels.join(".");
            let known = *namespace == self.of.environment.namespace
                || self.of.territory.shared_services.contains(&shared);
            // One label before `.svc` may be the end of a file's name, unless it is a namespace of the input.
            if known || (labels.len() < 2 && !self.of.namespaces.contains(*namespace)) {
                continue;
            }
            let name = if place.secret { format!("(…).{namespace}.svc") } else { format!("{shared}.svc") };
            self.note(place, "service", &name, "leftover");
        }
    }

    fn class(&self, host: &str, before: &str, after: &str) -> &'static str {
        let (environment, territory) = (self.of.environment, self.of.territory);
        let target =
            || host == territory.review_domain || environment.hosts.values().any(|target| target == host);
        if is_within(host, &territory.review_domain) && target() {
            "rewritten"
        } else if territory.keep.iter().any(|keep| keep == host) {
            "kept"
        } else if is_mail(before, after) || is_urn(before) {
            "protected"
        } else {
            "leftover"
        }
    }

    fn note(&mut self, place: &Place<'_>, kind: &'static str, host: &str, class: &'static str) {
        let (object, pointer) = (place.object, place.pointer);
        let mut hit = Hit {
            object: object.label(),
            pointer: pointer.to_owned(),
            kind,
            host: host.to_owned(),
            class,
            reason: None,
        };
        if class == "leftover" {
            let explains = |entry: &&Acknowledge| {
                names(&entry.object, object) && (entry.pointer == pointer || entry.pointer.is_empty())
            };
            let mut entries = self.of.acknowledge.iter().enumerate().filter(|(_, entry)| explains(entry));
            if let Some((index, entry)) = entries.next() {
                hit.class = "acknowledged";
                hit.reason = Some(entry.reason.clone());
                self.used.insert(index);
            }
        }
        self.hits.insert(hit);
    }
}

/// Whether `Kind/name` or `Kind/namespace/name` is the object.
fn names(text: &str, object: &Object) -> bool {
    text == object.label() || text.split_once('/') == Some((object.kind(), object.name()))
}

/// Objects from which a controller makes others on the cluster, where nobody looks at hosts any more.
fn renders_later(object: &Object) -> bool {
    matches!(
        (object.group(), object.kind()),
        ("helm.toolkit.fluxcd.io", "HelmRelease")
            | ("kustomize.toolkit.fluxcd.io", "Kustomization")
            | ("helm.cattle.io", "HelmChart")
            | ("argoproj.io", "Application" | "ApplicationSet")
    )
}

/// Fields that name an API group, which may lie in an owned zone and is no host.
fn names_a_type(at: &str) -> bool {
    at.ends_with("/apiVersion")
        || at.ends_with("/apiGroup")
        || at.contains("/apiGroups/")
        || at == "/kind"
        || at == "/spec/group"
        || at.starts_with("/metadata/finalizers/")
}

/// Fields that name a namespace by their own name.
fn names_a_namespace(object: &Object, at: &str) -> bool {
    let field =
        at.ends_with("/namespace") || at.ends_with("/targetNamespace") || at.contains("/namespaceSelector/");
    field && !matches!(object.kind(), "ConfigMap" | "Secret") && at != "/metadata/namespace"
}

fn is_host_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.')
}

fn host_start(text: &str, from: usize) -> usize {
    let before = text[..from].char_indices().rev().take_while(|(_, c)| is_host_char(*c)).last();
    before.map_or(from, |(at, _)| at)
}

fn host_end(text: &str, from: usize) -> usize {
    text[from..].find(|c| !is_host_char(c)).map_or(text.len(), |length| from + length)
}

/// Whether the host is a mail address's domain: a plain local part, opened by nothing that a URL's userinfo would have
/// before it, and no port or path behind.
fn is_mail(before: &str, after: &str) -> bool {
    let Some(local) = before.strip_suffix('@') else { return false };
    let rest =
        local.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-'));
    let opened = rest.is_empty()
        || rest.ends_with("mailto:")
        || rest.ends_with(|c: char| !matches!(c, ':' | '/' | '@' | '$' | '}' | ')' | '%' | '!' | '#'));
    let address = after.starts_with('/')
        || after
            .strip_prefix(':')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '/'));
    rest.len() < local.len() && opened && !address
}

fn is_urn(before: &str) -> bool {
    let ends = |c: char| c.is_whitespace() || "\"'`<>()[]{},;=|".contains(c);
    before.rsplit(ends).next().is_some_and(|word| word.starts_with("urn:"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lathe_manifest::json;

    fn hits(object: &str) -> Vec<(String, &'static str)> {
        let object = Object::added(json::parse(object).unwrap()).unwrap();
        let territory = Territory {
            review_domain: "rv.example.org".into(),
            zones: vec!["example.org".into()],
            keep: vec!["aai.example.org".into()],
            shared_services: vec!["smtp.mail".into()],
        };
        let environment = Environment {
            name: "review".into(),
            project: "p".into(),
            namespace: "p-1".into(),
            review: None,
            hosts: [("portal.example.org".to_owned(), "portal-1.rv.example.org".to_owned())].into(),
            territory: None,
        };
        let acknowledge =
            [Acknowledge { object: "ConfigMap/m".into(), pointer: "/data/ack".into(), reason: "why".into() }];
        let namespaces = ["portal".to_owned()].into();
        let search = Search {
            environment: &environment,
            territory: &territory,
            namespaces: &namespaces,
            acknowledge: &acknowledge,
        };
        let closure = search.check([&object].into_iter());
        closure.hits.into_iter().map(|hit| (format!("{} {}", hit.pointer, hit.host), hit.class)).collect()
    }

    fn classes(data: &str) -> Vec<(String, &'static str)> {
        hits(&format!(
            r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"m","namespace":"p-1"}},"data":{data}}}"#
        ))
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
            "portal[.]example[.]org",
            "https%3A%2F%2Fportal.example.org",
            "https%253A%252F%252Fportal.example.org",
            r"\nportal.example.org",
            "*.portal.example.org",
            "${P}.example.org",
            "other.example.org",
            "portal.example.org.evil.com",
            "portal.example.org-old",
            "https://user:pass@portal.example.org",
            "mongodb://${U}:${P}@mongo.example.org:27017/portal",
            "mongodb://$(U):$(P)@portal.example.org/x",
            "u:p@portal.example.org:5432/db",
            "root@db.example.org:/backup",
            "unknown.rv.example.org",
            "Basic dTpwb3J0YWwuZXhhbXBsZS5vcmc=",
            "mongo.portal.svc.cluster.local",
            "rabbit@$(POD).rabbit.portal.svc",
            "${HOST}.portal.svc.cluster.local",
            "db.other.svc:5432",
        ] {
            assert_eq!(class(text), Some("leftover"), "{text}");
        }
    }

    #[test]
    fn what_may_stay_is_told_apart() {
        assert_eq!(class("https://portal-1.rv.example.org/x"), Some("rewritten"));
        assert_eq!(class("aai.example.org"), Some("kept"));
        assert_eq!(class("x?u=https%3A%2F%2Faai.example.org"), Some("kept"));
        for text in ["mailto:a@portal.example.org", "a%40portal.example.org", "git@portal.example.org:g/r"] {
            assert_eq!(class(text), Some("protected"), "{text}");
        }
        assert_eq!(class("urn:geant:portal.example.org:x#aai"), Some("protected"));
        for text in
            ["myexample.org", "mongo.p-1.svc.cluster.local", "smtp.mail.svc", "service.svc", "x.p-1.svcs"]
        {
            assert_eq!(class(text), None, "{text}");
        }
        assert_eq!(
            classes(r#"{"ack":"x.example.org"}"#),
            [("/data/ack x.example.org".to_owned(), "acknowledged")]
        );
        assert_eq!(classes(r#"{"portal.example.org.crt":"x"}"#)[0].1, "leftover");
    }

    #[test]
    fn of_a_secret_only_the_needle_is_told() {
        let secret = r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","namespace":"p-1"},
            "data":{"b":"aHVudGVyNC5leGFtcGxlLm9yZw=="},"stringData":{"a":"hunter2.example.org","u":"x@hunter3.portal.svc"}}"#;
        let told: Vec<String> = hits(secret).into_iter().map(|(place, _)| place).collect();
        let want = ["/data/b example.org", "/stringData/a example.org", "/stringData/u (…).portal.svc"];
        assert_eq!(told, want);
    }

    #[test]
    fn nothing_stands_in_or_names_another_namespace() {
        let object = r#"{"apiVersion":"x.io/v1","kind":"Route","metadata":{"name":"r","namespace":"portal"},"spec":{"ref":{"namespace":"portal"}}}"#;
        let told: Vec<String> = hits(object).into_iter().map(|(place, _)| place).collect();
        assert_eq!(told, [" portal", "/spec/ref/namespace portal"]);
    }
}
