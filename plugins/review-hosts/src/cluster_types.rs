//! Which objects stand outside any namespace.

use std::collections::BTreeSet;

use lathe_sdk::Object;

/// Group and kind of Kubernetes' own cluster-scoped types and of the field's common ones.
const CLUSTER_SCOPED: &[(&str, &str)] = &[
    ("", "Namespace"),
    ("", "Node"),
    ("", "PersistentVolume"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apiregistration.k8s.io", "APIService"),
    ("cert-manager.io", "ClusterIssuer"),
    ("certificates.k8s.io", "CertificateSigningRequest"),
    ("external-secrets.io", "ClusterExternalSecret"),
    ("external-secrets.io", "ClusterSecretStore"),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
    ("gateway.networking.k8s.io", "GatewayClass"),
    ("kyverno.io", "ClusterPolicy"),
    ("networking.k8s.io", "IngressClass"),
    ("node.k8s.io", "RuntimeClass"),
    ("networking.k8s.io", "IPAddress"),
    ("networking.k8s.io", "ServiceCIDR"),
    ("policy", "PodSecurityPolicy"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("resource.k8s.io", "DeviceClass"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("security.openshift.io", "SecurityContextConstraints"),
    ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
    ("snapshot.storage.k8s.io", "VolumeSnapshotContent"),
    ("storage.k8s.io", "CSIDriver"),
    ("storage.k8s.io", "CSINode"),
    ("storage.k8s.io", "StorageClass"),
    ("storage.k8s.io", "VolumeAttachment"),
];

/// The types of an input that stand outside any namespace.
pub(crate) struct ClusterTypes<'a> {
    /// Group and kind of the cluster-scoped types that the input defines.
    custom: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> ClusterTypes<'a> {
    pub(crate) fn new(objects: &'a [Object]) -> Self {
        let definitions = objects.iter().filter(|o| o.is("apiextensions.k8s.io", "CustomResourceDefinition"));
        let custom = definitions.filter_map(|definition| {
            let spec = &definition.value["spec"];
            (spec["scope"] == "Cluster").then_some(())?;
            Some((spec["group"].as_str()?, spec["names"]["kind"].as_str()?))
        });
        Self { custom: custom.collect() }
    }

    /// Whether the object stands outside any namespace: by its type, by its custom definition in the same input,
    /// or, for a custom type that names no namespace, by a kind that starts with `Cluster`.
    pub(crate) fn include(&self, object: &Object) -> bool {
        let kind = (object.group(), object.kind.as_str());
        let prefixed = kind
            .1
            .strip_prefix("Cluster")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()));
        let named = kind.0.contains('.') && object.namespace.is_empty() && prefixed;
        named || CLUSTER_SCOPED.contains(&kind) || self.custom.contains(&kind)
    }
}
