//! Namespaces: the environment has one, and what names one of the input's follows.

use std::collections::BTreeSet;

use lathe_sdk::Object;

/// The namespaces and Services of the input, and the environment's one namespace.
pub(crate) struct Namespaces<'a> {
    sources: BTreeSet<&'a str>,
    services: BTreeSet<(&'a str, &'a str)>,
    pub(crate) target: &'a str,
}

impl<'a> Namespaces<'a> {
    pub(crate) fn new(objects: &'a [Object], target: &'a str) -> Self {
        let mut sources: BTreeSet<&str> = objects.iter().map(|object| object.namespace.as_str()).collect();
        sources.extend(objects.iter().filter(|o| o.is("", "Namespace")).map(|o| o.name.as_str()));
        sources.remove("");
        let services = objects.iter().filter(|o| o.is("", "Service"));
        let services = services.map(|o| (o.name.as_str(), o.namespace.as_str())).collect();
        Self { sources, services, target }
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
    /// Service is in the input and what follows fits an address.
    pub(crate) fn service(&self, token: &str, after: &str) -> Option<String> {
        let labels: Vec<&str> = token.split('.').collect();
        let address = || match after.as_bytes() {
            [b':', next, ..] => next.is_ascii_digit(),
            [next, ..] => !next.is_ascii_alphanumeric() && !b"=:".contains(next),
            [] => true,
        };
        let at = match (service_label(&labels), labels.as_slice()) {
            (Some(svc), _) => svc - 1,
            // `pod.service.namespace` is how a StatefulSet's pods are called.
            (None, [name, namespace] | [_, name, namespace])
                if self.services.contains(&(*name, *namespace)) && address() =>
            {
                labels.len() - 1
            }
            _ => return None,
        };
        let namespace = *labels.get(at)?;
        if !self.is_source(namespace) || namespace == self.target {
            return None;
        }
        let mut labels = labels;
        labels[at] = self.target;
        Some(labels.join("."))
    }

    /// `system:serviceaccount:NS:NAME`, `system:serviceaccounts:NS`, `…/ns/NS/…` of identities and, behind a flag, `NS` alone.
    /// In `data` of which nobody knows what it is, `/ns/` alone says little.
    pub(crate) fn follow_text(&self, text: &str, data: bool) -> Option<String> {
        let all = "system:serviceaccounts:";
        if let Some(namespace) = text.strip_prefix(all) {
            return self.follow_name(namespace).map(|target| format!("{all}{target}"));
        }
        let mut out: Option<String> = None;
        let mut follow = |marker: &str, fits: &dyn Fn(&str, &str) -> bool| {
            let now = out.as_deref().unwrap_or(text);
            if now.contains(marker)
                && let Some(followed) = self.follow_behind(now, marker, fits)
            {
                out = Some(followed);
            }
        };
        follow("system:serviceaccount:", &|_, after| after.starts_with(':'));
        follow("/ns/", &|_, after| if data { after.starts_with("/sa/") } else { after.starts_with('/') });
        let ends = |after: &str| {
            after.is_empty() || after.starts_with(|c: char| c.is_whitespace() || "\"',;)".contains(c))
        };
        for marker in ["namespace=", "namespace "] {
            // A word that ends in `namespace` is a flag where two dashes begin it.
            let flag = |before: &str| {
                let word = before.rsplit(|c: char| c.is_whitespace() || "\"'[,".contains(c)).next();
                word.is_some_and(|word| word.starts_with("--"))
            };
            follow(marker, &|before, after| flag(before) && ends(after));
        }
        // Other programs know another `-n`.
        let command = |before: &str| {
            let line = before.rsplit(['\n', ';', '|', '&', '(']).next().unwrap_or(before);
            line.split_whitespace().any(|word| matches!(word, "kubectl" | "helm" | "flux" | "oc"))
        };
        follow(" -n ", &|before, after| command(before) && ends(after));
        out
    }

    /// The text with each namespace followed that stands behind the marker, where what is before and after it fits.
    fn follow_behind(&self, text: &str, marker: &str, fits: &dyn Fn(&str, &str) -> bool) -> Option<String> {
        let mut out = String::new();
        let mut copied = 0;
        for (at, _) in text.match_indices(marker) {
            let start = at + marker.len();
            let label = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
            let end = text[start..].find(label).map_or(text.len(), |length| start + length);
            if let Some(target) =
                self.follow_name(&text[start..end]).filter(|_| fits(&text[..at], &text[end..]))
            {
                out.push_str(&text[copied..start]);
                out.push_str(&target);
                copied = end;
            }
        }
        if copied == 0 {
            return None;
        }
        out.push_str(&text[copied..]);
        Some(out)
    }

    /// `ns/name` and Traefik's `ns-name@kubernetescrd`, where a field may hold them.
    pub(crate) fn follow_qualified(&self, text: &str) -> Option<String> {
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
        let objects = [object("Service", "portal", "mongo"), object("Pod", "portal-db", "x")];
        let namespaces = Namespaces::new(&objects, "p-1");
        for (text, want) in [
            ("system:serviceaccount:portal:a", "system:serviceaccount:p-1:a"),
            (
                "a system:serviceaccount:portal:a,system:serviceaccount:other:b",
                "a system:serviceaccount:p-1:a,system:serviceaccount:other:b",
            ),
            ("system:serviceaccounts:portal", "system:serviceaccounts:p-1"),
            ("spiffe://cluster.local/ns/portal/sa/x", "spiffe://cluster.local/ns/p-1/sa/x"),
            ("--namespace=portal", "--namespace=p-1"),
            ("--watch-namespace=portal-db", "--watch-namespace=p-1"),
            ("kubectl -n portal get pods --namespace portal", "kubectl -n p-1 get pods --namespace p-1"),
            ("helm list -n portal", "helm list -n p-1"),
        ] {
            assert_eq!(namespaces.follow_text(text, false).as_deref(), Some(want));
        }
        for text in [
            "--namespace=portals",
            "the namespace portal",
            "kubectl -n x",
            "echo -n portal",
            "kubectl get pods; echo -n portal",
            "/ns/other/",
            "https://x/ns/portal/y",
        ] {
            assert_eq!(namespaces.follow_text(text, true), None, "{text}");
        }
        for (text, want) in [
            ("portal/cert", Some("p-1/cert")),
            ("portal-auth@kubernetescrd", Some("p-1-auth@kubernetescrd")),
            ("portal-db-auth@kubernetescrd", Some("p-1-auth@kubernetescrd")),
            ("p-1-auth@kubernetescrd", None),
            ("other/cert", None),
        ] {
            assert_eq!(namespaces.follow_qualified(text).as_deref(), want, "{text}");
        }
        assert_eq!(namespaces.follow_list("a, portal,portal-db").as_deref(), Some("a, p-1,p-1"));
        assert_eq!(namespaces.service("mongo.portal", ":27017").as_deref(), Some("mongo.p-1"));
        assert_eq!(
            namespaces.service("_m._tcp.mongo.portal.svc.cluster.local", "").as_deref(),
            Some("_m._tcp.mongo.p-1.svc.cluster.local")
        );
        assert_eq!(namespaces.service("java.portal", ""), None);
        assert!(namespaces.has_service("mongo") && !namespaces.has_service("mong"));
    }
}
