//! Logging in: a token that is there, `AppRole`, a service account, a JWT.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::client::Client;
use crate::error::Why;
use crate::provider::spec::AuthSpec;
use crate::provider::{Surroundings, file};

/// Where pods have the token of their service account.
const POD_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// A token, and whether this run asked for it.
pub(super) struct Login {
    pub(super) token: Zeroizing<String>,
    revoke: bool,
}

#[derive(Deserialize)]
struct Answered {
    auth: Option<Granted>,
}

#[derive(Deserialize)]
struct Granted {
    client_token: String,
    #[serde(default)]
    token_type: String,
}

impl Login {
    /// Logs in as the pipeline says.
    pub(super) async fn new(
        auth: &AuthSpec,
        client: &Client,
        around: &Surroundings<'_>,
    ) -> Result<Self, Why> {
        let variable = |name: &str| {
            let value = (around.variable)(name).filter(|value| !value.is_empty()).map(Zeroizing::new);
            value.ok_or_else(|| {
                Why::Auth(format!("the variable `{name}` is not set, and is to hold the login"))
            })
        };
        let (path, body) = match auth {
            AuthSpec::Token { token_env } => {
                let token = match token_env {
                    Some(name) => variable(name)?,
                    None => variable("BAO_TOKEN").or_else(|_| variable("VAULT_TOKEN")).map_err(|_| {
                        Why::Auth(
                            "neither `BAO_TOKEN` nor `VAULT_TOKEN` is set, and no other login is configured"
                                .to_owned(),
                        )
                    })?,
                };
                return Ok(Self { token: Zeroizing::new(token.trim().to_owned()), revoke: false });
            }
            AuthSpec::Approle { role_id_env, secret_id_env, path } => {
                let (role, secret) = (variable(role_id_env)?, variable(secret_id_env)?);
                let body = json!({"role_id": role.trim(), "secret_id": secret.trim()});
                (path.as_deref().unwrap_or("approle"), body)
            }
            AuthSpec::Kubernetes { role, token_file, path } => {
                let file = token_file.as_deref().unwrap_or(POD_TOKEN);
                let jwt = pod_token(file, around)?;
                (path.as_deref().unwrap_or("kubernetes"), json!({"role": role, "jwt": jwt.trim()}))
            }
            AuthSpec::Jwt { role, token_env, path } => {
                let jwt = variable(token_env)?;
                is_jwt(jwt.trim(), token_env)?;
                let mut body = json!({"jwt": jwt.trim()});
                if let Some(role) = role {
                    body["role"] = role.as_str().into();
                }
                (path.as_deref().unwrap_or("jwt"), body)
            }
        };
        let escaped = super::escaped(path.trim_matches('/'))?;
        let answer =
            client.request(Method::POST, &format!("auth/{escaped}/login"), None, None, Some(&body)).await?;
        if !answer.status.is_success() {
            let told = answer.told().unwrap_or_else(|| format!("status {}", answer.status.as_u16()));
            return Err(Why::Auth(format!("`auth/{path}` refuses the login: {told}")));
        }
        let granted = answer.read::<Answered>()?.auth;
        let granted = granted.ok_or_else(|| Why::Auth(format!("`auth/{path}` gives no token")))?;
        if granted.client_token.is_empty() {
            return Err(Why::Auth(format!(
                "`auth/{path}` asks for a second factor, which nobody is here to give"
            )));
        }
        // Batch tokens cannot be revoked; they end by themselves.
        Ok(Self { revoke: granted.token_type != "batch", token: Zeroizing::new(granted.client_token) })
    }

    /// Ends a token that this run asked for. One that was there before is its owner's.
    pub(super) async fn end(self, client: &Client) {
        if self.revoke {
            client.revoke(&self.token).await;
        }
    }
}

/// The token of a service account: of a pod, or below the pipeline's folder. No other file goes to a server.
fn pod_token(file: &str, around: &Surroundings<'_>) -> Result<Zeroizing<String>, Why> {
    let told = |why: String| Why::Auth(format!("the service account's token {file}: {why}"));
    let projected = ["/var/run/secrets/", "/run/secrets/"];
    let is_projected = projected.iter().any(|folder| file.starts_with(folder)) && !file.contains("..");
    let bytes = if is_projected {
        let is_small = std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.len() < 1 << 16);
        if is_small {
            std::fs::read(file).map_err(|error| told(error.to_string()))?
        } else {
            return Err(told("it is no small file".to_owned()));
        }
    } else {
        file::bytes(around.folder, file).map_err(|why| told(why.to_string()))?
    };
    let text = String::from_utf8(bytes).map(Zeroizing::new).map_err(|_| told("it is no text".to_owned()))?;
    is_jwt(text.trim(), file)?;
    Ok(text)
}

/// Only what is a token is sent as one: three parts of base64url (RFC 7519).
fn is_jwt(text: &str, place: &str) -> Result<(), Why> {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() == 3 && parts.iter().all(|part| is_part(part)) {
        Ok(())
    } else {
        Err(Why::Auth(format!("`{place}` holds no JWT, and is not sent")))
    }
}
