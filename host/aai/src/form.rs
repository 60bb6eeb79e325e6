//! What somebody is told who registers a client by hand.

use schemars::JsonSchema;
use serde::Serialize;

use crate::intent::Declared;
use crate::issuer::IssuerSpec;
use crate::registration::client_id;

/// The fields of a provider's registration form. The same intent makes the same text.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Form {
    /// `lathe.dev/v1alpha1`.
    pub api_version: &'static str,
    /// `ClientRequest`.
    pub kind: &'static str,
    /// The provider.
    pub issuer: String,
    /// What tells the client from all others.
    pub key: String,
    /// A client id that nobody else has, without a colon; the provider may give another.
    pub client_id: String,
    /// What users are shown.
    pub client_name: String,
    /// Return URLs.
    pub redirect_uris: Vec<String>,
    /// Where users may be sent after a logout.
    pub post_logout_redirect_uris: Vec<String>,
    /// The scopes that the application needs.
    pub scopes: Vec<String>,
    /// Grant types.
    pub grant_types: Vec<String>,
    /// How the client shows who it is; `none` for a public client.
    pub token_endpoint_auth_method: &'static str,
    /// PKCE (RFC 7636) is used with this method.
    pub code_challenge_method: &'static str,
    /// Whom the provider's operators may write to.
    pub contacts: Vec<String>,
    /// How the approved client is handed over.
    pub then: String,
}

impl Form {
    /// Of an intent.
    pub fn new(declared: &Declared, identity: &[String; 3], issuer: &IssuerSpec) -> Self {
        let intent = &declared.intent;
        let [_, environment, review] = identity;
        let sorted = |list: &[String]| {
            let mut list = list.to_vec();
            list.sort();
            list.dedup();
            list
        };
        let which = if review.is_empty() {
            format!("--env {environment}")
        } else {
            format!("--env {environment} --review {review}")
        };
        Self {
            api_version: "lathe.dev/v1alpha1",
            kind: "ClientRequest",
            issuer: issuer.issuer.clone(),
            key: declared.key.clone(),
            client_id: client_id(identity, &intent.name, &declared.key),
            client_name: format!("{} {}", intent.title.as_ref().unwrap_or(&intent.name), declared.marker()),
            redirect_uris: sorted(&intent.redirect_uris),
            post_logout_redirect_uris: sorted(&intent.post_logout_redirect_uris),
            scopes: sorted(&intent.scopes),
            grant_types: sorted(&intent.grant_types),
            token_endpoint_auth_method: intent.auth_method.name(),
            code_challenge_method: "S256",
            contacts: sorted(&intent.contacts),
            then: format!(
                "kubectl lathe aai import {} {which} --client-id ID --client-secret-file FILE",
                intent.name
            ),
        }
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        // Plain data always serializes.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}
