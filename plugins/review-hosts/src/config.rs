//! The plugin's config.

use std::collections::BTreeMap;

use lathe_sdk::{Value, json};
use serde::Deserialize;

/// What the pipeline entry says. `reviewDomain`, `hosts`, `zones` and `sharedServices` are the host's to use: it
/// makes the environment's host map and the closure from them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(rename = "reviewDomain")]
    _review_domain: String,
    #[serde(rename = "hosts")]
    _hosts: BTreeMap<String, String>,
    #[serde(rename = "zones", default)]
    _zones: Vec<String>,
    /// Hosts that stay as they are.
    #[serde(default)]
    pub(crate) keep: Vec<String>,
    #[serde(rename = "sharedServices", default)]
    _shared_services: Vec<String>,
    /// Cluster-scoped objects to leave out, as `Kind/name`.
    #[serde(default)]
    pub(crate) drop: Vec<String>,
}

/// JSON Schema of the config.
pub(crate) fn schema() -> Value {
    let hosts = json!({"type": "array", "items": {"type": "string"}});
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["reviewDomain", "hosts"],
        "properties": {
            "reviewDomain": {"type": "string"},
            "hosts": {"type": "object", "additionalProperties": {"type": "string"}},
            "zones": hosts,
            "keep": hosts,
            "sharedServices": hosts,
            "drop": hosts,
        },
    })
}
