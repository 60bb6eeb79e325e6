//! The plugin's config.

use std::collections::BTreeMap;

use lathe_sdk::{Object, Value, json};
use serde::Deserialize;

/// What the pipeline entry says. `reviewDomain`, `hosts`, `zones` and `url` are the host's to use: it makes the environment's
/// host map and the closure from them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(rename = "reviewDomain")]
    _review_domain: String,
    #[serde(rename = "hosts")]
    _hosts: BTreeMap<String, String>,
    #[serde(rename = "zones", default)]
    _zones: Vec<String>,
    #[serde(rename = "url", default)]
    _url: Option<String>,
    /// Hosts that stay as they are.
    #[serde(default)]
    pub(crate) keep: Vec<String>,
    /// Services of other namespaces that a review may use, as `name.namespace`.
    #[serde(default)]
    pub(crate) shared_services: Vec<String>,
    /// Objects to leave out, as `Kind/name`.
    #[serde(default)]
    pub(crate) drop: Vec<String>,
    /// Places to leave as they are, as `Kind/name /pointer`.
    #[serde(default)]
    pub(crate) leave: Vec<String>,
    /// `ClusterRole` objects that the cluster has already.
    #[serde(default)]
    pub(crate) shared_cluster_roles: Vec<String>,
    /// `ClusterRoleBinding` objects that a review may have, under a name of its own.
    #[serde(default)]
    pub(crate) cluster_role_bindings: Vec<String>,
    #[serde(default)]
    pub(crate) shrink: Option<Shrink>,
    /// `spec.hard` of a `ResourceQuota`.
    #[serde(default)]
    pub(crate) quota: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) limit_range: Option<Limits>,
    #[serde(default)]
    pub(crate) network_policy: Option<Network>,
    /// The `ClusterIssuer` of reviews.
    #[serde(default)]
    pub(crate) cluster_issuer: Option<String>,
    /// The Secret with the reviews' wildcard certificate.
    #[serde(default)]
    pub(crate) tls_secret: Option<String>,
    /// Secrets with the reviews' credentials for images.
    #[serde(default)]
    pub(crate) image_pull_secrets: Option<Vec<String>>,
    /// Names of Jobs that run once per environment.
    #[serde(default)]
    pub(crate) seed: Vec<String>,
}

impl Config {
    /// Whether the object is left out.
    pub(crate) fn drops(&self, object: &Object) -> bool {
        self.drop.iter().any(|entry| names(entry, object))
    }

    pub(crate) fn shares_role(&self, name: &str) -> bool {
        self.shared_cluster_roles.iter().any(|shared| shared == name)
    }
}

/// Whether `Kind/name`, or `Kind/namespace/name`, is the object.
pub(crate) fn names(entry: &str, object: &Object) -> bool {
    let Some((kind, rest)) = entry.split_once('/') else { return false };
    let name = rest.split_once('/').map_or(rest == object.name, |(namespace, name)| {
        namespace == object.namespace && name == object.name
    });
    kind == object.kind && name
}

/// How much smaller than production a review is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Shrink {
    /// The most replicas; autoscalers and disruption budgets are left out.
    #[serde(default)]
    pub(crate) replicas: Option<u64>,
    #[serde(default)]
    pub(crate) suspend_cron_jobs: bool,
    /// The most storage that a claim asks for.
    #[serde(default)]
    pub(crate) storage: Option<String>,
}

/// The item of a `LimitRange` for containers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Limits {
    #[serde(default)]
    pub(crate) default: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) default_request: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) max: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) min: BTreeMap<String, Value>,
}

/// Whom a review may talk to beside itself and the cluster's DNS.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Network {
    /// Namespaces that may reach the review, such as the ingress controller's.
    #[serde(default)]
    pub(crate) from_namespaces: Vec<String>,
    /// Namespaces that the review may reach; those of `sharedServices` are among them.
    #[serde(default)]
    pub(crate) to_namespaces: Vec<String>,
    /// Addresses that the review may reach, such as the login's.
    #[serde(default)]
    pub(crate) to_addresses: Vec<Addresses>,
}

/// A range of addresses.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Addresses {
    pub(crate) cidr: String,
    #[serde(default)]
    pub(crate) except: Vec<String>,
    /// TCP ports; all where there are none.
    #[serde(default)]
    pub(crate) ports: Vec<u16>,
}

/// JSON Schema of the config.
pub(crate) fn schema() -> Value {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": text});
    // RFC 1123 labels and names.
    let label = json!({"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"});
    let labels = json!({"type": "array", "items": label});
    let name = json!({"type": "string", "pattern": "^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"});
    let names = json!({"type": "array", "items": name, "uniqueItems": true});
    let cidr = json!({"type": "string", "pattern": "^[0-9a-fA-F.:]+/[0-9]{1,3}$"});
    let quantities = json!({"type": "object", "additionalProperties": {"type": ["string", "number"]}});
    let object = |properties: Value| json!({"type": "object", "additionalProperties": false, "properties": properties});
    let mut addresses = object(json!({
        "cidr": cidr,
        "except": {"type": "array", "items": cidr},
        "ports": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 65535}},
    }));
    addresses["required"] = json!(["cidr"]);
    let mut config = object(json!({
        "reviewDomain": text,
        "hosts": {"type": "object", "additionalProperties": text},
        "zones": texts,
        "keep": texts,
        "url": text,
        "sharedServices": {"type": "array", "items": {"type": "string", "pattern": "^[a-z0-9-]+\\.[a-z0-9-]+$"}},
        "drop": {"type": "array", "items": {"type": "string", "pattern": "^[A-Za-z0-9]+/.+"}},
        "leave": {"type": "array", "items": {"type": "string", "pattern": "^[A-Za-z0-9]+/[^ ]+ /.+"}},
        "sharedClusterRoles": texts,
        "clusterRoleBindings": texts,
        "shrink": object(json!({
            "replicas": {"type": "integer", "minimum": 0, "maximum": 1000},
            "suspendCronJobs": {"type": "boolean"},
            "storage": {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?([kMGTPE]|[KMGTPE]i)?$"},
        })),
        "quota": quantities,
        "limitRange": object(json!({
            "default": quantities, "defaultRequest": quantities, "max": quantities, "min": quantities,
        })),
        "networkPolicy": object(json!({
            "fromNamespaces": labels,
            "toNamespaces": labels,
            "toAddresses": {"type": "array", "items": addresses},
        })),
        "clusterIssuer": name,
        "tlsSecret": name,
        "imagePullSecrets": names,
        "seed": names,
    }));
    config["required"] = json!(["reviewDomain", "hosts"]);
    config
}
