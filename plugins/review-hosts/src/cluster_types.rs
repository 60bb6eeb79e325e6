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
    ("capsule.clastix.io", "Tenant"),
    ("cert-manager.io", "ClusterIssuer"),
    ("cilium.io", "CiliumBGPClusterConfig"),
    ("cilium.io", "CiliumClusterwideNetworkPolicy"),
    ("cilium.io", "CiliumLoadBalancerIPPool"),
    ("config.openshift.io", "OAuth"),
    ("crd.projectcalico.org", "IPPool"),
    ("certificates.k8s.io", "CertificateSigningRequest"),
    ("external-secrets.io", "ClusterExternalSecret"),
    ("external-secrets.io", "ClusterSecretStore"),
    ("constraints.gatekeeper.sh", "*"),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
    ("gateway.networking.k8s.io", "GatewayClass"),
    ("groupsnapshot.storage.k8s.io", "VolumeGroupSnapshotClass"),
    ("karpenter.sh", "NodeClaim"),
    ("karpenter.sh", "NodePool"),
    ("kyverno.io", "ClusterPolicy"),
    ("longhorn.io", "Volume"),
    ("networking.k8s.io", "IngressClass"),
    ("node.k8s.io", "RuntimeClass"),
    ("networking.k8s.io", "IPAddress"),
    ("networking.k8s.io", "ServiceCIDR"),
    ("oauth.openshift.io", "OAuthClient"),
    ("pkg.crossplane.io", "*"),
    ("policy", "PodSecurityPolicy"),
    ("policy.networking.k8s.io", "AdminNetworkPolicy"),
    ("policy.networking.k8s.io", "BaselineAdminNetworkPolicy"),
    ("project.openshift.io", "Project"),
    ("projectcalico.org", "IPPool"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("resource.k8s.io", "DeviceClass"),
    ("resource.k8s.io", "ResourceSlice"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("security.openshift.io", "SecurityContextConstraints"),
    ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
    ("snapshot.storage.k8s.io", "VolumeSnapshotContent"),
    ("storage.k8s.io", "CSIDriver"),
    ("storage.k8s.io", "CSINode"),
    ("storage.k8s.io", "StorageClass"),
    ("storage.k8s.io", "VolumeAttachment"),
    ("storage.k8s.io", "VolumeAttributesClass"),
    ("templates.gatekeeper.sh", "ConstraintTemplate"),
    ("trust.cert-manager.io", "Bundle"),
];

/// The types of an input that stand outside any namespace.
pub(crate) struct ClusterTypes<'a> {
    /// Group and kind of the cluster-scoped types that the input defines.
    custom: BTreeSet<(&'a str, &'a str)>,
    /// The same of the namespaced ones.
    namespaced: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> ClusterTypes<'a> {
    pub(crate) fn new(objects: &'a [Object]) -> Self {
        let definitions =
            || objects.iter().filter(|o| o.is("apiextensions.k8s.io", "CustomResourceDefinition"));
        let of = |scope: &'static str| {
            definitions().filter_map(move |definition| {
                let spec = &definition.value["spec"];
                (spec["scope"] == scope).then_some(())?;
                Some((spec["group"].as_str()?, spec["names"]["kind"].as_str()?))
            })
        };
        Self { custom: of("Cluster").collect(), namespaced: of("Namespaced").collect() }
    }

    /// Whether the object stands outside any namespace: by its type, by its custom definition in the same input, or, for a custom
    /// type, by a kind that starts with `Cluster` or `Global`.
    pub(crate) fn include(&self, object: &Object) -> bool {
        let (group, kind) = (object.group(), object.kind.as_str());
        let prefixed = ["Cluster", "Global"].iter().any(|prefix| {
            kind.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
        });
        let listed = CLUSTER_SCOPED.iter().any(|(of, name)| *of == group && (*name == kind || *name == "*"));
        let namespaced = self.namespaced.contains(&(group, kind));
        (group.contains('.') && prefixed && !namespaced) || listed || self.custom.contains(&(group, kind))
    }
}
