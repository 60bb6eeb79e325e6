//! The proof that a review holds nothing of production: no source host, no owned zone, no Service of a source namespace
//! may stand anywhere unexplained, and no object outside the review's namespace.
//!
//! It runs after the last plugin, over all text and all names, and shares no code with the plugin that rewrites: it
//! looks for substrings where that one looks for tokens, so what one of them misses the other finds.

mod needle;
mod service;
mod spelling;
mod surroundings;

use std::collections::{BTreeMap, BTreeSet};

use lathe_manifest::{Object, Value, pointer};

use crate::decode;
use crate::environment::{Environment, Review};
use crate::field::{
    acts_outside, names_a_namespace, names_a_type, names_an_object, qualified_name, renders_later,
    spelled_namespaces,
};
use crate::file::Acknowledge;
use crate::report::Hit;
use crate::territory::{Territory, is_within, to_ascii};
use needle::Needles;
use surroundings::{host_end, host_start, is_host_char, is_mail, is_urn};

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
    pub(crate) fn check<'a>(&'a self, objects: impl Iterator<Item = &'a Object> + Clone) -> Closure {
        let target = &self.environment.namespace;
        let others = self.namespaces.iter().filter(|name| *name != target);
        let targets = self.environment.hosts.iter().map(|(from, to)| (to.as_str(), from.as_str()));
        let mut walk = Walk {
            of: self,
            needles: Needles::new(self.needles()),
            short: Needles::new(others.map(|name| (format!(".{name}"), false)).collect()),
            keep: self.territory.keep.iter().map(String::as_str).collect(),
            targets: targets.collect(),
            names: objects.clone().map(Object::name).collect(),
            used: BTreeSet::new(),
            hits: BTreeSet::new(),
        };
        objects.for_each(|object| walk.object(object));
        let unused = (0..self.acknowledge.len()).filter(|index| !walk.used.contains(index)).collect();
        Closure { hits: walk.hits, unused }
    }

    /// Source hosts, zones and the review domain, without those that lie within another; whether each is a zone.
    fn needles(&self) -> Vec<(String, bool)> {
        let Territory { zones, review_domain, .. } = self.territory;
        let mut all: BTreeMap<&str, bool> = BTreeMap::new();
        for host in self.environment.hosts.keys() {
            // All hosts below a wildcard are production's.
            let (name, zone) = host.strip_prefix("*.").map_or((host.as_str(), false), |name| (name, true));
            *all.entry(name).or_default() |= zone;
        }
        all.extend(zones.iter().map(|zone| (zone.as_str(), true)));
        // Another review's host is no more this one's than production's is.
        all.insert(review_domain, true);
        let covered = |name: &str| {
            let dots = name.match_indices('.').map(|(at, _)| &name[at + 1..]);
            dots.into_iter().any(|parent| all.contains_key(parent))
        };
        all.iter()
            .filter(|(name, _)| !covered(name))
            .map(|(name, zone)| ((*name).to_owned(), *zone))
            .collect()
    }
}

struct Walk<'a> {
    of: &'a Search<'a>,
    needles: Needles,
    /// Namespaces of the input behind a dot.
    short: Needles,
    keep: BTreeSet<&'a str>,
    /// Target host → source host.
    targets: BTreeMap<&'a str, &'a str>,
    /// Names of objects.
    names: BTreeSet<&'a str>,
    used: BTreeSet<usize>,
    hits: BTreeSet<Hit>,
}

