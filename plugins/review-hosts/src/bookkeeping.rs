//! What controllers and servers note on production's object, of which nothing follows for another one.

use lathe_sdk::{Object, Outcome};

/// Members of `metadata` that hold for one object on one cluster.
const METADATA: &[&str] =
    &["uid", "resourceVersion", "ownerReferences", "selfLink", "creationTimestamp", "managedFields"];

/// Annotations and labels by which a controller knows its own.
const ANNOTATIONS: &[&str] = &[
    "argocd.argoproj.io/tracking-id",
    "deployment.kubernetes.io/revision",
    "kubectl.kubernetes.io/last-applied-configuration",
    "kubernetes.io/ingress.global-static-ip-name",
    "networking.gke.io/static-ip",
    "pv.kubernetes.io/bind-completed",
    "pv.kubernetes.io/bound-by-controller",
    "volume.kubernetes.io/selected-node",
];
const LABELS: &[&str] = &[
    "argocd.argoproj.io/instance",
    "kustomize.toolkit.fluxcd.io/name",
    "kustomize.toolkit.fluxcd.io/namespace",
];

/// Whether the field at the pointer is one of these.
pub(crate) fn is_of(pointer: &str) -> bool {
    let Some(rest) = pointer.strip_prefix("/metadata/") else { return false };
    let (member, name) = rest.split_once('/').unwrap_or((rest, ""));
    let name = name.replace("~1", "/");
    METADATA.contains(&member)
        || member == "annotations" && ANNOTATIONS.contains(&name.as_str())
        || member == "labels" && LABELS.contains(&name.as_str())
}

/// Takes it away.
pub(crate) fn remove(object: &Object, outcome: &mut Outcome) {
    let metadata = &object.value["metadata"];
    for member in METADATA.iter().filter(|member| !metadata[**member].is_null()) {
        outcome.remove(object.key, format!("/metadata/{member}"));
    }
    for (map, names) in [("annotations", ANNOTATIONS), ("labels", LABELS)] {
        for name in names.iter().filter(|name| !metadata[map][**name].is_null()) {
            outcome.remove(object.key, format!("/metadata/{map}/{}", lathe_sdk::escape(name)));
        }
    }
}
