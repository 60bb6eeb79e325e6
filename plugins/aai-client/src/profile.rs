//! What an application expects of its login client: where the provider sends the user back to, and which environment
//! variables it reads.

use serde::Deserialize;

use crate::config::{AuthMethod, Client};

/// The names of the profiles there are.
pub(crate) const NAMES: &[&str] =
    &["custom", "hedgedoc", "hedgedoc-2", "jupyterhub", "oauth2-proxy", "spring-boot"];

/// A kind of application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Profile {
    /// One that the config describes itself.
    #[serde(rename = "custom")]
    Custom,
    /// `HedgeDoc` 1.
    #[serde(rename = "hedgedoc")]
    HedgeDoc,
    /// `HedgeDoc` 2.
    #[serde(rename = "hedgedoc-2")]
    HedgeDoc2,
    /// `JupyterHub` with an `OAuthenticator`.
    #[serde(rename = "jupyterhub")]
    JupyterHub,
    /// `OAuth2` Proxy.
    #[serde(rename = "oauth2-proxy")]
    OAuth2Proxy,
    /// Spring Boot with Spring Security.
    #[serde(rename = "spring-boot")]
    SpringBoot,
}

impl Profile {
    /// As the config spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Custom => "custom",
            Self::HedgeDoc => "hedgedoc",
            Self::HedgeDoc2 => "hedgedoc-2",
            Self::JupyterHub => "jupyterhub",
            Self::OAuth2Proxy => "oauth2-proxy",
            Self::SpringBoot => "spring-boot",
        }
    }
}

/// Where a variable takes its value from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A field of the client.
    Field(String),
    /// The redirect URI of the first host.
    Redirect,
    /// The same, where the input has one of its own.
    RedirectWhereSet,
    /// A comma list that has to hold the registration's name.
    Names,
}

/// The name under which the application knows the registration, in variables; an error where they cannot spell it.
fn spelled(client: &Client) -> Result<String, String> {
    let id = client.registration();
    let other: &[char] = match client.profile {
        // Spring's relaxed binding: dashes vanish, dots become underscores.
        Profile::SpringBoot => &['-', '.'],
        _ => &['-', '_'],
    };
    check(client, "registrationId", id, other)?;
    Ok(match client.profile {
        Profile::SpringBoot => relaxed(id),
        _ => id.to_uppercase(),
    })
}

fn relaxed(id: &str) -> String {
    id.replace('-', "").replace('.', "_").to_uppercase()
}

fn check(client: &Client, what: &str, id: &str, other: &[char]) -> Result<(), String> {
    if !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || other.contains(&c)) {
        return Ok(());
    }
    let name = &client.name;
    Err(format!("config: client `{name}`: no variable of the application can spell the {what} `{id}`"))
}

/// The paths of the redirect URIs.
pub(crate) fn callbacks(client: &Client) -> Result<Vec<String>, String> {
    Ok(match client.profile {
        Profile::Custom => client.callbacks.clone().unwrap_or_default(),
        Profile::HedgeDoc => vec!["/auth/oauth2/callback".to_owned()],
        Profile::HedgeDoc2 => {
            spelled(client)?;
            // The application takes the names of its servers in lower case.
            vec![format!("/api/private/auth/oidc/{}/callback", client.registration().to_lowercase())]
        }
        Profile::JupyterHub => vec!["/hub/oauth_callback".to_owned()],
        Profile::OAuth2Proxy => vec!["/oauth2/callback".to_owned()],
        Profile::SpringBoot => {
            spelled(client)?;
            vec![format!("/login/oauth2/code/{}", client.registration())]
        }
    })
}

/// How the application proves who it is.
pub(crate) fn auth_method(client: &Client) -> AuthMethod {
    client.auth_method.unwrap_or(match client.profile {
        Profile::HedgeDoc | Profile::JupyterHub => AuthMethod::ClientSecretPost,
        _ => AuthMethod::ClientSecretBasic,
    })
}

/// Variables of the container and where they take their values from. What the config says of one goes before what the
/// profile says.
pub(crate) fn variables(client: &Client) -> Result<Vec<(String, Source)>, String> {
    let field = |name: &str, field: &str| (name.to_owned(), Source::Field(field.to_owned()));
    let issuer = client.issuer.is_some();
    let mut variables = match client.profile {
        Profile::Custom => Vec::new(),
        Profile::HedgeDoc => vec![
            field("CMD_OAUTH2_CLIENT_ID", "client-id"),
            field("CMD_OAUTH2_CLIENT_SECRET", "client-secret"),
            field("CMD_OAUTH2_AUTHORIZATION_URL", "authorization-endpoint"),
            field("CMD_OAUTH2_TOKEN_URL", "token-endpoint"),
            field("CMD_OAUTH2_USER_PROFILE_URL", "userinfo-endpoint"),
        ],
        Profile::HedgeDoc2 => {
            let id = spelled(client)?;
            vec![
                ("HD_AUTH_OIDC_SERVERS".to_owned(), Source::Names),
                field(&format!("HD_AUTH_OIDC_{id}_CLIENT_ID"), "client-id"),
                field(&format!("HD_AUTH_OIDC_{id}_CLIENT_SECRET"), "client-secret"),
                field(&format!("HD_AUTH_OIDC_{id}_ISSUER"), "issuer"),
            ]
        }
        Profile::JupyterHub => vec![
            field("OAUTH_CLIENT_ID", "client-id"),
            field("OAUTH_CLIENT_SECRET", "client-secret"),
            field("OAUTH2_AUTHORIZE_URL", "authorization-endpoint"),
            field("OAUTH2_TOKEN_URL", "token-endpoint"),
            field("OAUTH2_USERDATA_URL", "userinfo-endpoint"),
            ("OAUTH_CALLBACK_URL".to_owned(), Source::Redirect),
        ],
        Profile::OAuth2Proxy => {
            let mut variables = vec![
                field("OAUTH2_PROXY_CLIENT_ID", "client-id"),
                field("OAUTH2_PROXY_CLIENT_SECRET", "client-secret"),
            ];
            variables.extend(issuer.then(|| field("OAUTH2_PROXY_OIDC_ISSUER_URL", "issuer")));
            variables.push(("OAUTH2_PROXY_REDIRECT_URL".to_owned(), Source::Redirect));
            variables
        }
        Profile::SpringBoot => {
            let prefix = format!("SPRING_SECURITY_OAUTH2_CLIENT_REGISTRATION_{}", spelled(client)?);
            let mut variables = vec![
                field(&format!("{prefix}_CLIENTID"), "client-id"),
                field(&format!("{prefix}_CLIENTSECRET"), "client-secret"),
            ];
            if issuer {
                let provider = provider(client);
                check(client, "providerId", provider, &['-', '.'])?;
                let name = format!("SPRING_SECURITY_OAUTH2_CLIENT_PROVIDER_{}_ISSUERURI", relaxed(provider));
                variables.push(field(&name, "issuer"));
            }
            variables.push((format!("{prefix}_REDIRECTURI"), Source::RedirectWhereSet));
            variables
        }
    };
    variables.retain(|(name, _)| !client.variables.contains_key(name));
    variables.extend(client.variables.iter().map(|(name, of)| field(name, of)));
    Ok(variables)
}

/// Spring Boot's name for the provider.
pub(crate) fn provider(client: &Client) -> &str {
    client.provider_id.as_deref().unwrap_or_else(|| client.registration())
}
