//! An intent: one login client of one environment, checked as identity providers often do not.

use std::collections::BTreeSet;

use lathe_manifest::digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::profile;

/// What a plugin declares. Members that this version does not know are ignored, as the contract says.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Name of the client within the project.
    pub name: String,
    /// Kind of application.
    pub profile: String,
    /// Name of the Secret that will hold the client's data.
    pub secret_name: String,
    /// Hosts that log in through the client, those of this environment.
    pub hosts: Vec<String>,
    /// Redirect URIs (RFC 7591 section 2).
    pub redirect_uris: Vec<String>,
    /// Scopes to ask for.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// An intent that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Declared {
    /// What tells this client from all others: 12 hexadecimal digits over project, environment and name.
    pub key: String,
    /// What was declared.
    #[serde(flatten)]
    pub intent: Intent,
    /// What came of it; rendering registers nothing.
    pub status: &'static str,
}

/// Why an intent is refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("login client `{client}`: {why}")]
pub struct IntentError {
    /// The client's name, or `?` where the intent is no intent.
    pub client: String,
    /// What is wrong, in one clause.
    pub why: String,
}

impl Declared {
    /// Reads and checks an intent (JSON) for the environment that this identity (project, environment, review) names.
    pub fn parse(json: &str, identity: &[&str]) -> Result<Self, IntentError> {
        let intent: Intent = serde_json::from_str(json).map_err(|error| IntentError {
            client: "?".to_owned(),
            why: format!("the intent is malformed: {error}"),
        })?;
        let error = |why: String| IntentError { client: intent.name.clone(), why };
        check(&intent).map_err(error)?;
        let mut parts: Vec<&[u8]> = identity.iter().map(|part| part.as_bytes()).collect();
        parts.push(intent.name.as_bytes());
        let key = digest::of_parts(&parts).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { key, intent, status: "not registered yet" })
    }

    /// Field of the client and the Secret's key that will hold it.
    pub fn keys(&self) -> Vec<(&'static str, &'static str)> {
        profile::keys(&self.intent.profile).unwrap_or_default()
    }
}

fn check(intent: &Intent) -> Result<(), String> {
    if profile::keys(&intent.profile).is_none() {
        return Err(format!("there is no profile `{}`", intent.profile));
    }
    for (what, name) in [("name", &intent.name), ("secretName", &intent.secret_name)] {
        if !is_subdomain(name) {
            return Err(format!("its {what} is no DNS name (RFC 1123)"));
        }
    }
    if intent.redirect_uris.is_empty() {
        return Err("it has no redirect URI".to_owned());
    }
    let hosts: BTreeSet<&str> = intent.hosts.iter().map(String::as_str).collect();
    intent.redirect_uris.iter().try_for_each(|uri| check_redirect(uri, &hosts))
}

/// Exact https URIs on the environment's own hosts: no wildcard, fragment or userinfo (RFC 9700 section 2.1).
fn check_redirect(uri: &str, hosts: &BTreeSet<&str>) -> Result<(), String> {
    let Some(rest) = uri.strip_prefix("https://") else {
        return Err(format!("the redirect URI `{uri}` is not https"));
    };
    if uri.contains(['*', '#', '\\', ' ']) {
        return Err(format!("the redirect URI `{uri}` has a wildcard, fragment or space"));
    }
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    if !hosts.contains(host) {
        return Err(format!("the redirect URI `{uri}` is not on a host of this client"));
    }
    Ok(())
}

fn is_subdomain(name: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    name.len() <= 253
        && name.split('.').all(|label| {
            let bytes = label.as_bytes();
            let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
            edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner) && bytes.len() <= 63
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(change: &str, to: &str) -> Result<Declared, IntentError> {
        let json = r#"{"name":"portal","profile":"spring-boot","secretName":"portal-oidc","hosts":["p.example.net"],"redirectUris":["https://p.example.net/cb"],"new":1}"#;
        Declared::parse(&json.replace(change, to), &["portal", "review", "42"])
    }

    #[test]
    fn an_intent_has_a_key_that_follows_from_the_environment() {
        let declared = parse("", "").unwrap();
        assert_eq!(declared.key.len(), 12);
        assert_eq!(parse("", "").unwrap().key, declared.key);
        let json = serde_json::to_string(&declared.intent).unwrap();
        let other = Declared::parse(&json, &["portal", "review", "43"]).unwrap();
        assert_ne!(other.key, declared.key);
        assert_eq!(declared.keys().len(), 3);
    }

    #[test]
    fn what_providers_let_pass_is_refused() {
        for (change, to) in [
            ("https://p.example.net/cb", "http://p.example.net/cb"),
            ("https://p.example.net/cb", "https://*.example.net/cb"),
            ("https://p.example.net/cb", "https://other.example.net/cb"),
            ("https://p.example.net/cb", "https://u@p.example.net/cb"),
            ("https://p.example.net/cb", "https://p.example.net/cb#x"),
            ("https://p.example.net/cb", "/cb"),
            ("[\"https://p.example.net/cb\"]", "[]"),
            ("spring-boot", "wordpress"),
            ("portal-oidc", "Portal_OIDC"),
            ("{", ""),
        ] {
            assert!(parse(change, to).is_err(), "{to}");
        }
    }
}
