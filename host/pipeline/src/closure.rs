//! The proof that a review holds nothing of production: no source host, no owned zone, no Service of a source namespace
//! may stand anywhere unexplained, and no object outside the review's namespace.
//!
//! It runs after the last plugin, over all text and all names, and shares no code with the plugin that rewrites: it
//! looks for substrings where that one looks for tokens, so what one of them misses the other finds.

use std::collections::BTreeSet;

use lathe_manifest::{Object, Value, pointer};

use crate::decode;
use crate::environment::{Environment, Territory, is_within};
use crate::field::{
    names_a_namespace, names_a_type, names_an_object, qualified_name, renders_later, spelled_namespace,
};
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
    /// The Services of the input, by name and namespace.
    pub(crate) services: &'a BTreeSet<(String, String)>,
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
        if namespace != target {
            self.note(&whole, "namespace", namespace, "leftover");
        }
        self.value(object, &object.value, &mut String::new(), "");
    }

    fn value(&mut self, object: &Object, value: &Value, at: &mut String, parent: &str) {
        let length = at.len();
        match value {
            Value::String(text) => {
                let secret = lathe_secrets::is_secret_field(object, at);
                let place = Place { object, pointer: at, secret };
                if names_a_type(object, at) || names_an_object(at) {
                    return;
                }
                let text = qualified_name(object, at, text);
                if names_a_namespace(object, at)
                    && self.of.namespaces.contains(text)
                    && *text != *self.of.environment.namespace
                {
                    self.note(&place, "namespace", text, "leftover");
                }
                let target = &self.of.environment.namespace;
                let spelled = spelled_namespace(object, at, text, self.of.namespaces, target);
                if let Some(namespace) = spelled.filter(|name| name != target) {
                    self.note(&place, "namespace", namespace, "leftover");
                }
                self.text(&place, text);
                let encoded = (secret && at.starts_with("/data/")) || at.starts_with("/binaryData/");
                let whole = if encoded { decode::base64(text) } else { None };
                for inner in decode::base64_runs(whole.as_deref().unwrap_or(text)).iter().chain(&whole) {
                    self.text(&place, inner);
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
                        "labels"
                            | "annotations"
                            | "matchLabels"
                            | "nodeSelector"
                            | "selector"
                            | "limits"
                            | "requests"
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
                self.raw_hosts(place, text);
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
            // A dot at the end is the root's; one at the front means that something stands before that is no label.
            let host = text[token_start..token_end].trim_end_matches('.');
            let class = self.class(host, &text[..token_start], &text[token_end..]);
            // Around the needle may stand a password.
            self.note(place, "host", if place.secret { &needle } else { host }, class);
        }
        self.services(place, &text);
        self.short_services(place, &text);
    }

    /// Source hosts as they stand among escapes, where undoing one could have eaten the first letters of a host.
    fn raw_hosts(&mut self, place: &Place<'_>, text: &str) {
        let text = text.to_lowercase();
        let mut found = Vec::new();
        for (needle, _) in self.needles.iter().filter(|(_, zone)| !zone) {
            let starts = text.match_indices(needle.as_str()).map(|(start, _)| start);
            let alone = starts.filter(|start| !text[..*start].ends_with(is_host_char));
            found.extend(alone.map(|start| (start, needle.clone())));
        }
        for (start, needle) in found {
            let class = self.class(&needle, &text[..start], &text[start + needle.len()..]);
            self.note(place, "host", &needle, class);
        }
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
                || shared == "kubernetes.default"
                || self.of.territory.shared_services.contains(&shared);
            // One label before `.svc` may be the end of a file's name, unless it is a namespace of the input.
            if known || (labels.len() < 2 && !self.of.namespaces.contains(*namespace)) {
                continue;
            }
            let name = if place.secret { format!("(…).{namespace}.svc") } else { format!("{shared}.svc") };
            self.note(place, "service", &name, "leftover");
        }
    }

    /// Short names of Services of the input, `name.namespace`, which resolve from within any namespace.
    fn short_services(&mut self, place: &Place<'_>, text: &str) {
        let mut found = Vec::new();
        for namespace in self.of.namespaces.iter().filter(|name| **name != self.of.environment.namespace) {
            let needle = format!(".{namespace}");
            for (at, _) in text.match_indices(needle.as_str()) {
                let (start, end) = (host_start(text, at), at + needle.len());
                let after = text[end..].chars().next();
                let name = text[start..at].rsplit('.').next().unwrap_or_default();
                let address = text[..start].ends_with(['/', '@'])
                    || after == Some(':') && { text[end + 1..].starts_with(|c: char| c.is_ascii_digit()) };
                let whole = after.is_none_or(|c| !is_host_char(c));
                let known = self.of.services.contains(&(name.to_owned(), namespace.clone()));
                if whole && !name.is_empty() && address && (known || text[..start].ends_with("//")) {
                    found.push(format!("{name}.{namespace}"));
                }
            }
        }
        for name in found {
            let shown = name.rsplit('.').next().unwrap_or_default();
            let shown = if place.secret { format!("(…).{shown}") } else { name.clone() };
            self.note(place, "service", &shown, "leftover");
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
            secret: place.secret,
            class,
            reason: None,
        };
        if class == "leftover" {
            let explains = |entry: &&Acknowledge| names(&entry.object, object) && entry.pointer == pointer;
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

fn is_host_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// How far around a hit its host is looked for; names end at 253 characters (RFC 1123).
const LONGEST_HOST: usize = 256;

fn host_start(text: &str, from: usize) -> usize {
    let before =
        text[..from].char_indices().rev().take(LONGEST_HOST).take_while(|(_, c)| is_host_char(*c)).last();
    before.map_or(from, |(at, _)| at)
}

fn host_end(text: &str, from: usize) -> usize {
    let after = text[from..].char_indices().take(LONGEST_HOST).take_while(|(_, c)| is_host_char(*c)).last();
    after.map_or(from, |(at, c)| from + at + c.len_utf8())
}

/// Whether the host is a mail address's domain (or Git's host): a plain local part, opened by nothing that a URL's
/// userinfo could have before it, and no port or path behind.
fn is_mail(before: &str, after: &str) -> bool {
    let Some(local) = before.strip_suffix('@') else { return false };
    let rest =
        local.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-'));
    let word = rest
        .rsplit(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<'))
        .next()
        .unwrap_or(rest);
    let opened =
        word.is_empty() || word.ends_with("mailto:") || word.ends_with([',', ';', '=', '(', '[', '|', ':']);
    let url = word.contains("://") || (word.ends_with(':') && !word.ends_with("mailto:"));
    let git = &local[rest.len()..] == "git";
    let address = match after.chars().next() {
        Some('/' | '?' | '#') => true,
        Some(':') => !git || after[1..].starts_with(|c: char| c.is_ascii_digit() || c == '/'),
        _ => false,
    };
    rest.len() < local.len() && opened && !url && !address
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
        let services = [("backend".to_owned(), "portal".to_owned())].into();
        let search = Search {
            environment: &environment,
            territory: &territory,
            namespaces: &namespaces,
            services: &services,
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
            "redis://:p*x@redis.example.org",
            "amqps://user:pa,ss@rabbit.example.org?heartbeat=10",
            "redis://:p=x@portal.example.org",
            "backup@files.example.org:backup/",
            "https://*.aai.example.org",
            "proxy_pass http://backend.portal;",
            "http://operator-made.portal:8080/",
            "mongodb://mongo-0.mongo.portal:27017,mongo-1.mongo.portal:27017",
            "Basic dTpwb3J0YWwuZXhhbXBsZS5vcmc=",
            "AUTH=dTpwb3J0YWwuZXhhbXBsZS5vcmc=",
            "/x/dTpwb3J0YWwuZXhhbXBsZS5vcmc/y",
            "mongo.portal.svc.cluster.local",
            "rabbit@$(POD).rabbit.portal.svc",
            "${HOST}.portal.svc.cluster.local",
            "db.other.svc:5432",
        ] {
            assert_eq!(class(text), Some("leftover"), "{text}");
        }
        assert_eq!(classes(r#"{"apiVersion":"https://portal.example.org"}"#)[0].1, "leftover");
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
        for text in [
            "myexample.org",
            "mongo.p-1.svc.cluster.local",
            "smtp.mail.svc",
            "service.svc",
            "x.p-1.svcs",
            "kubernetes.default.svc",
            "import com.backend.portal;",
            "backend.portal: x",
        ] {
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
        let object = r#"{"apiVersion":"x.io/v1","kind":"Route","metadata":{"name":"r","namespace":"p-1","annotations":{"a":"portal/cert","b":"portal-auth@kubernetescrd","c/release-namespace":"portal","d":"portals/x"}},
            "spec":{"args":["--namespace=portal","--x=portal"],"principal":"cluster.local/ns/portal/sa/x","gateways":["portal/gw"],"limits":{"example.org/gpu":1}}}"#;
        let told: Vec<String> = hits(object).into_iter().map(|(place, _)| place).collect();
        assert_eq!(told.len(), 6, "{told:?}");
    }
}
