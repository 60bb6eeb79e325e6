//! The steps in which an environment goes.

use lathe_manifest::order;

use crate::member::Member;

/// In which order members go; the lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Routes, custom resources, webhooks: what others act upon, while who acts is still there.
    Routes,
    Workloads,
    /// Config, services, accounts, and then volumes.
    Config,
    Volumes,
    Rights,
    Shared,
    Namespaces,
    Definitions,
}

impl Step {
    pub(super) fn of(member: &Member) -> Self {
        let (group, kind) = (member.group.as_str(), member.kind.as_str());
        let at = order::stage(group, kind);
        match (group, kind) {
            ("", "Namespace") => Self::Namespaces,
            ("apiextensions.k8s.io", "CustomResourceDefinition") => Self::Definitions,
            ("", "PersistentVolumeClaim") => Self::Volumes,
            ("admissionregistration.k8s.io", _) => Self::Routes,
            // Custom resources, wherever they are.
            _ if group.contains('.') && !group.ends_with(".k8s.io") => Self::Routes,
            _ if !member.resource.namespaced => Self::Shared,
            ("rbac.authorization.k8s.io", _) => Self::Rights,
            ("apps" | "batch", _) | ("", "Pod" | "ReplicationController") => Self::Workloads,
            _ if at < order::stage("apps", "Deployment") => Self::Config,
            _ => Self::Routes,
        }
    }
}
