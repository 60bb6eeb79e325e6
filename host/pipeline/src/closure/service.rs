//! Services of other namespaces, by their names in DNS and by fields that name one.

use lathe_manifest::{Map, Object, Value};

use super::surroundings::{self, host_start, is_host_char};
use super::{Place, Walk};

/// Top-level domains that namespaces are called like.
const TOP_LEVEL: &[&str] = &[
    "academy",
    "ai",
    "app",
    "blog",
    "build",
    "cafe",
    "cloud",
    "com",
    "community",
    "computer",
    "de",
    "dev",
    "digital",
    "directory",
    "education",
    "email",
    "events",
    "forum",
    "games",
    "info",
    "institute",
    "io",
    "live",
    "mail",
    "media",
    "net",
    "network",
    "news",
    "online",
    "org",
    "page",
    "report",
    "run",
    "science",
    "services",
    "shop",
    "site",
    "social",
    "software",
    "solutions",
    "space",
    "store",
    "studio",
    "support",
    "systems",
    "team",
    "tech",
    "test",
    "tools",
    "video",
    "web",
    "wiki",
    "work",
    "works",
    "world",
    "zone",
];

impl Walk<'_> {
    /// A Service of another namespace that a route sends to, where it is named by fields of its own.
    pub(super) fn reference(&mut self, object: &Object, map: &Map, at: &str, parent: &str) {
        let rules = map.get("resources").and_then(Value::as_array);
        if rules.is_some_and(|rules| rules.iter().any(|rule| rule.as_str() == Some("namespaces"))) {
            for name in map.get("resourceNames").and_then(Value::as_array).into_iter().flatten() {
                self.namespaces(&Place { object, pointer: at, secret: false }, name);
            }
        }
        let refers = parent.ends_with("Ref")
            || parent.ends_with("Refs")
            || parent.ends_with("Reference")
            || parent.ends_with("References");
        let routes =
            parent.starts_with("parent") || parent.starts_with("gateway") || parent.starts_with("backend");
        let sends = matches!(parent, "backendRef" | "backendRefs" | "service" | "services" | "mirror");
        let text = |name: &str| map.get(name).and_then(Value::as_str);
        if let (true, Some(name), Some(namespace)) = (sends, text("name"), text("namespace"))
            && namespace != self.of.environment.namespace
        {
            let shared = format!("{name}.{namespace}");
            if !self.of.territory.shared_services.contains(&shared) {
                let place = Place { object, pointer: at, secret: false };
                self.note(&place, "service", &format!("{shared}.svc"), "leftover");
            }
        }
        if let (true, Some(name), Some(namespace)) = (refers && !routes, text("name"), text("namespace"))
            && namespace != self.of.environment.namespace
            && !self.of.territory.shared_services.contains(&format!("{name}.{namespace}"))
        {
            let place = Place { object, pointer: at, secret: false };
            self.note(&place, "reference", &format!("{namespace}/{name}"), "leftover");
        }
    }

    /// Names of Services in namespaces other than the review's.
    pub(super) fn services(&mut self, place: &Place<'_>, text: &str) {
        for (at, _) in text.match_indices(".svc") {
            let after = text[at + 4..].chars().next();
            if after.is_some_and(|c| is_host_char(c) && c != '.') {
                continue;
            }
            let start = host_start(text, at);
            let labels: Vec<&str> = text[start..at].split('.').collect();
            let Some(namespace) = labels.last().filter(|label| !label.is_empty()) else { continue };
            let shared = labels[labels.len().saturating_sub(2)..].join(".");
            let known = *namespace == self.of.environment.namespace
                || shared == "kubernetes.default"
                || self.of.territory.shared_services.contains(&shared);
            // One label before `.svc` may be the end of a file's name, unless it is a namespace of the input.
            if known || (labels.len() < 2 && !self.of.namespaces.contains(*namespace)) {
                continue;
            }
            // Of a Secret's value only what everybody knows is told.
            let name = match (place.secret, self.of.namespaces.contains(*namespace)) {
                (false, _) => format!("{shared}.svc"),
                (true, true) => format!("(…).{namespace}.svc"),
                (true, false) => "(…).svc".to_owned(),
            };
            self.note_as(place, "service", &format!("{shared}.svc"), &name, "leftover");
        }
    }

    /// Short names of Services of the input, `name.namespace`, which resolve from within any namespace.
    pub(super) fn short_services(&mut self, place: &Place<'_>, text: &str) {
        let mut found = Vec::new();
        for (at, end, needle, _) in self.short.find(text) {
            let namespace = &needle[1..];
            let start = host_start(text, at);
            let after = text[end..].chars().next();
            let name = text[start..at].rsplit('.').next().unwrap_or_default();
            let address = text[..start].ends_with(['/', '@'])
                || after == Some(':') && { text[end + 1..].starts_with(|c: char| c.is_ascii_digit()) };
            let whole = after.is_none_or(|c| !is_host_char(c));
            // Or nothing else stands there: it may as well be the name of something in a program.
            let alone = start == 0 && end == text.len() && text.matches('.').count() == 1;
            let shared = self.of.territory.shared_services.contains(&format!("{name}.{namespace}"))
                || (name, namespace) == ("kubernetes", "default");
            if shared {
                continue;
            }
            let in_url = text[..start].ends_with(',') && surroundings::in_url(&text[..start]);
            // A domain that anybody may have says nothing of a Service that is not in the input.
            let known = self.of.services.contains(&(name.to_owned(), namespace.to_owned()));
            let stands =
                (address || in_url || alone && !place.secret) && (known || !TOP_LEVEL.contains(&namespace));
            // A Service of the input, where it is not the name of a setting: it may be the name of something else, or a host.
            let next = text[end..].trim_start_matches(['"', '\'']).trim_start();
            let assigned = next.starts_with('=') || next.starts_with(':');
            let bare = known && !assigned && text[start..at].matches('.').count() == 0;
            if whole && !name.is_empty() && (stands || bare) {
                found.push(format!("{name}.{namespace}"));
            }
        }
        for name in found {
            let shown = name.rsplit('.').next().unwrap_or_default();
            let shown = if place.secret { format!("(…).{shown}") } else { name.clone() };
            self.note_as(place, "service", &name, &shown, "leftover");
        }
    }
}
