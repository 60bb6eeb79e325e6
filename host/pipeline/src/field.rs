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
            | ("fleet.cattle.io", "Bundle" | "GitRepo")
            | ("kubernetes.crossplane.io" | "kubernetes.m.crossplane.io", "Object")
    )
}

/// Objects by which a controller acts on something outside of the cluster, or on a broker or database that others share: a namespace of
/// its own keeps nothing apart there.
pub(crate) fn acts_outside(object: &Object) -> bool {
    let spec = object.value.get("spec");
    let has = |path: &[&str]| path.iter().try_fold(spec, |at, key| Some(at?.get(key))).flatten().is_some();
    match (object.group(), object.kind()) {
        ("external-secrets.io", "PushSecret" | "ClusterPushSecret")
        | ("image.toolkit.fluxcd.io", "ImageUpdateAutomation")
        | ("infra.contrib.fluxcd.io", "Terraform")
        | ("db.movetokube.com", "Postgres" | "PostgresUser") => true,
        ("postgresql.cnpg.io", "Cluster") => {
            has(&["backup", "barmanObjectStore"])
                || has(&["bootstrap", "recovery"])
                || has(&["externalClusters"])
        }
        (group, _) => [".cnrm.cloud.google.com", ".services.k8s.aws", ".upbound.io", ".azure.com"]
            .iter()
            .any(|end| group.ends_with(end)),
    }
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

/// Fields that name a namespace by their own name, several in a list, or select namespaces by labels.
pub(crate) fn names_a_namespace(object: &Object, at: &str) -> bool {
    let data = object.group().is_empty() && matches!(object.kind(), "ConfigMap" | "Secret");
    if data && !at.starts_with("/metadata/") || at == "/metadata/namespace" {
        return false;
    }
    let mut segments = at.rsplit('/').filter(|segment| !segment.bytes().all(|b| b.is_ascii_digit()));
    let last = segments.next().unwrap_or_default();
    let named = matches!(last, "namespace" | "namespaces" | "exportTo" | "notNamespaces" | "namespaceNames");
    let label = last == "kubernetes.io~1metadata.name" || last.ends_with("io.kubernetes.pod.namespace");
    let selects = at.contains("/namespaceSelector/") || at.contains("/namespaces/selector/");
    named || label || selects || last.ends_with("Namespace") || last.ends_with("Namespaces")
}

/// Annotations whose text may name an object by `namespace/name`.
fn is_reference(at: &str) -> bool {
    let name = at.rsplit("~1").next().unwrap_or(at);
    let parts = ["secret", "middleware", "inject-ca-from", "certificate", "configmap", "config-map"];
    let whole =
        ["replicate-from", "reflects", "networks", "auth-proxy-set-headers", "custom-headers", "policies"];
    parts.iter().any(|part| name.contains(part)) || whole.contains(&name)
}

/// The namespaces that the text names in a spelling of its field: `ns/name` and `ns-name@kubernetescrd` in annotations, `ns/gateway`
/// and `ns/account` in lists, `…/ns/NAMESPACE/…` in identities, and lists of them. In a comma list each item counts.
pub(crate) fn spelled_namespaces<'t>(
    object: &Object,
    at: &str,
    text: &'t str,
    namespaces: &BTreeSet<String>,
    target: &str,
) -> Vec<&'t str> {
    let data = object.group().is_empty() && matches!(object.kind(), "ConfigMap" | "Secret");
    if data && !at.starts_with("/metadata/") {
        return Vec::new();
    }
    let annotation = at.contains("/annotations/");
    let listed = ["/gateways/", "/serviceAccounts/", "/hosts/"].iter().any(|list| at.contains(list));
    let names = annotation
        && (at.ends_with("namespace") || at.ends_with("namespaces") || at.ends_with("~1replicate-to"));
    let mut found = Vec::new();
    for item in text.split(',').map(str::trim) {
        if listed || annotation && is_reference(at) {
            found.extend(item.split_once('/').map(|(name, _)| name));
        }
        if names {
            found.push(item);
        }
        if annotation && let Some(named) = item.strip_suffix("@kubernetescrd") {
            let within = |name: &str| named.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
            // The review's own namespace may begin with the name of the one it was made from.
            let known = namespaces.iter().find(|name| within(name) && !within(target));
            found.extend(known.and_then(|known| item.get(..known.len())));
        }
        found.extend(item.split_once("/ns/").and_then(|(_, rest)| rest.split('/').next()));
    }
    found.retain(|name| namespaces.contains(*name));
    found
}

/// Members whose `name` is that of another object.
const HOLDERS: &[&str] =
    &["imagePullSecrets", "configMap", "secret", "middlewares", "service", "services", "serviceAccount"];

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
    let holder = segments.next().unwrap_or_default();
    match last {
        "secretName" | "credentialName" => true,
        "claimName" | "configMapName" | "serviceAccountName" => there(text),
        "name" => {
            (holder.ends_with("Ref") || holder.ends_with("Refs") || HOLDERS.contains(&holder)) && there(text)
        }
        _ if holder == "resourceNames" || last == "resourceNames" => there(text),
        _ => false,
    }
}

/// Fields that hold a qualified name, as labels have: a prefix that claims no host, a slash, a name.
pub(crate) fn qualified_name<'a>(object: &Object, at: &str, text: &'a str) -> &'a str {
    let key = at.ends_with("/key") && (at.contains("/tolerations/") || at.contains("/matchExpressions/"));
    let qualified = (key || at.ends_with("/topologyKey")) && !matches!(object.kind(), "ConfigMap" | "Secret");
    if qualified { text.rsplit_once('/').map_or(text, |(_, name)| name) } else { text }
}
