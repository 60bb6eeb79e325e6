//! The plugin's config.

use std::collections::BTreeMap;

use lathe_sdk::{Value, json};
use serde::Deserialize;

use crate::profile::Profile;

/// Fields that a client may have.
const FIELDS: &[&str] = &[
    "client-id",
    "client-secret",
    "issuer",
    "authorization-endpoint",
    "token-endpoint",
    "userinfo-endpoint",
    "end-session-endpoint",
    "jwks-uri",
];

/// The config of one entry of the pipeline.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The login clients.
    pub(crate) clients: Vec<Client>,
}

/// How the application proves to the provider who it is (RFC 7591 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AuthMethod {
    /// In a header.
    ClientSecretBasic,
    /// In the body.
    ClientSecretPost,
    /// Not at all: a public client, which has no secret.
    None,
}

impl AuthMethod {
    /// As RFC 7591 spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::None => "none",
        }
    }
}

/// One login client.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Client {
    /// Its name within the project.
    pub(crate) name: String,
    /// What users are told it is.
    #[serde(default)]
    pub(crate) title: Option<String>,
    /// The issuer of the pipeline that it is a client of.
    #[serde(default)]
    pub(crate) issuer: Option<String>,
    /// The application it serves.
    pub(crate) profile: Profile,
    /// The application's own name for the registration, where it has several (Spring Boot, `HedgeDoc` 2).
    #[serde(default)]
    pub(crate) registration_id: Option<String>,
    /// Spring Boot's name for the provider.
    #[serde(default)]
    pub(crate) provider_id: Option<String>,
    /// The Secret that will hold the client's data.
    pub(crate) secret_name: String,
    /// Production hosts that log in through this client.
    pub(crate) hosts: Vec<String>,
    /// Scopes to ask for.
    #[serde(default = "default_scopes")]
    pub(crate) scopes: Vec<String>,
    /// Addresses of those who answer for it.
    #[serde(default)]
    pub(crate) contacts: Vec<String>,
    /// How it proves who it is, where that is not as the profile has it.
    #[serde(default)]
    pub(crate) auth_method: Option<AuthMethod>,
    /// Paths of the redirect URIs of an application that has no profile.
    #[serde(default)]
    pub(crate) callbacks: Option<Vec<String>>,
    /// Paths where users may be sent after they have logged out.
    #[serde(default = "default_post_logout")]
    pub(crate) post_logout: Vec<String>,
    /// Variables beside the profile's, and the field that each takes its value from.
    #[serde(default)]
    pub(crate) variables: BTreeMap<String, String>,
    /// How long it may live.
    #[serde(default)]
    pub(crate) ttl: Option<String>,
    /// Workloads to wire, as Kind/name; else those that use the Secret already.
    #[serde(default)]
    pub(crate) workloads: Vec<String>,
}

impl Client {
    /// The application's own name for the registration.
    pub(crate) fn registration(&self) -> &str {
        self.registration_id.as_deref().unwrap_or(&self.name)
    }

    /// Refuses what the schema cannot tell.
    pub(crate) fn check(&self) -> Result<(), String> {
        let refuse = |why: &str| Err(format!("config: client `{}`: {why}", self.name));
        let paths = self.callbacks.iter().flatten().chain(&self.post_logout);
        if paths.into_iter().any(|path| !path.starts_with('/')) {
            return refuse("`callbacks` and `postLogout` are paths, which begin with `/`");
        }
        let custom = self.profile == Profile::Custom;
        match &self.callbacks {
            Some(_) if !custom => return refuse("`callbacks` are for profile `custom`; others know theirs"),
            Some(callbacks) if callbacks.is_empty() => return refuse("`callbacks` is empty"),
            None if custom => return refuse("profile `custom` needs `callbacks`"),
            _ => {}
        }
        if custom && self.variables.is_empty() {
            return refuse("profile `custom` needs `variables`");
        }
        Ok(())
    }
}

fn default_scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(ToOwned::to_owned).into()
}

fn default_post_logout() -> Vec<String> {
    vec!["/".to_owned()]
}

/// JSON Schema of the config.
pub(crate) fn schema() -> Value {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let paths = json!({"type": "array", "items": {"type": "string", "pattern": "^/"}});
    let variables = json!({
        "type": "object",
        "propertyNames": {"pattern": "^[-._a-zA-Z][-._a-zA-Z0-9]*$"},
        "additionalProperties": {"enum": FIELDS},
    });
    let client = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "profile", "secretName", "hosts"],
        "properties": {
            "name": text,
            "title": text,
            "issuer": text,
            "profile": {"enum": crate::profile::NAMES},
            "registrationId": text,
            "providerId": text,
            "secretName": text,
            "hosts": texts,
            "scopes": texts,
            "contacts": texts,
            "authMethod": {"enum": ["client_secret_basic", "client_secret_post", "none"]},
            "callbacks": paths,
            "postLogout": paths,
            "variables": variables,
            "ttl": text,
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
