//! The stages of an apply: what others need goes first, and each stage ends before the next begins.

use lathe_manifest::{Object, order};

/// A stage; the lowest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Namespaces and definitions of kinds, without which others cannot even be tried.
    Foundation,
    /// Classes, quotas, accounts, roles, policies.
    Rules,
    /// Bindings of roles, which the server takes only where the roles are there.
    Bindings,
    /// Secrets, config, volumes.
    Config,
    /// Everything else.
    Workload,
    /// Webhooks and aggregated APIs, which take effect on all that comes after them.
    Interception,
}

impl Stage {
    /// The stage by group and kind, in the one order in which objects are written too.
    pub(crate) fn of(object: &Object) -> Self {
        let at = order::stage(object.group(), object.kind());
        let upto = |group: &str, kind: &str| at <= order::stage(group, kind);
        if upto("apiextensions.k8s.io", "CustomResourceDefinition") {
            Self::Foundation
        } else if object.group() == "rbac.authorization.k8s.io" && object.kind().ends_with("Binding") {
            Self::Bindings
        } else if upto("networking.k8s.io", "NetworkPolicy") {
            Self::Rules
        } else if upto("", "PersistentVolumeClaim") {
            Self::Config
        } else if at >= order::stage("admissionregistration.k8s.io", "MutatingWebhookConfiguration") {
            Self::Interception
        } else {
            Self::Workload
        }
    }
}

#[cfg(test)]
mod tests {
    use lathe_manifest::json;

    use super::*;

    #[test]
    fn what_others_need_goes_first() {
        for (version, kind, want) in [
            ("v1", "Namespace", Stage::Foundation),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition", Stage::Foundation),
            ("v1", "ServiceAccount", Stage::Rules),
            ("rbac.authorization.k8s.io/v1", "Role", Stage::Rules),
            ("rbac.authorization.k8s.io/v1", "RoleBinding", Stage::Bindings),
            ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", Stage::Bindings),
            ("v1", "Secret", Stage::Config),
            ("v1", "Service", Stage::Workload),
            ("serving.knative.dev/v1", "Service", Stage::Workload),
            ("example.org/v1", "Namespace", Stage::Workload),
            ("apps/v1", "Deployment", Stage::Workload),
            ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", Stage::Interception),
            ("apiregistration.k8s.io/v1", "APIService", Stage::Interception),
        ] {
            let value = json::parse(&format!(r#"{{"apiVersion":"{version}","kind":"{kind}"}}"#)).unwrap();
            assert_eq!(Stage::of(&Object::added(value).unwrap()), want, "{version} {kind}");
        }
    }
}
