//! What fields are for, as far as the closure has to know: types, names and namespaces are no hosts.

use std::collections::BTreeSet;

use lathe_manifest::Object;

/// Objects from which a controller makes others on the cluster, where nobody looks at hosts any more.
pub(crate) fn renders_later(object: &Object) -> bool {
    matches!(
        (object.group(), object.kind()),
        ("helm.toolkit.fluxcd.io", "HelmRelease")
            | ("kustomize.toolkit.fluxcd.io", "Kustomization")
            | ("helm.cattle.io", "HelmChart")
            | ("argoproj.io", "Application" | "ApplicationSet")
    )
}

/// Fields that name an API group, which may lie in an owned zone and is no host.
pub(crate) fn names_a_type(object: &Object, at: &str) -> bool {
    if matches!(object.kind(), "ConfigMap" | "Secret") {
        return at == "/apiVersion" || at == "/kind";
    }
    at.ends_with("/apiVersion")
        || at.ends_with("/apiGroup")
        || at.contains("/apiGroups/")
        || at == "/kind"
        || (at == "/spec/group" && object.kind() == "CustomResourceDefinition")
        || at.starts_with("/metadata/finalizers/")
}

/// Fields that name a namespace by their own name, or several in a list.
pub(crate) fn names_a_namespace(object: &Object, at: &str) -> bool {
    if matches!(object.kind(), "ConfigMap" | "Secret") || at == "/metadata/namespace" {
        return false;
    }
    let mut segments = at.rsplit('/');
    let last = segments.next().unwrap_or_default();
    let list =
        last.bytes().all(|b| b.is_ascii_digit()).then(|| segments.next()).flatten().unwrap_or_default();
    matches!(last, "namespace" | "targetNamespace")
        || matches!(list, "namespaces" | "exportTo")
        || at.contains("/namespaceSelector/")
}

/// A namespace of the input that the text names in a spelling of its field: `ns/name` and `ns-name@kubernetescrd` in
/// annotations, `ns/gateway`, `…/ns/NAMESPACE/…` in identities, `--namespace=NAMESPACE` in arguments.
pub(crate) fn spelled_namespace<'t>(
    object: &Object,
    at: &str,
    text: &'t str,
    namespaces: &BTreeSet<String>,
    target: &str,
) -> Option<&'t str> {
    if matches!(object.kind(), "ConfigMap" | "Secret") && !at.starts_with("/metadata/") {
        return None;
    }
    let annotation = at.contains("/annotations/");
    let qualified =
        || text.split_once('/').filter(|_| annotation || at.contains("/gateways/")).map(|(name, _)| name);
    let middleware = || {
        let named = text.strip_suffix("@kubernetescrd").filter(|_| annotation)?;
        let within = |name: &str| named.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
        // The review's own namespace may begin with the name of the one it was made from.
        let known = namespaces.iter().find(|name| within(name) && !within(target))?;
        text.get(..known.len())
    };
    let release = || Some(text).filter(|_| annotation && at.ends_with("namespace"));
    let identity = || text.split_once("/ns/").and_then(|(_, rest)| rest.split('/').next());
    let argument = || {
        let (name, value) = text.strip_prefix("--")?.split_once('=')?;
        name.ends_with("namespace").then_some(value)
    };
    [qualified(), middleware(), release(), identity(), argument()]
        .into_iter()
        .flatten()
        .find(|name| namespaces.contains(*name))
}

/// Names of objects, which claim no host though they may look like one: an object's own, that of a Secret with a certificate,
/// and in a reference that of an object that is `there`.
pub(crate) fn names_an_object(object: &Object, at: &str, there: impl Fn(&str) -> bool, text: &str) -> bool {
    if at == "/metadata/name" {
        // This one's name is the host that it claims.
        return (object.group(), object.kind()) != ("serving.knative.dev", "DomainMapping");
    }
    if object.group().is_empty() && matches!(object.kind(), "ConfigMap" | "Secret") {
        return false;
    }
    let mut segments = at.rsplit('/');
    let last = segments.next().unwrap_or_default();
    let holder = segments.find(|segment| !segment.bytes().all(|b| b.is_ascii_digit())).unwrap_or_default();
    match last {
        "secretName" | "credentialName" => true,
        "claimName" | "configMapName" | "serviceAccountName" => there(text),
        "name" => (holder.ends_with("Ref") || holder.ends_with("Refs")) && there(text),
        _ => false,
    }
}

/// Fields that hold a qualified name, as labels have: a prefix that claims no host, a slash, a name.
pub(crate) fn qualified_name<'a>(object: &Object, at: &str, text: &'a str) -> &'a str {
    let key = at.ends_with("/key") && (at.contains("/tolerations/") || at.contains("/matchExpressions/"));
    let qualified = (key || at.ends_with("/topologyKey")) && !matches!(object.kind(), "ConfigMap" | "Secret");
    if qualified { text.rsplit_once('/').map_or(text, |(_, name)| name) } else { text }
}
