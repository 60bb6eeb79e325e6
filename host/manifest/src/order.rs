//! The one order in which objects are written and handed to plugins, whatever order they came in.
//!
//! What others need comes first, in the spirit of Flux's and Helm's lists but by group *and* kind, so that a custom
//! resource that happens to be called `Service` is not taken for the core one.

use crate::identity::{Identity, IdentityConflict, place};
use crate::object::Object;

/// Group and kind, in the order in which they are applied; what is not listed comes before the last stage.
const FIRST: &[(&str, &str)] = &[
    ("", "Namespace"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("node.k8s.io", "RuntimeClass"),
    ("storage.k8s.io", "StorageClass"),
    ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
    ("networking.k8s.io", "IngressClass"),
    ("gateway.networking.k8s.io", "GatewayClass"),
    ("", "ResourceQuota"),
    ("", "LimitRange"),
    ("", "ServiceAccount"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
    ("networking.k8s.io", "NetworkPolicy"),
    ("", "Secret"),
    ("", "ConfigMap"),
    ("", "PersistentVolume"),
    ("", "PersistentVolumeClaim"),
    ("", "Service"),
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("batch", "Job"),
    ("batch", "CronJob"),
    ("policy", "PodDisruptionBudget"),
];

/// What takes effect on everything applied after it.
const LAST: &[(&str, &str)] = &[
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
    ("apiregistration.k8s.io", "APIService"),
];

/// The stage of an object by group and kind; lower comes first.
pub fn stage(group: &str, kind: &str) -> usize {
    let find = |list: &[(&str, &str)]| list.iter().position(|entry| *entry == (group, kind));
    match find(FIRST) {
        Some(at) => at,
        None => find(LAST).map_or(FIRST.len(), |at| FIRST.len() + 1 + at),
    }
}

/// Sorts by stage, then identity.
pub fn sort(objects: &mut [Object]) {
    objects.sort_by_cached_key(key);
}

/// What [`sort`] sorts by.
pub fn key(object: &Object) -> (usize, Identity) {
    let identity = Identity::of(object);
    (stage(&identity.group, &identity.kind), identity)
}

/// Sorts as [`sort`] does and collapses equal duplicates, telling each in `warnings`; gives back all pairs that differ.
pub fn unique(
    objects: Vec<Object>,
    warnings: &mut Vec<String>,
) -> Result<Vec<Object>, Vec<IdentityConflict>> {
    let mut keyed: Vec<_> = objects.into_iter().map(|object| (key(&object), object)).collect();
    // Stable: of two objects with one identity the one read first stays first.
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    let mut kept: Vec<((usize, Identity), Object)> = Vec::with_capacity(keyed.len());
    let mut conflicts = Vec::new();
    for (key, object) in keyed {
        match kept.last_mut() {
            Some((last, first)) if *last == key => {
                let identity = key.1;
                if first.value == object.value {
                    let (one, two) = (place(first.source.as_ref()), place(object.source.as_ref()));
                    warnings
                        .push(format!("{identity} stands there twice with equal content: {one} and {two}"));
                    // Which of the two was read first must not show.
                    if let (Some(kept), Some(other)) = (&mut first.source, object.source)
                        && other.template < kept.template
                    {
                        kept.template = other.template;
                    }
                } else {
                    let (first, second) = (first.source.clone(), object.source);
                    conflicts.push(IdentityConflict { identity, first, second });
                }
            }
            _ => kept.push((key, object)),
        }
    }
    if conflicts.is_empty() {
        Ok(kept.into_iter().map(|(_, object)| object).collect())
    } else {
        Err(conflicts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_tell_kinds_of_one_name_apart() {
        assert!(stage("", "Service") < stage("serving.knative.dev", "Service"));
        assert!(stage("", "Namespace") < stage("", "Secret"));
        assert!(
            stage("example.org", "Anything")
                < stage("admissionregistration.k8s.io", "MutatingWebhookConfiguration")
        );
    }
}
