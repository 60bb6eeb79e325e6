//! Which objects stand outside any namespace.

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
    ("policy", "PodSecurityPolicy"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("resource.k8s.io", "DeviceClass"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
    ("snapshot.storage.k8s.io", "VolumeSnapshotContent"),
    ("storage.k8s.io", "CSIDriver"),
    ("storage.k8s.io", "CSINode"),
    ("storage.k8s.io", "StorageClass"),
    ("storage.k8s.io", "VolumeAttachment"),
];

/// Whether the object stands outside any namespace: by its type, by its `CustomResourceDefinition` in the same input, or,
/// for a custom type that names no namespace, by the word `Cluster` in its kind.
pub(crate) fn is_cluster_scoped(object: &Object, objects: &[Object]) -> bool {
    if CLUSTER_SCOPED.contains(&(object.group(), object.kind.as_str())) {
        return true;
    }
    if object.group().contains('.') && object.namespace.is_empty() && object.kind.contains("Cluster") {
        return true;
    }
    objects.iter().filter(|o| o.is("apiextensions.k8s.io", "CustomResourceDefinition")).any(|definition| {
        let spec = &definition.value["spec"];
        spec["group"] == object.group()
            && spec["names"]["kind"] == object.kind.as_str()
            && spec["scope"] == "Cluster"
    })
}