/// How often a text may be escaped again, as a URL in a URL in a URL.
const MOST_ESCAPES: usize = 4;

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
        if acts_outside(object) {
            self.note(&whole, "acts-outside", "", "leftover");
        }
        let target = &self.of.environment.namespace;
        let namespace = if object.kind() == "Namespace" && object.group().is_empty() {
            object.name()
        } else {
            object.namespace()
        };
        if namespace != target && !self.is_own(object) {
            self.note(&whole, "namespace", namespace, "leftover");
        }
        self.value(object, &object.value, &mut String::new(), "");
    }

    /// Whether the object stands outside of namespaces under a name that is the environment's own.
    fn is_own(&self, object: &Object) -> bool {
        let hash = self.of.environment.review.as_ref().map(Review::hash);
        let role = matches!(object.kind(), "ClusterRole" | "ClusterRoleBinding")
            && object.group() == "rbac.authorization.k8s.io";
        let named = |hash: &str| object.name().strip_suffix(hash).is_some_and(|rest| rest.ends_with('-'));
        role && object.namespace().is_empty() && hash.is_some_and(named)
    }

    fn value(&mut self, object: &Object, value: &Value, at: &mut String, parent: &str) {
        let length = at.len();
        match value {
            Value::String(text) => {
                let secret = lathe_secrets::is_secret_field(object, at);
                let place = Place { object, pointer: at, secret };
                if names_a_type(object, at)
                    || names_an_object(object, at, |name| self.names.contains(name), text)
                {
                    return;
                }
                let text = qualified_name(object, at, text);
                // A pattern may match this review and production.
                let named = text.trim_end_matches('*').trim_end_matches('-');
                if names_a_namespace(object, at)
                    && (self.of.namespaces.contains(text)
                        || text.ends_with('*') && self.of.namespaces.contains(named))
                    && *text != *self.of.environment.namespace
                {
                    self.note(&place, "namespace", text, "leftover");
                }
                let target = &self.of.environment.namespace;
                let spelled = spelled_namespaces(object, at, text, self.of.namespaces, target);
                for namespace in spelled.into_iter().filter(|name| name != target) {
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
                    let flag = index.checked_sub(1).and_then(|before| items.get(before)?.as_str());
                    if matches!(parent, "args" | "command") && flag.is_some_and(spelling::is_namespace_flag) {
                        self.namespaces(&Place { object, pointer: at, secret: false }, item);
                    }
                    self.value(object, item, at, if item.as_str().is_some() { "" } else { parent });
                    at.truncate(length);
                }
            }
            Value::Object(map) => {
                let variable = map.get("name").and_then(Value::as_str);
                let variable = variable.filter(|name| spelling::is_namespace_variable(name));
                self.reference(object, map, at, parent);
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
                    // A ConfigMap's or Secret's keys may become variables.
                    let data =
                        matches!(parent, "data" | "stringData") && spelling::is_namespace_variable(key);
                    if variable.is_some() && key == "value" || data {
                        let encoded = value.as_str().filter(|_| object.is_secret() && parent == "data");
                        let decoded = encoded.and_then(decode::base64).map(|text| Value::from(text.trim()));
                        self.namespaces(
                            &Place { object, pointer: at, secret: false },
                            decoded.as_ref().unwrap_or(value),
                        );
                    }
                    self.value(object, value, at, key);
                    at.truncate(length);
                }
            }
            _ => {}
        }
    }

    /// Namespaces of the input in a comma list of namespaces.
    fn namespaces(&mut self, place: &Place<'_>, value: &Value) {
        let Some(text) = value.as_str() else { return };
        let target = &self.of.environment.namespace;
        for name in text.split(',').map(str::trim).filter(|name| name != target) {
            if self.of.namespaces.contains(name) {
                self.note(place, "namespace", name, "leftover");
            }
        }
    }

    /// The text as it is used: where it holds escapes, without them, and without those that were under them; where it is YAML or
    /// JSON that holds some, as its reader has it.
    fn text(&mut self, place: &Place<'_>, text: &str) {
        let mut now = decode::unescape(text);
        if now.is_none() {
            self.plain_text(place, text);
            return;
        }
        for _ in 0..MOST_ESCAPES {
            let Some(text) = now else { break };
            self.plain_text(place, &text);
            for text in decode::alternatives(&text) {
                self.hosts(place, &text);
            }
            now = decode::unescape(&text).filter(|next| *next != text);
        }
        self.raw_hosts(place, text);
        for inner in decode::embedded(text) {
            self.plain_text(place, &inner);
        }
    }

    fn plain_text(&mut self, place: &Place<'_>, text: &str) {
        let text = text.to_lowercase();
        self.hosts(place, &text);
        if !text.is_ascii() {
            // A name that is not ASCII may be written in more than one way, and DNS knows one.
            self.hosts(place, &surroundings::map_hosts(&text, to_ascii));
        }
        self.services(place, &text);
        self.short_services(place, &text);
        let namespaces = spelling::namespaces(&text);
        for name in namespaces.into_iter().filter(|name| self.of.namespaces.contains(*name)) {
            if *name != *self.of.environment.namespace {
                self.note(place, "namespace", name, "leftover");
            }
        }
    }

    fn hosts(&mut self, place: &Place<'_>, text: &str) {
        for (start, end, needle, zone) in self.needles.find(text) {
            let before = text[..start].chars().next_back();
            if zone && before.is_some_and(|c| c != '.' && is_host_char(c)) {
                // The tail of a longer label: somebody else's domain.
                continue;
            }
            let (token_start, token_end) = (host_start(text, start), host_end(text, end));
            // A dot at the end is the root's; one at the front means that something stands before that is no label.
            let host = text[token_start..token_end].trim_end_matches('.');
            // No host begins with a dash: a shell's `${A:-b}`.
            let host = host.trim_start_matches('-');
            let (before, after) = (&text[..token_start], &text[token_end..]);
            let starred = host.starts_with('.') && before.ends_with('*') && !before.ends_with(".*");
            // A domain with all that is below it, as cookies have.
            let below = host.strip_prefix('.').filter(|host| {
                (self.targets.contains_key(host) || self.keep.contains(host))
                    && !before.ends_with(['*', ')', ']', '}', '+', '\\'])
            });
            let host = if starred { format!("*{host}") } else { below.unwrap_or(host).to_owned() };
            if !host.is_ascii() && to_ascii(&host).contains(&needle) {
                // It is told as DNS has it. Letters of other scripts beside a host leave nothing of it there.
                continue;
            }
            let class = self.class(&host, before, after);
            // Around the needle may stand a password.
            let shown = if place.secret && class != "rewritten" { &needle } else { &host };
            self.note_as(place, "host", &host, shown, class);
        }
    }

    /// Source hosts as they stand among escapes, where undoing one could have eaten the first letters of a host.
    fn raw_hosts(&mut self, place: &Place<'_>, text: &str) {
        let text = text.to_lowercase();
        for (start, end, needle, zone) in self.needles.find(&text) {
            if !zone && !text[..start].ends_with(is_host_char) {
                let class = self.class(&needle, &text[..start], &text[end..]);
                self.note(place, "host", &needle, class);
            }
        }
    }

    fn class(&self, host: &str, before: &str, after: &str) -> &'static str {
        let territory = self.of.territory;
        let target = || host == territory.review_domain || self.targets.contains_key(host);
        if is_within(host, &territory.review_domain) && target() {
            "rewritten"
        } else if self.keep.contains(host) {
            "kept"
        } else if is_mail(before, after) || is_urn(before) {
            "protected"
        } else {
            "leftover"
        }
    }

    fn note(&mut self, place: &Place<'_>, kind: &'static str, host: &str, class: &'static str) {
        self.note_as(place, kind, host, host, class);
    }

    /// Notes a hit that is told as `host`; who explains it may know better what stands there.
    fn note_as(
        &mut self,
        place: &Place<'_>,
        kind: &'static str,
        real: &str,
        host: &str,
        class: &'static str,
    ) {
        let (object, pointer) = (place.object, place.pointer);
        let mut hit = Hit {
            object: object.label(),
            pointer: pointer.to_owned(),
            kind,
            before: self.targets.get(host).filter(|_| class == "rewritten").map(|from| (*from).to_owned()),
            host: host.to_owned(),
            secret: place.secret,
            class,
            reason: None,
        };
        if class == "leftover" {
            let mut entries = self.of.acknowledge.iter().enumerate();
            if let Some((index, entry)) =
                entries.find(|(_, entry)| entry.explains(&hit.object, pointer, real))
            {
                hit.class = "acknowledged";
                hit.reason = Some(entry.reason.clone());
                self.used.insert(index);
            }
        }
        self.hits.insert(hit);
    }
}

#[cfg(test)]
mod tests;
