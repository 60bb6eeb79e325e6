//! Namespaces: the environment has one, and what names one of the input's follows.

use std::collections::BTreeSet;

use lathe_sdk::Object;

use crate::host;
use crate::spelling;

/// The namespaces and Services of the input, and the environment's one namespace.
pub(crate) struct Namespaces<'a> {
    sources: BTreeSet<&'a str>,
    services: BTreeSet<(&'a str, &'a str)>,
    /// Services of other namespaces that a review may use, by name and namespace.
    shared: BTreeSet<(&'a str, &'a str)>,
    pub(crate) target: &'a str,
}

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

/// Namespaces of every cluster, which are nobody's to move.
const SYSTEM: &[&str] = &["kube-system", "kube-public", "kube-node-lease"];

impl<'a> Namespaces<'a> {
    /// The namespaces and Services of the objects that stay. `shared` are Services that reviews use as production does.
    pub(crate) fn new(
        objects: impl Iterator<Item = &'a Object> + Clone,
        shared: &'a [String],
        target: &'a str,
    ) -> Self {
        let mut sources: BTreeSet<&str> = objects.clone().map(|object| object.namespace.as_str()).collect();
        sources.extend(objects.clone().filter(|o| o.is("", "Namespace")).map(|o| o.name.as_str()));
        sources.remove("");
        sources.retain(|name| !SYSTEM.contains(name));
        let services = objects.filter(|o| o.is("", "Service"));
        let services = services.map(|o| (o.name.as_str(), o.namespace.as_str())).collect();
        let shared = shared.iter().filter_map(|service| service.rsplit_once('.')).collect();
        Self { sources, services, shared, target }
    }

    /// Whether the namespace is one of every cluster's own.
    pub(crate) fn is_system(name: &str) -> bool {
        SYSTEM.contains(&name)
    }

    /// Whether the name is that of a namespace of the input.
    pub(crate) fn is_source(&self, name: &str) -> bool {
        self.sources.contains(name)
    }

    /// Whether the input has a Service of this name, in whatever namespace.
    pub(crate) fn has_service(&self, name: &str) -> bool {
        self.services.range((name, "")..).next().is_some_and(|(found, _)| *found == name)
    }

    /// The field's text, a namespace's name, followed.
    pub(crate) fn follow_name(&self, text: &str) -> Option<String> {
        (text != self.target && self.is_source(text)).then(|| self.target.to_owned())
    }

    /// A comma list of namespaces, followed.
    pub(crate) fn follow_list(&self, text: &str) -> Option<String> {
        let follow = |item: &str| match self.follow_name(item.trim()) {
            Some(target) => item.replacen(item.trim(), &target, 1),
            None => item.to_owned(),
        };
        let followed = text.split(',').map(follow).collect::<Vec<_>>().join(",");
        (followed != text).then_some(followed)
    }

