//! An intent: one login client of one environment, checked as identity providers often do not.

use std::collections::{BTreeMap, BTreeSet};

use lathe_manifest::digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::issuer::IssuerSpec;
use crate::{profile, redirect};

/// What a plugin declares. Members that this version does not know are ignored, as the contract says.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Name of the client within the project.
    pub name: String,
    /// What users are shown; default is the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Name of the issuer in the pipeline (`aai.issuers`); without one nothing is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Kind of application.
    pub profile: String,
    /// Name of the Secret that will hold the client's data.
    pub secret_name: String,
    /// Hosts that log in through the client, those of this environment.
    pub hosts: Vec<String>,
    /// Redirect URIs (RFC 7591 section 2).
    pub redirect_uris: Vec<String>,
    /// Where users may be sent after a logout (`OpenID` Connect RP-Initiated Logout 1.0).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<String>,
    /// Scopes to ask for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Grant types (RFC 7591 section 2).
    #[serde(default = "code")]
    pub grant_types: Vec<String>,
    /// How the client shows who it is at the token endpoint.
    #[serde(default)]
    pub auth_method: AuthMethod,
    /// Whom the provider's operators may write to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    /// How long the client may stay after its last apply, such as `14d`; default is the environment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
}

/// How a client shows who it is (`token_endpoint_auth_method`, RFC 7591 section 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// HTTP Basic.
    #[default]
    ClientSecretBasic,
    /// In the body.
    ClientSecretPost,
    /// Not at all: a public client, which has to use PKCE (RFC 7636).
    None,
}

impl AuthMethod {
    /// As the standard calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::None => "none",
        }
    }
}

/// An intent that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Declared {
    /// What tells this client from all others: 12 hexadecimal digits over issuer, project, environment, review and name.
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
    pub fn parse(
        json: &str,
        identity: &[&str],
        issuers: &BTreeMap<String, IssuerSpec>,
    ) -> Result<Self, IntentError> {
        let intent: Intent = serde_json::from_str(json).map_err(|error| IntentError {
            client: "?".to_owned(),
            why: format!("the intent is malformed: {error}"),
        })?;
        let error = |why: String| IntentError { client: intent.name.clone(), why };
        check(&intent).map_err(error)?;
        let issuer = match &intent.issuer {
            None => "",
            Some(name) => match issuers.get(name) {
                Some(spec) => spec.issuer.as_str(),
                None => {
                    return Err(error(format!(
                        "there is no issuer `{name}` in the pipeline's `aai.issuers`"
                    )));
                }
            },
        };
        let mut parts: Vec<&[u8]> = vec![issuer.as_bytes()];
        parts.extend(identity.iter().map(|part| part.as_bytes()));
        parts.push(intent.name.as_bytes());
        let key = digest::of_parts(&parts).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { key, intent, status: "not registered yet" })
    }

    /// Field of the client and the Secret's key that will hold it.
    pub fn keys(&self) -> Vec<(&'static str, &'static str)> {
        let Intent { profile, auth_method, issuer, .. } = &self.intent;
        profile::keys(profile, *auth_method != AuthMethod::None, issuer.is_some())
    }

    /// What marks the client at the provider: the end of its `client_name`.
    pub fn marker(&self) -> String {
        format!("[lathe:{}]", self.key)
    }
}

fn code() -> Vec<String> {
    vec!["authorization_code".to_owned()]
}

/// Names that users are shown are no longer than this; providers have bounds of their own.
const LONGEST_TITLE: usize = 100;

fn check(intent: &Intent) -> Result<(), String> {
    if !profile::is_known(&intent.profile) {
        return Err(format!("there is no profile `{}`", intent.profile));
    }
    for (what, name) in [("name", &intent.name), ("secretName", &intent.secret_name)] {
        if !is_subdomain(name) {
            return Err(format!("its {what} is no DNS name (RFC 1123)"));
        }
    }
    if let Some(title) = &intent.title
        && (title.len() > LONGEST_TITLE || title.contains("[lathe:") || title.chars().any(char::is_control))
    {
        return Err(format!("its title is longer than {LONGEST_TITLE} bytes, or holds what none may hold"));
    }
    if intent.redirect_uris.is_empty() {
        return Err("it has no redirect URI".to_owned());
    }
    let hosts: BTreeSet<&str> = intent.hosts.iter().map(String::as_str).collect();
    hosts.iter().try_for_each(|host| redirect::check_host(host))?;
    let all = intent.redirect_uris.iter().chain(&intent.post_logout_redirect_uris);
    for uri in all {
        redirect::check(uri, &hosts)?;
    }
    let known = ["authorization_code", "refresh_token"];
    if let Some(grant) = intent.grant_types.iter().find(|grant| !known.contains(&grant.as_str())) {
        return Err(format!("grant type `{grant}` is none of {}", known.join(", ")));
    }
    // RFC 6749 section 3.3.
    let in_scope = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
    if let Some(scope) = intent.scopes.iter().find(|scope| scope.is_empty() || !scope.bytes().all(in_scope)) {
        return Err(format!("`{scope}` is no scope"));
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
        Declared::parse(&json.replace(change, to), &["portal", "review", "42"], &issuers())
    }

    fn issuers() -> BTreeMap<String, IssuerSpec> {
        let spec = serde_json::from_str(r#"{"issuer":"https://aai.example.org","mode":"dcr"}"#).unwrap();
        [("broker".to_owned(), spec)].into()
    }

    #[test]
    fn an_intent_has_a_key_that_follows_from_the_environment() {
        let declared = parse("", "").unwrap();
        assert_eq!(declared.key.len(), 12);
        assert_eq!(parse("", "").unwrap().key, declared.key);
        let json = serde_json::to_string(&declared.intent).unwrap();
        let other = Declared::parse(&json, &["portal", "review", "43"], &issuers()).unwrap();
        assert_ne!(other.key, declared.key);
        assert_eq!(declared.keys().len(), 3);
        let named = parse("\"new\":1", "\"issuer\":\"broker\"").unwrap();
        assert_ne!(named.key, declared.key);
        assert_eq!(named.keys().len(), 8);
    }

    #[test]
    fn what_providers_let_pass_is_refused() {
        for (change, to) in [
            ("https://p.example.net/cb", "http://p.example.net/cb"),
            ("https://p.example.net/cb", "https://*.example.net/cb"),
            ("https://p.example.net/cb", "/cb"),
            ("[\"https://p.example.net/cb\"]", "[]"),
            ("\"new\":1", "\"postLogoutRedirectUris\":[\"https://other.example.net/\"]"),
            ("\"new\":1", "\"grantTypes\":[\"implicit\"]"),
            ("\"new\":1", "\"scopes\":[\"a b\"]"),
            ("\"new\":1", "\"issuer\":\"other\""),
            ("\"new\":1", "\"title\":\"x [lathe:0]\""),
            ("spring-boot", "wordpress"),
            ("portal-oidc", "Portal_OIDC"),
            ("{", ""),
        ] {
            assert!(parse(change, to).is_err(), "{to}");
        }
    }
}
