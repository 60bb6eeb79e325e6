//! The plugin's config.

use lathe_sdk::{Value, json};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) clients: Vec<Client>,
}

/// One login client.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Client {
    /// Its name within the project.
    pub(crate) name: String,
    /// The application it serves.
    pub(crate) profile: String,
    /// The application's own name for the registration, where it has several (Spring Boot).
    #[serde(default)]
    pub(crate) registration_id: Option<String>,
    /// The Secret that will hold the client's data.
    pub(crate) secret_name: String,
    /// Production hosts that log in through this client.
    pub(crate) hosts: Vec<String>,
    /// Scopes to ask for.
    #[serde(default = "default_scopes")]
    pub(crate) scopes: Vec<String>,
    /// Workloads to wire, as Kind/name; else those that use the Secret already.
    #[serde(default)]
    pub(crate) workloads: Vec<String>,
}

fn default_scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(ToOwned::to_owned).into()
}

/// JSON Schema of the config.
pub(crate) fn schema() -> Value {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let client = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "profile", "secretName", "hosts"],
        "properties": {
            "name": {"type": "string"},
            "profile": {"enum": crate::profile::NAMES},
            "registrationId": {"type": "string"},
            "secretName": {"type": "string"},
            "hosts": texts,
            "scopes": texts,
            "workloads": texts,
        },
    });
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["clients"],
        "properties": {"clients": {"type": "array", "items": client}},
    })
}
