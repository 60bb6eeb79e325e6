//! What an application expects of its login client: where the provider sends the user back to, and which environment
//! variables it reads.

use crate::config::Client;

/// The profiles there are.
pub(crate) const NAMES: &[&str] = &["hedgedoc", "jupyterhub", "spring-boot"];

/// The path of the redirect URI.
pub(crate) fn callback(client: &Client) -> Result<String, String> {
    match client.profile.as_str() {
        "hedgedoc" => Ok("/auth/oauth2/callback".to_owned()),
        "jupyterhub" => Ok("/hub/oauth_callback".to_owned()),
        "spring-boot" => Ok(format!("/login/oauth2/code/{}", registration(client))),
        other => Err(unknown(other)),
    }
}

/// Variable of the container and the key of the binding that it takes its value from.
pub(crate) fn variables(client: &Client) -> Result<Vec<(String, &'static str)>, String> {
    let names = match client.profile.as_str() {
        "hedgedoc" => ["CMD_OAUTH2_CLIENT_ID".to_owned(), "CMD_OAUTH2_CLIENT_SECRET".to_owned()],
        "jupyterhub" => ["OAUTH_CLIENT_ID".to_owned(), "OAUTH_CLIENT_SECRET".to_owned()],
        // Spring's relaxed binding: dashes vanish, dots become underscores.
        "spring-boot" => {
            let id = registration(client).replace('-', "").replace('.', "_").to_uppercase();
            let name = |field| format!("SPRING_SECURITY_OAUTH2_CLIENT_REGISTRATION_{id}_{field}");
            [name("CLIENTID"), name("CLIENTSECRET")]
        }
        other => return Err(unknown(other)),
    };
    Ok(names.into_iter().zip(["client-id", "client-secret"]).collect())
}

fn registration(client: &Client) -> &str {
    client.registration_id.as_deref().unwrap_or(&client.name)
}

fn unknown(profile: &str) -> String {
    format!("config: no profile `{profile}`; there are {}", NAMES.join(", "))
}