    /// The name of a Service of this input in the environment's namespace: `name.ns.svc…`, or `name.ns` where that
    /// Service is in the input, or where it is an address by what stands around it: a controller may make the Service.
    pub(crate) fn service(&self, token: &str, before: &str, after: &str) -> Option<String> {
        let labels: Vec<&str> = token.split('.').collect();
        let port = matches!(after.as_bytes(), [b':', next, ..] if next.is_ascii_digit());
        let follows = || {
            // What is assigned to is a name in a program or a table.
            let next = after.trim_start_matches(['"', '\'']).trim_start();
            let assigned = next.starts_with('=') || next.starts_with(':') && !port;
            !assigned && !after.starts_with(|c: char| c.is_ascii_alphanumeric())
        };
        let in_url = || host::last_word(before).contains("://") && before.ends_with(',');
        let address = || (port || before.ends_with("//") || before.ends_with('@') || in_url()) && follows();
        // Elsewhere in a text it may be the name of something else: a queue, a table, a logger.
        let placed = || before.trim().is_empty() || address() || says_host(before);
        let known =
            |name: &str, namespace: &str| self.services.contains(&(name, namespace)) && follows() && placed();
        // A domain that anybody may have says nothing of a Service that is not in the input.
        let foreign = |namespace: &str| TOP_LEVEL.contains(&namespace);
        let at = match (service_label(&labels), labels.as_slice()) {
            (Some(svc), _) => svc - 1,
            (None, [name, namespace]) if known(name, namespace) || (address() && !foreign(namespace)) => 1,
            // `pod.service.namespace` is how a StatefulSet's pods are called.
            (None, [pod, name, namespace])
                if (known(name, namespace) && (address() || pod.ends_with(|c: char| c.is_ascii_digit())))
                    || (address() && !foreign(namespace)) =>
            {
                2
            }
            _ => return None,
        };
        let namespace = *labels.get(at)?;
        let name = at.checked_sub(1).and_then(|name| labels.get(name)).copied().unwrap_or_default();
        let shared =
            self.shared.contains(&(name, namespace)) || (name, namespace) == ("kubernetes", "default");
        if shared || !self.is_source(namespace) || namespace == self.target {
            return None;
        }
        // Behind another domain than the usual one it is a Service only if the input has it.
        let domain = service_label(&labels).map_or(&[][..], |svc| &labels[svc + 1..]);
        if !matches!(domain, [] | ["cluster", "local"]) && !self.services.contains(&(name, namespace)) {
            return None;
        }
        let mut labels = labels;
        labels[at] = self.target;
        Some(labels.join("."))
    }

    /// The text with the namespaces in it followed: of service accounts, of identities, and of what says that it is one.
    pub(crate) fn follow_text(&self, text: &str) -> Option<String> {
        let mut out = String::new();
        let mut copied = 0;
        for range in spelling::namespaces(text) {
            if let Some(target) = text.get(range.clone()).and_then(|name| self.follow_name(name)) {
                out.push_str(&text[copied..range.start]);
                out.push_str(&target);
                copied = range.end;
            }
        }
        if copied == 0 {
            return None;
        }
        out.push_str(&text[copied..]);
        Some(out)
    }

    /// `ns/name` and Traefik's `ns-name@kubernetescrd`, or several in a comma list, where a field may hold them.
    pub(crate) fn follow_qualified(&self, text: &str) -> Option<String> {
        let follow = |item: &str| match self.follow_one(item.trim()) {
            Some(followed) => item.replacen(item.trim(), &followed, 1),
            None => item.to_owned(),
        };
        let followed = text.split(',').map(follow).collect::<Vec<_>>().join(",");
        (followed != text).then_some(followed)
    }

    fn follow_one(&self, text: &str) -> Option<String> {
        let target = self.target;
        if let Some(named) = text.strip_suffix("@kubernetescrd") {
            if named.strip_prefix(target).is_some_and(|rest| rest.starts_with('-')) {
                return None;
            }
            // The longest name counts, where one namespace's begins with another's.
            let rest =
                self.sources.iter().rev().find_map(|name| named.strip_prefix(*name)?.strip_prefix('-'))?;
            return Some(format!("{target}-{rest}@kubernetescrd"));
        }
        let (namespace, name) = text.split_once('/')?;
        self.follow_name(namespace).map(|target| format!("{target}/{name}"))
    }
}

/// Whether the line up to here says that a host follows: `host: `, `proxy_pass `, `SERVER=`.
fn says_host(before: &str) -> bool {
    let line = host::last_line(before).to_ascii_lowercase();
    let words = [
        "host",
        "url",
        "uri",
        "addr",
        "server",
        "endpoint",
        "broker",
        "upstream",
        "proxy",
        "bootstrap",
        "peer",
        "node",
        "replica",
        "master",
        "primary",
        "sentinel",
        "cluster",
        "dns",
        "service",
        "seed",
        "connect",
    ];
    words.iter().any(|word| line.contains(word))
}

/// Where the label `svc` of a Service's DNS name stands: behind a namespace, at the end or before the cluster's domain.
/// The Service's own name may be a variable that is no label.
fn service_label(labels: &[&str]) -> Option<usize> {
    let at = labels.iter().rposition(|label| *label == "svc")?;
    let rest = &labels[at + 1..];
    (at >= 1 && (rest.is_empty() || rest.len() >= 2)).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, namespace: &str, name: &str) -> Object {
        Object {
            kind: kind.into(),
            api_version: "v1".into(),
            namespace: namespace.into(),
            name: name.into(),
            ..Object::default()
        }
    }

    #[test]
    fn what_names_a_namespace_follows() {
        let objects = [
            object("Service", "portal", "mongo"),
            object("Pod", "portal-db", "x"),
            object("Role", "kube-system", "x"),
            object("Pod", "default", "x"),
            object("Pod", "mail", "x"),
            object("Pod", "dev", "x"),
        ];
        let shared = ["smtp.mail".to_owned()];
        let namespaces = Namespaces::new(objects.iter(), &shared, "p-1");
        for (text, want) in [
            ("portal/cert", Some("p-1/cert")),
            ("portal-auth@kubernetescrd", Some("p-1-auth@kubernetescrd")),
            (
                "portal-a@kubernetescrd, portal-b@kubernetescrd",
                Some("p-1-a@kubernetescrd, p-1-b@kubernetescrd"),
            ),
            ("p-1-a@kubernetescrd,portal-b@kubernetescrd", Some("p-1-a@kubernetescrd,p-1-b@kubernetescrd")),
            ("portal-db-auth@kubernetescrd", Some("p-1-auth@kubernetescrd")),
            ("p-1-auth@kubernetescrd", None),
            ("other/cert", None),
        ] {
            assert_eq!(namespaces.follow_qualified(text).as_deref(), want, "{text}");
        }
        assert_eq!(namespaces.follow_list("a, portal,portal-db").as_deref(), Some("a, p-1,p-1"));
        for (before, token, after, want) in [
            ("", "mongo.portal", ":27017", Some("mongo.p-1")),
            ("", "mongo.portal", "", Some("mongo.p-1")),
            ("db:\n  host: ", "mongo.portal", "\n", Some("mongo.p-1")),
            ("upstream x { server ", "mongo.portal", "; }", Some("mongo.p-1")),
            ("queue: ", "mongo.portal", "\n", None),
            ("SELECT * FROM ", "mongo.portal", " WHERE x", None),
            ("", "_m._tcp.mongo.portal.svc.cluster.local", "", Some("_m._tcp.mongo.p-1.svc.cluster.local")),
            ("", "java.portal", "", None),
            ("", "mongo.portal", " = {a: 1};", None),
            ("{\"", "mongo.portal", "\": 1}", None),
            ("", "window.mongo.portal", ";", None),
            ("mongodb://m-0.x,", "m-1.mongo.portal", "/db", Some("m-1.mongo.p-1")),
            ("mongodb://m-0.x,", "m-1.rs.portal", "/db", Some("m-1.rs.p-1")),
            ("https://", "pkg.go.dev", "/x", None),
            ("bob@", "acme.dev", "", None),
            ("", "pg-rw.portal", ":5432", Some("pg-rw.p-1")),
            ("http://", "pg-rw.portal", "/x", Some("pg-rw.p-1")),
            ("u:p@", "rabbit.portal", "/v", Some("rabbit.p-1")),
            ("https://", "kubernetes.default.svc", "", None),
            ("", "kube-dns.kube-system.svc", "", None),
            ("", "smtp.mail.svc", ":25", None),
            ("", "other.mail.svc", ":25", Some("other.p-1.svc")),
            ("https://", "portal.svc.example.org", "", None),
            ("", "web.portal.svc.example.org", "", None),
            ("", "mongo.portal.svc.k8s.example.org", "", Some("mongo.p-1.svc.k8s.example.org")),
        ] {
            assert_eq!(namespaces.service(token, before, after).as_deref(), want, "{token}");
        }
        assert!(namespaces.has_service("mongo") && !namespaces.has_service("mong"));
        assert!(!namespaces.is_source("kube-system"));
    }
}
